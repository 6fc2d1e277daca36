/**
 * Small guests of numbered pages, the same as `test/vectors/static-map.py` has.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KERNELS_WASM_URL, SHA_BYTES, createKernels } from '@godwit/kernels'
import type { LearningLimits, LearningOptions, PageHashes } from '../src/index.ts'
import { Learning, StagedHasher, allocatePageHashes, hasherBytes } from '../src/index.ts'

export const PAGE_BYTES = 4096

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

export function writeSha(page: Uint8Array, into: Uint8Array, at: number): void {
  into.set(sha256(page).subarray(0, SHA_BYTES), at)
}

const wasm = readFileSync(KERNELS_WASM_URL)

export function createHasher(pageBytes: number = PAGE_BYTES): StagedHasher {
  return new StagedHasher(createKernels({ wasm, memoryBytes: hasherBytes }), writeSha, pageBytes)
}

const hasher = createHasher()

/** Page 0 is zeros, the others repeat the hash of their number. */
export function pageOf(number: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES)
  if (number === 0) return page
  const word = sha256(Uint8Array.of(number, number >>> 8, number >>> 16, number >>> 24))
  for (let at = 0; at < PAGE_BYTES; at += word.length) page.set(word, at)
  return page
}

export function memoryOf(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * PAGE_BYTES)
  numbers.forEach((number, page) => bytes.set(pageOf(number), page * PAGE_BYTES))
  return bytes
}

/** Pairs: the number of a page, how often in a row. */
export function repeated(runs: readonly (readonly [number, number])[]): number[] {
  return runs.flatMap(([number, times]) => Array<number>(times).fill(number))
}

export function sampleOf(numbers: readonly number[]): PageHashes {
  const into = allocatePageHashes(numbers.length, PAGE_BYTES)
  const bytes = memoryOf(numbers)
  hasher.hashPages(bytes, 0, bytes.length, into, 0)
  return into
}

export function learn(
  options: Omit<LearningOptions, 'pageBytes'>,
  guests: readonly (readonly number[])[],
  limits?: LearningLimits,
): Learning {
  const learning = Learning.begin({ ...options, pageBytes: PAGE_BYTES }, limits)
  for (const numbers of guests) learning.add(sampleOf(numbers))
  return learning
}
