/**
 * Contents that a destination holds anyway: where they are, and taking pages out of there.
 *
 * What is there may have changed since it was learned, and may change or go while it is read: a
 * page counts only when its private copy has the content hash that both ends know.
 *
 * @module
 */
import type { StaticPlaces } from '@godwit/core'
import { CodecError, NOT_HELD, wordsOf } from '@godwit/core'
import type { ContentHasher } from '@godwit/kernels'
import { CONTENT_WORDS } from '@godwit/kernels'
import type { OpenFile, ReadableFile } from './primitives.ts'
import type { Workspace } from './workspace.ts'

/** Where some entries of a set are. Shared memory and names of files. */
export interface HeldEntries {
  /** Content hashes of all entries of the set, of those that are not held, too. */
  readonly hashes: Uint8Array
  readonly places: StaticPlaces
}

/** A set that was agreed, as the destination knows it. */
export interface HeldSet {
  readonly entryCount: number
  /** Undefined where none of its entries is held. */
  readonly held: HeldEntries | undefined
}

/** All sets that were agreed, in the order of their numbers. */
export interface StaticContents {
  readonly sets: readonly HeldSet[]
}

export interface StaticPagesOptions {
  readonly contents: StaticContents
  readonly workspace: Workspace
  readonly pageBytes: number
  /** Most pages at a time. */
  readonly pagesMax: number
}

/** A set with the numbers of its entries. */
interface Numbered {
  readonly end: number
  readonly base: number
  readonly words: Uint32Array
  readonly places: StaticPlaces
}

/** For one lane. */
export class StaticPages {
  readonly #options: StaticPagesOptions
  readonly #sets: readonly Numbered[]
  readonly #openFile: OpenFile | undefined
  readonly #hasher: ContentHasher
  readonly #views: PageViews
  /** By name; undefined where one cannot be read. */
  readonly #files = new Map<string, ReadableFile | undefined>()
  /** What was asked for: sets and entries in them. */
  readonly #askedSets: Uint16Array
  readonly #askedEntries: Uint32Array
  #count = 0

  constructor(options: StaticPagesOptions) {
    const { contents, workspace, pageBytes, pagesMax } = options
    this.#options = options
    this.#openFile = workspace.openFile
    this.#hasher = workspace.createContentHasher(pageBytes, pagesMax)
    this.#views = new PageViews(pageBytes)
    this.#askedSets = new Uint16Array(pagesMax)
    this.#askedEntries = new Uint32Array(pagesMax)
    let end = 0
    this.#sets = contents.sets.flatMap(({ entryCount, held }) => {
      const base = end
      end += entryCount
      return held === undefined
        ? []
        : { base, end, words: wordsOf(held.hashes), places: held.places }
    })
  }

  /** Closes files; they are opened anew when they are needed. */
  close(): void {
    for (const file of this.#files.values()) file?.close()
    this.#files.clear()
  }

  /** Begins a run. */
  begin(): void {
    this.#count = 0
  }

  /**
   * One more page of the run, of `pagesMax` at most.
   *
   * @throws {CodecError} `CODEC_PAGE_RANGE`: there is no such entry, or none that is held
   */
  ask(entry: number): void {
    let index = 0
    while (index < this.#sets.length && this.#sets[index]!.end <= entry) index++
    const set = this.#sets[index]
    const inSet = entry - (set?.base ?? 0)
    const origin = inSet < 0 ? NOT_HELD : (set?.places.origin[inSet] ?? NOT_HELD)
    if (origin === NOT_HELD) {
      throw new CodecError('CODEC_PAGE_RANGE', `Content ${entry} is named, which is not held here`)
    }
    this.#askedSets[this.#count] = index
    this.#askedEntries[this.#count++] = inSet
  }

  /**
   * Copies what was asked for to `into`, which is the kernels' memory, from `at` on.
   *
   * @returns whether all of it is there and is what it is to be; else what is written is undefined
   */
  take(into: Uint8Array, at: number): boolean {
    return this.#copyAll(into, at) && this.#areRight(into, at)
  }

  #copyAll(into: Uint8Array, start: number): boolean {
    const { pageBytes } = this.#options
    for (let first = 0; first < this.#count; ) {
      const { places } = this.#sets[this.#askedSets[first]!]!
      const entry = this.#askedEntries[first]!
      const origin = places.origin[entry]!
      const page = places.page[entry]!
      let end = first + 1
      while (end < this.#count && this.#follows(end, origin, page + end - first)) end++
      const from = page * pageBytes
      const byteCount = (end - first) * pageBytes
      const place = places.origins[origin]!
      if (!this.#copy(place, from, into, start + first * pageBytes, byteCount)) return false
      first = end
    }
    return true
  }

  /** Whether the page that was asked for `index`th is that one, of the set of the one before. */
  #follows(index: number, origin: number, page: number): boolean {
    if (this.#askedSets[index] !== this.#askedSets[index - 1]) return false
    const { places } = this.#sets[this.#askedSets[index]!]!
    const entry = this.#askedEntries[index]!
    return places.origin[entry] === origin && places.page[entry] === page
  }

  #copy(
    origin: Uint8Array | string,
    from: number,
    into: Uint8Array,
    at: number,
    byteCount: number,
  ): boolean {
    if (typeof origin === 'string') return this.#read(origin, from, into, at, byteCount)
    if (from + byteCount > origin.length) return false
    this.#options.workspace.copy(into, at, origin, from, from + byteCount)
    return true
  }

  /** Files go and shrink: what cannot be read is not there. */
  #read(path: string, from: number, into: Uint8Array, at: number, byteCount: number): boolean {
    try {
      if (!this.#files.has(path)) {
        // Once only where it fails.
        this.#files.set(path, undefined)
        this.#files.set(path, this.#openFile?.(path))
      }
      const file = this.#files.get(path)
      let done = 0
      while (file !== undefined && done < byteCount) {
        const read = file.read(into, at + done, byteCount - done, from + done)
        if (read === 0) return false
        done += read
      }
      return done === byteCount
    } catch {
      return false
    }
  }

  /** Whether the copies have the hashes of their entries. */
  #areRight(into: Uint8Array, start: number): boolean {
    const { pageBytes } = this.#options
    const hasher = this.#hasher
    hasher.look(into.byteOffset + start, this.#count * pageBytes)
    for (let i = 0; i < this.#count; i++) {
      const { words } = this.#sets[this.#askedSets[i]!]!
      const word = this.#askedEntries[i]! * CONTENT_WORDS
      if (words[word] !== hasher.quickWord(i)) return false
    }
    for (let i = 0; i < this.#count; i++) {
      const { words } = this.#sets[this.#askedSets[i]!]!
      hasher.finish(i, this.#views.at(into, start + i * pageBytes))
      if (!hasher.equals(words, this.#askedEntries[i]! * CONTENT_WORDS)) return false
    }
    return true
  }
}

/** Views of pages of a buffer, made once for each: nearly all begin at a multiple of their size. */
class PageViews {
  readonly #pageBytes: number
  #of: Uint8Array | undefined
  #views: Uint8Array[] = []

  constructor(pageBytes: number) {
    this.#pageBytes = pageBytes
  }

  at(bytes: Uint8Array, start: number): Uint8Array {
    const end = start + this.#pageBytes
    if (start % this.#pageBytes !== 0) return bytes.subarray(start, end)
    if (this.#of !== bytes) this.#views = []
    this.#of = bytes
    return (this.#views[start / this.#pageBytes] ??= bytes.subarray(start, end))
  }
}
