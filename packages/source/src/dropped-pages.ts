/**
 * Pages that the guest can do without: instead of their content the destination has zero bytes.
 *
 * Which pages those are the guest decides at last, in the pause ({@link PageClasses.giveUp}). What
 * it says before is a hint: a page that was not sent for it, and is not given up, goes with the
 * last pages, and one that is given up after its content was sent is told to be zero.
 *
 * @module
 */
import type { PageClassName, PageClasses } from '@godwit/core'
import { PageBitmap } from '@godwit/core'

/** Of one migration. */
export class DroppedPages {
  readonly #classes: PageClasses
  readonly #names: readonly PageClassName[]
  readonly #pageBytes: number
  /** Per region: pages whose content the destination does not have, but zero bytes. */
  readonly #dropped: readonly PageBitmap[]
  /** Per region, shared: pages of the round's set that are sent as zero bytes. */
  readonly #zeros: readonly PageBitmap[]
  readonly #hint: readonly PageBitmap[]
  /** Whether the guest was asked before this round, or has decided. */
  #isHinted = false
  /** Per region: what the guest has given up; undefined before the pause. */
  #givenUp: readonly PageBitmap[] | undefined

  constructor(
    classes: PageClasses,
    names: readonly PageClassName[],
    pageBytes: number,
    pageCounts: readonly number[],
  ) {
    this.#classes = classes
    this.#names = names
    this.#pageBytes = pageBytes
    this.#dropped = pageCounts.map((pageCount) => new PageBitmap(pageCount))
    this.#zeros = pageCounts.map((pageCount) => PageBitmap.shared(pageCount))
    this.#hint = pageCounts.map((pageCount) => new PageBitmap(pageCount))
  }

  /** Per region: pages that count as zero bytes, once the guest has given them up. */
  get givenUp(): readonly PageBitmap[] | undefined {
    return this.#givenUp
  }

  /** What the destination lacks only because it can be done without. */
  get size(): number {
    return this.#dropped.reduce((sum, { size }) => sum + size, 0)
  }

  /** Takes out of `pending` what nobody needs and the destination has as zero bytes. */
  skip(pending: readonly PageBitmap[]): void {
    this.#isHinted = true
    for (const [region, { words }] of pending.entries()) {
      const hint = this.#hintOf(region)
      const dropped = this.#dropped[region]!.words
      for (let i = 0; i < words.length; i++) words[i]! &= ~(hint[i]! & dropped[i]!)
    }
  }

  /** Takes out of `pending`, of which nothing was ever sent, what nobody needs. */
  skipUnsent(pending: readonly PageBitmap[]): void {
    for (const [region, bitmap] of pending.entries()) {
      const hint = this.#hintOf(region)
      const dropped = this.#dropped[region]!.words
      for (let i = 0; i < hint.length; i++) dropped[i]! |= bitmap.words[i]! & hint[i]!
    }
    this.skip(pending)
  }

  /**
   * A round has this set.
   *
   * @returns per region: pages that it sends as zero bytes without a look at them
   */
  begin(set: readonly PageBitmap[]): readonly PageBitmap[] {
    for (const [region, { words }] of set.entries()) {
      const hint = this.#isHinted ? this.#hint[region]!.words : this.#hintOf(region)
      const zeros = this.#zeros[region]!.words
      const dropped = this.#dropped[region]!.words
      for (let i = 0; i < words.length; i++) {
        zeros[i] = words[i]! & hint[i]!
        // The others are sent with what they hold.
        dropped[i] = (dropped[i]! & ~words[i]!) | zeros[i]!
      }
    }
    return this.#zeros
  }

  /** Pages of the set that the round did not send after all. */
  left(bitmaps: readonly PageBitmap[]): void {
    for (const [region, bitmap] of bitmaps.entries()) this.#dropped[region]!.removeAll(bitmap)
  }

  /** The guest is paused, and gives up what it can; its stores are collected after this. */
  giveUp(): void {
    for (const bitmap of this.#hint) bitmap.clear()
    this.#classes.giveUp(this.#names, this.#pageBytes, this.#hint)
    this.#givenUp = this.#hint
    this.#isHinted = true
  }

  /**
   * Everything else is collected: of the last set, takes out what is zero there already, and adds
   * what is not as it must be.
   */
  settle(pending: readonly PageBitmap[]): void {
    for (const [region, { words }] of pending.entries()) {
      const given = this.#givenUp![region]!.words
      const dropped = this.#dropped[region]!.words
      for (let i = 0; i < words.length; i++) {
        const wrong = given[i]! ^ dropped[i]!
        words[i] = (words[i]! & ~given[i]!) | wrong
      }
    }
  }

  #hintOf(region: number): Uint32Array {
    const bitmap = this.#hint[region]!
    bitmap.clear()
    this.#classes.addPages(this.#names, region, this.#pageBytes, bitmap)
    return bitmap.words
  }
}
