/**
 * The work that threads share when they look through whole memories: of guests that run in this
 * process, or in files. It imports next to nothing, since every thread loads it.
 *
 * @module
 */
import { readFileSync, readSync, writeSync } from 'node:fs'
import type { Span } from '@godwit/core'
import { bytesOf } from '@godwit/core'
import { KERNELS_WASM_URL, createKernels } from '@godwit/kernels'
import type { PageHashes, SiblingIndex } from '@godwit/static'
import { StagedHasher, PageKind, STAGED_BYTES, SiblingSearch, hasherBytes } from '@godwit/static'
import { nativeCopy, nativeWriteSha } from './native-bytes.ts'

/** Pages in order: the memory of a region, or the start of a file. */
export interface ScanPiece {
  /** Shared memory, or the number of an open file. */
  readonly from: Span | number
  readonly byteLength: number
  /** Of its first page, over all pieces. */
  readonly firstPage: number
}

/** What is done with pages. All memory in it is shared. */
export type ScanWork =
  /** Counts those that are not zero. */
  | { readonly kind: 'count'; readonly count: Int32Array }
  | { readonly kind: 'hash'; readonly into: PageHashes }
  /** Hashes them and writes those that are not zero to a file, at their page ids. */
  | { readonly kind: 'store'; readonly into: PageHashes; readonly file: number }
  | { readonly kind: 'search'; readonly index: SiblingIndex; readonly found: Uint32Array }

export interface ScanJob {
  readonly pieces: readonly ScanPiece[]
  readonly pageBytes: number
  readonly work: ScanWork
  /** One word that all share: the first chunk, over all pieces, that nobody has taken yet. */
  readonly next: Int32Array
}

/** A chunk that no memory reaches, and far from where the word overflows. */
const noChunk = 2 ** 30

/** From now on there is no chunk left. */
export function stopScan({ next }: ScanJob): void {
  Atomics.store(next, 0, noChunk)
}

/** Hashers of a thread, one per size of pages. */
const hashers = new Map<number, StagedHasher>()

function hasherOf(pageBytes: number): StagedHasher {
  let hasher = hashers.get(pageBytes)
  if (hasher === undefined) {
    const wasm = readFileSync(KERNELS_WASM_URL)
    const kernels = createKernels({ wasm, memoryBytes: hasherBytes })
    hasher = new StagedHasher(kernels, nativeWriteSha, pageBytes)
    hashers.set(pageBytes, hasher)
  }
  return hasher
}

/**
 * Takes one chunk after the other, until there is none left.
 *
 * @throws {Error} a file is shorter than it was, or cannot be read or written
 */
export function* scanChunks({ pieces, pageBytes, work, next }: ScanJob): Generator<void> {
  const hasher = hasherOf(pageBytes)
  const todo = workOn(work, hasher)
  const take = (): number => Atomics.add(next, 0, 1)
  let first = 0
  let mine = take()
  for (const { from, byteLength, firstPage } of pieces) {
    const end = first + Math.ceil(byteLength / STAGED_BYTES)
    for (; mine < end; mine = take()) {
      const at = (mine - first) * STAGED_BYTES
      const byteCount = Math.min(STAGED_BYTES, byteLength - at)
      const page = firstPage + at / pageBytes
      if (!todo.wants(page, Math.ceil(byteCount / pageBytes))) continue
      if (typeof from === 'number') readWhole(from, hasher.staging, byteCount, at)
      else nativeCopy(hasher.staging, 0, bytesOf(from), at, at + byteCount)
      todo.run(byteCount, page)
      yield
    }
    first = end
  }
}

interface Todo {
  /** Whether these pages have to be staged. */
  wants(firstPage: number, pageCount: number): boolean
  /** Does it with the first `byteCount` bytes that are staged. */
  run(byteCount: number, firstPage: number): void
}

function workOn(work: ScanWork, hasher: StagedHasher): Todo {
  const wants = (): boolean => true
  switch (work.kind) {
    case 'count':
      return { wants, run: (byteCount) => count(hasher, byteCount, work.count) }
    case 'hash':
      return {
        wants,
        run: (byteCount, firstPage) => hasher.hashStaged(byteCount, work.into, firstPage),
      }
    case 'store':
      return {
        wants,
        run(byteCount, firstPage) {
          hasher.hashStaged(byteCount, work.into, firstPage)
          writeRuns(hasher, byteCount, work.file, firstPage)
        },
      }
    case 'search': {
      const search = new SiblingSearch(work.index, hasher, work.found)
      return {
        wants: (firstPage, pageCount) => search.wants(firstPage, pageCount),
        run: (byteCount, firstPage) => search.search(byteCount, firstPage),
      }
    }
  }
}

function count(hasher: StagedHasher, byteCount: number, into: Int32Array): void {
  const pageCount = hasher.look(byteCount)
  let sum = 0
  for (let page = 0; page < pageCount; page++) if (hasher.kindOf(page) !== PageKind.zero) sum++
  Atomics.add(into, 0, sum)
}

/** Runs of pages that were looked at and are not zero. */
function writeRuns(hasher: StagedHasher, byteCount: number, file: number, firstPage: number): void {
  const { pageBytes, staging } = hasher
  const pageCount = Math.ceil(byteCount / pageBytes)
  const isZero = (page: number): boolean => hasher.kindOf(page) === PageKind.zero
  for (let page = 0; page < pageCount; page++) {
    if (isZero(page)) continue
    const start = page
    while (page < pageCount && !isZero(page)) page++
    const end = Math.min(byteCount, page * pageBytes)
    writeWhole(file, staging.subarray(start * pageBytes, end), (firstPage + start) * pageBytes)
  }
}

function readWhole(file: number, into: Uint8Array, byteCount: number, position: number): void {
  for (let at = 0; at < byteCount; ) {
    const read = readSync(file, into, at, byteCount - at, position + at)
    if (read === 0) throw new Error('the file became shorter meanwhile')
    at += read
  }
}

function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(file, bytes, at, bytes.length - at, position + at)
  }
}
