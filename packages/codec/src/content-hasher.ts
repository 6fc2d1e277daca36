/**
 * The content hash by which two ends know a page that neither has sent: see `CONTENT_HASH_BYTES`.
 *
 * @module
 */
import { CONTENT_HASH_BYTES, FingerprintTable } from '@godwit/core'
import type { PageHasher } from '@godwit/core'
import type { Sha256 } from './sha256.ts'
import type { Workspace } from './workspace.ts'

/** Words of a content hash: one that finds, then those of SHA-256. */
export const CONTENT_WORDS: number = CONTENT_HASH_BYTES / 4
/** Of the SHA-256 of a page. */
const shaBytes = CONTENT_HASH_BYTES - 4

/** Hashes whole pages that stand one behind the other in the kernels' memory. */
export class ContentHasher {
  /** The content hash of the page that {@link finish} was last called for. */
  readonly words: Uint32Array = new Uint32Array(CONTENT_WORDS)
  readonly bytes: Uint8Array = new Uint8Array(this.words.buffer)
  readonly #pageBytes: number
  readonly #hasher: PageHasher
  readonly #sha256: Sha256
  readonly #quick: FingerprintTable

  /** @param pagesMax - at a time */
  constructor(workspace: Workspace, pageBytes: number, pagesMax: number) {
    this.#pageBytes = pageBytes
    // Not the session's: its fingerprints have another seed every time.
    this.#hasher = workspace.unseededHasher
    this.#sha256 = workspace.sha256
    this.#quick = new FingerprintTable(pagesMax, this.#hasher.entryBytes)
  }

  /** Looks at the pages of `bytes[start, end)`: their quick words are known from here on. */
  look(bytes: Uint8Array, start: number, end: number): void {
    this.#hasher.hashPages(bytes, start, end, this.#pageBytes, this.#quick, 0)
  }

  /** The word that finds, of the `index`th page that was looked at. */
  quickWord(index: number): number {
    return this.#quick.words32[index * 2]!
  }

  /** The rest of that page's content hash. @param page - its bytes */
  finish(index: number, page: Uint8Array): void {
    const sha = this.#sha256(page)
    // Faster than `set` of a view.
    for (let i = 0; i < shaBytes; i++) this.bytes[4 + i] = sha[i]!
    this.words[0] = this.quickWord(index)
  }

  /** Whether that is the content hash at `at` of `words`. */
  equals(words: Uint32Array, at: number): boolean {
    for (let i = 0; i < CONTENT_WORDS; i++) if (words[at + i] !== this.words[i]) return false
    return true
  }
}

/** Of a content hash as those are told it who recognise what they have, and learn nothing else. */
export const KEYED_HASH_BYTES = 16

/**
 * The first 16 bytes of the SHA-256 of a key and a content hash: whoever does not have the page
 * cannot look it up elsewhere.
 */
export class KeyedHasher {
  readonly #sha256: Sha256
  readonly #input: Uint8Array
  readonly #keyBytes: number

  constructor(sha256: Sha256, key: Uint8Array) {
    this.#sha256 = sha256
    this.#keyBytes = key.length
    this.#input = new Uint8Array(key.length + CONTENT_HASH_BYTES)
    this.#input.set(key)
  }

  /** @param contentHash - {@link CONTENT_HASH_BYTES} of them */
  hash(contentHash: Uint8Array, into: Uint8Array, at = 0): void {
    this.#input.set(contentHash, this.#keyBytes)
    const sha = this.#sha256(this.#input)
    for (let i = 0; i < KEYED_HASH_BYTES; i++) into[at + i] = sha[i]!
  }
}
