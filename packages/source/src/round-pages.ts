/**
 * Which pages each round is of: what became dirty, what the selector holds back of it, what the
 * guest can do without.
 *
 * @module
 */
import type { DirtyTracker, PageBitmap } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { PageSelector, SelectSettings } from '@godwit/policy'
import { PEEK_DEFAULT_MS, SELECT_DEFAULT, selectByDefault } from '@godwit/policy'
import type { Scan } from './dirty-set.ts'
import { DirtySet } from './dirty-set.ts'
import { DroppedPages } from './dropped-pages.ts'
import { HeldPages } from './held-pages.ts'
import type { SourceOptions } from './options.ts'
import type { Watch } from './watch.ts'

/** The set of one round, and what lanes are to know of its pages. Valid until the next one. */
export interface RoundSet {
  /** Per region. */
  readonly dirty: readonly PageBitmap[]
  /** Per region: pages of it that are zero without a look at them. */
  readonly untouched: readonly PageBitmap[] | undefined
}

/** What is collected while a round goes on. */
export interface Meanwhile {
  /** Per region: pages that are dirty again. */
  readonly again: readonly PageBitmap[]
  /** Whether the round leaves such pages out. */
  readonly leavesAgain: boolean
  readonly end: () => Promise<void>
}

/** Of one migration. */
export class RoundPages {
  /** As it may be asked for. */
  readonly selectText: string
  readonly #options: SourceOptions
  readonly #dirty: DirtySet
  readonly #selector: PageSelector
  readonly #held: HeldPages
  readonly #dropped: DroppedPages | undefined
  #collectMs = 0
  #isOfAll = false

  /** @throws {GodwitError} `USAGE`: stores must be seen, or classes be told, and are not */
  constructor(options: SourceOptions, trackers: readonly DirtyTracker[], scan?: Scan) {
    const { guest, pageBytes, clock } = options
    this.#options = options
    this.#dirty = new DirtySet(guest.regions, trackers, pageBytes, clock, scan)
    const pageCounts = this.#dirty.pending.map(({ pageCount }) => pageCount)
    const wordCounts = this.#dirty.pending.map(({ words }) => words.length)
    // Where pages come by themselves, what comes again in a round is a later one's anyway.
    const seesStores = this.#dirty.canCollectMeanwhile && guest.nextPages === undefined
    const select = options.select ?? selectByDefault(options.encode, seesStores)
    this.selectText = select.text
    this.#selector = select.create(wordCounts)
    this.#check(select, trackers[0]?.name ?? 'none')
    this.#held = new HeldPages(this.#selector, pageCounts)
    const { drops } = this.#selector
    const { classes } = guest
    const isAny = drops.length > 0 && classes !== undefined
    this.#dropped = isAny ? new DroppedPages(classes, drops, pageBytes, pageCounts) : undefined
  }

