/**
 * The pages that a batch with records gives content to, made apart before any is installed: one
 * behind the other, with fingerprints, and what those must be.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { CodecError, FingerprintTable } from '@godwit/core'
import { BATCH_PAYLOAD_BYTES_MAX, u64FromBytes } from '@godwit/wire'
import { refused } from './batch-run.ts'
import { hashPagesTwice } from './hash-twice.ts'
import type { Workspace } from './workspace.ts'

export interface StagedPagesOptions {
  readonly pageBytes: number
  readonly regionCount: number
  /** With room for all pages that a batch can give content to, and one more. */
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly verifyHasher: PageHasher | undefined
  /** Most pages with content in a batch. */
  readonly pagesMax: number
}

/** Of one batch at a time, for one lane. */
export class StagedPages {
  /** Pages as they are to be, in the kernels' memory; taken when it is needed. */
  bytes: Uint8Array = new Uint8Array(0)
  /** Where the next page is staged. */
  end = 0
  readonly verifyFingerprints: FingerprintTable | undefined
  readonly #options: StagedPagesOptions
  readonly #fingerprints: FingerprintTable
  /** Per page: the check it must have, and whether there is one. */
  readonly #checks: Uint32Array
  readonly #isChecked: Uint8Array
  #pages = 0
  #hashedPages = 0
  #hashedEnd = 0

  constructor(options: StagedPagesOptions) {
    const { hasher, verifyHasher, pagesMax } = options
    this.#options = options
    this.#fingerprints = new FingerprintTable(pagesMax, hasher.entryBytes)
    this.verifyFingerprints =
      verifyHasher && new FingerprintTable(pagesMax, verifyHasher.entryBytes)
    this.#checks = new Uint32Array(pagesMax)
    this.#isChecked = new Uint8Array(pagesMax)
  }

  begin(): void {
    if (this.bytes.length === 0) {
      const { workspace, pageBytes, regionCount } = this.#options
      this.bytes = workspace.allocate(BATCH_PAYLOAD_BYTES_MAX + (regionCount + 1) * pageBytes)
    }
    this.#pages = 0
    this.end = 0
    this.#hashedPages = 0
    this.#hashedEnd = 0
    this.#isChecked.fill(0)
  }

  /**
   * Where the next page is to be put; behind it there is room for one more.
   *
   * @throws {CodecError} `CODEC_BATCH`: there are too many
   */
  room(length: number): number {
    const isFull = this.#pages >= this.#checks.length
    const end = this.end + length + this.#options.pageBytes
    if (isFull || end > this.bytes.length) throw refused('names the same pages again and again')
    return this.end
  }

  /** The first word that the fingerprint of the next page must have. */
  expect(check: number): void {
    this.#checks[this.#pages] = check
    this.#isChecked[this.#pages] = 1
  }

  /** The next page stands there. */
  add(length: number): void {
    this.#pages++
    this.end += length
    // Behind a short page the borders of pages are elsewhere.
    if (length < this.#options.pageBytes) this.#hash()
  }

  /** All pages stand there. */
  finish(): void {
    this.#hash()
  }

  #hash(): void {
    const { hasher, verifyHasher, pageBytes } = this.#options
    const { bytes, end } = this
    const start = this.#hashedEnd
    const entry = this.#hashedPages
    this.#hashedEnd = end
    this.#hashedPages = this.#pages
    if (start === end) return
    const into = this.#fingerprints
    if (verifyHasher === undefined) {
      hasher.hashPages(bytes, start, end, pageBytes, into, entry)
      return
    }
    const other = { hasher: verifyHasher, into: this.verifyFingerprints! }
    hashPagesTwice(bytes, start, end, pageBytes, entry, { hasher, into }, other)
  }

  get checksMatch(): boolean {
    const words = this.#fingerprints.entryBytes >>> 2
    for (let page = 0; page < this.#pages; page++) {
      const isRight = this.#fingerprints.words32[page * words] === this.#checks[page]
      if (this.#isChecked[page] === 1 && !isRight) return false
    }
    return true
  }

  /** @throws {CodecError} `CODEC_DIGEST` */
  checkDigest(expected: bigint): void {
    const used = this.#pages * this.#fingerprints.entryBytes
    const bytes = this.#fingerprints.bytes.subarray(0, used)
    const digest = used === 0 ? 0n : u64FromBytes(this.#options.hasher.digest(bytes))
    if (digest === expected) return
    throw new CodecError('CODEC_DIGEST', 'The pages of a batch are not those that were sent')
  }
}
