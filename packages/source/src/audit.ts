/**
 * What the source makes sure of when the guest has left: that the destination holds its memory, and
 * that it went on there as it would have here.
 *
 * @module
 */
import type { PageHasher, Region } from '@godwit/core'
import { PageBitmap, pagesCovering, yieldTo } from '@godwit/core'
import type { MemoryDigest, Workspace } from '@godwit/codec'
import { digestMemory, verifyHash } from '@godwit/codec'
import type { Final } from '@godwit/wire'
import type { GuestProof, SourceOptions } from './options.ts'

/** Of one migration. */
export class Audit {
  readonly #options: SourceOptions
  readonly #hasher: PageHasher
  /** Of the whole memory, once {@link digest} has made it. */
  memory: MemoryDigest | undefined
  /** How the guest ended there, where that was agreed. */
  final: Final | undefined

  /**
   * @param hasher - of pages, which serves where memory is not verified
   * @param seed - of verification, 8 bytes
   */
  constructor(options: SourceOptions, workspace: Workspace, hasher: PageHasher, seed: Uint8Array) {
    const name = verifyHash(options.verify, options.hash)
    this.#options = options
    this.#hasher = name === undefined ? hasher : workspace.createHasher(name, seed)
  }

  /**
   * Hashes the frozen memory.
   *
   * @param givenUp - per region: pages that the guest gave up, and that are zero by that
   */
  async digest(givenUp: readonly PageBitmap[] | undefined): Promise<void> {
    this.memory = await this.#digestOf(this.#options.guest.regions, this.#zerosOf(givenUp))
  }

  /** With those that are known to be zero without a look at them. */
  #zerosOf(givenUp: readonly PageBitmap[] | undefined): readonly PageBitmap[] | undefined {
    const { guest, pageBytes } = this.#options
    if (guest.addUntouched === undefined) return givenUp
    return guest.regions.map(({ bytes }, region) => {
      const zeros = new PageBitmap(pagesCovering(bytes.length, pageBytes))
      guest.addUntouched!(pageBytes, region, zeros)
      const given = givenUp?.[region]
      if (given !== undefined) zeros.addOthers(given)
      return zeros
    })
  }

  /** Whether there is a final state, and a way to compute it here. */
  get canProve(): boolean {
    return this.#options.prove !== undefined && this.final !== undefined
  }

  /** Compares how the guest ended with a run that never moved. */
  prove(): Promise<GuestProof> {
    const digestOf = async (regions: readonly Region[]): Promise<Uint8Array> =>
      (await this.#digestOf(regions)).digest
    return this.#options.prove!(this.final!, digestOf)
  }

  #digestOf(regions: readonly Region[], zeros?: readonly PageBitmap[]): Promise<MemoryDigest> {
    const { clock, pageBytes } = this.#options
    return digestMemory(this.#hasher, regions, pageBytes, () => yieldTo(clock), zeros)
  }
}