  #check({ name }: SelectSettings, tracker: string): void {
    const { guest, encode, hybrid } = this.#options
    const { watchesStores, drops } = this.#selector
    if (!this.#dirty.canCollectMeanwhile) {
      const text = `the ${tracker} tracker sees no stores to pages that were not sent yet`
      const others = 'there are barrier and pagemap'
      if (hybrid?.workingSetMs !== undefined) throw usage(`working-set: ${text}; ${others}`)
      if (watchesStores) throw usage(`select: ${name}: ${text}; ${others}`)
    }
    if (drops.length === 0) return
    if (guest.classes === undefined) {
      throw usage(`select: ${name}: a ${guest.identity.kind} guest does not tell classes of pages`)
    }
    if (encode.raw) throw usage(`select: ${name}: encoding raw sends every page with its bytes`)
  }

  /** Whether every round has everything that is dirty then. */
  get areAllDirty(): boolean {
    return this.selectText === SELECT_DEFAULT && this.#dropped === undefined
  }

  /** Per region: pages that nobody has touched up to now, as far as is known. */
  findUntouched(): readonly PageBitmap[] {
    return this.#dirty.findUntouched()
  }

  /** Per region: the set that the next round has, as far as it is known. */
  get pending(): readonly PageBitmap[] {
    return this.#dirty.pending
  }

  /** Pages of the set that the next round has. */
  get size(): number {
    return this.#dirty.pages
  }

  /** Pages that the destination lacks, and that the next round does not have. */
  get heldPages(): number {
    return this.#held.size
  }

  /** Of the last collect. */
  get collectMs(): number {
    return this.#collectMs
  }

  /** Whether something is kept back from all rounds. */
  get hasAside(): boolean {
    return this.#dirty.hasAside
  }

  /** Whether only pages are left that are held to the end. */
  get areAllLeft(): boolean {
    return this.#held.areAllLeft
  }

  /** Per region: what the guest gave up, and counts as zero bytes. */
  get givenUp(): readonly PageBitmap[] | undefined {
    return this.#dropped?.givenUp
  }

  /** Round 1 has all pages. @param isPaused - and the guest stands still already */
  addAll(isPaused: boolean): void {
    if (isPaused) this.#dropped?.giveUp()
    this.#dirty.addAll()
    this.#isOfAll = true
  }

  /** Makes ready for post-copy without rounds: in the pause there is no time to look at pages. */
  addTouched(): void {
    this.#dirty.addTouched()
    this.#dropped?.skipUnsent(this.#dirty.pending)
  }

  /**
   * Watches the guest's stores; the pages that they are to are pending then, and the rest is kept
   * back. Ends early when the time is over and, by an error, when all is.
   */
  async findWorkingSet(watch: Watch, ms: number): Promise<void> {
    this.addTouched()
    this.#dirty.setAside()
    await watch.wait(this.#options.clock, ms)
    await this.collect()
  }

  /** @returns pages that became dirty since the last time, and are of use */
  async collect(): Promise<number> {
    const { clock } = this.#options
    const startMs = clock.nowMs()
    await this.#dirty.collect()
    this.#dropped?.skip(this.#dirty.pending)
    this.#collectMs = clock.nowMs() - startMs
    return this.#dirty.pages
  }

  /** Asks the selector which pages of those that the destination lacks the next round has. */
  select(): void {
    this.#held.select(this.#dirty.pending)
  }

  /** All that was kept back is pending now. */
  addAside(): void {
    this.#dirty.addAside()
  }

  /** The guest is about to be paused, for post-copy. @returns what is lacking whatever it does */
  async announce(): Promise<readonly PageBitmap[]> {
    if (this.#dirty.canCollectMeanwhile) await this.collect()
    this.#dirty.addAside()
    this.#held.release(this.#dirty.pending)
    this.#dropped?.left(this.#dirty.pending)
    return this.#dirty.pending
  }

  /**
   * The guest is paused, for post-copy.
   *
   * @param isFirst - there was no round
   * @returns pages that the destination lacks
   */
  async takeLacking(isFirst: boolean): Promise<readonly PageBitmap[]> {
    this.#dropped?.giveUp()
    if (!isFirst || this.#dirty.canCollectMeanwhile) await this.#dirty.collect()
    this.#dropped?.settle(this.#dirty.pending)
    // Those go as they are in memory.
    this.clearGivenUp(this.#dirty.pending)
    return this.#dirty.take()
  }

  /**
   * Fills pages that the guest gave up with zero bytes here.
   *
   * @param among - per region: only those; without, all
   */
  clearGivenUp(among?: readonly PageBitmap[]): void {
    const { guest, pageBytes } = this.#options
    for (const [region, given] of (this.givenUp ?? []).entries()) {
      const { bytes } = guest.regions[region]!
      for (let word = 0; word < given.words.length; word++) {
        if ((given.words[word]! & (among?.[region]!.words[word] ?? -1)) === 0) continue
        const end = Math.min((word + 1) * 32, given.pageCount)
        for (let page = word * 32; page < end; page++) {
          if (!given.has(page) || among?.[region]!.has(page) === false) continue
          bytes.fill(0, page * pageBytes, (page + 1) * pageBytes)
        }
      }
    }
  }

  /** The guest is paused: the last set has everything that is left. */
  async collectLast(): Promise<void> {
    this.#dropped?.giveUp()
    const { clock } = this.#options
    const startMs = clock.nowMs()
    await this.#dirty.collect()
    this.#collectMs = clock.nowMs() - startMs
    this.#held.release(this.#dirty.pending)
    this.#dropped?.settle(this.#dirty.pending)
  }

  /** The set of a round that begins. */
  take(): RoundSet {
    const ofAll = this.#isOfAll ? this.#dirty.untouched : undefined
    this.#isOfAll = false
    const dirty = this.#dirty.take()
    const zeros = this.#dropped?.begin(dirty)
    if (ofAll !== undefined && zeros !== undefined) {
      for (const [region, bitmap] of zeros.entries()) bitmap.addOthers(ofAll[region]!)
    }
    return { dirty, untouched: zeros ?? ofAll }
  }

  /** Pages of the set that the round did not send after all. */
  addLeft(bitmaps: readonly PageBitmap[]): void {
    this.#dirty.add(bitmaps)
    this.#dropped?.left(bitmaps)
  }

  /**
   * Collects stores now and then while a round goes on, so that lanes know which pages are dirty
   * again. Call {@link take} first.
   *
   * @param isMarked - lanes keep versions of such pages
   * @returns undefined where it is of no use
   */
  collectMeanwhile(round: number, isMarked: boolean): Meanwhile | undefined {
    const leavesAgain = this.#selector.peeks(round)
    if (!leavesAgain && !isMarked) return undefined
    if (!this.#dirty.canCollectMeanwhile) return undefined
    const everyMs = leavesAgain ? this.#selector.peekMs : PEEK_DEFAULT_MS
    const end = this.#dirty.collectEvery(everyMs)
    return { again: this.#dirty.pending, leavesAgain, end }
  }
}

function usage(text: string): GodwitError {
  return new GodwitError('USAGE', text)
}
