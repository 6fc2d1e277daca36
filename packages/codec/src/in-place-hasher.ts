/**
 * Hashing of guest pages where they are: the kernels' memory is the guest's own.
 *
 * @module
 */
import type { HashName, PageHasher, Region } from '@godwit/core'
import { COMPARE_THREADS_MAX, COMPARE_THREAD_BYTES } from '@godwit/core'
import { Xxh3Hasher, createKernelsOver } from '@godwit/kernels'
import type { Primitives } from './primitives.ts'

const wasmPageBytes = 65536

export interface InPlaceHasherOptions {
  readonly primitives: Primitives
  readonly region: Region
  readonly hash: HashName
  /** 8 little-endian bytes. */
  readonly seed: Uint8Array
  /** Which of the threads that compare pages of this region, from 0; each has room of its own. */
  readonly thread: number
}

/** @returns undefined where that cannot be: pages must be copied first */
export function createInPlaceHasher(options: InPlaceHasherOptions): PageHasher | undefined {
  const { primitives, region, hash, seed, thread } = options
  const { memory, bytes } = region
  const { kernelsSharedWasm: wasm } = primitives
  if (memory === undefined || wasm === undefined || hash !== 'xxh3') return undefined
  if (thread >= COMPARE_THREADS_MAX || bytes.byteOffset !== 0) return undefined
  const room = Math.ceil(bytes.byteLength / wasmPageBytes) * wasmPageBytes
  const scratchStart = room + thread * COMPARE_THREAD_BYTES
  const scratchEnd = scratchStart + COMPARE_THREAD_BYTES
  if (scratchEnd > memory.buffer.byteLength) return undefined
  const kernels = createKernelsOver({ wasm, memory, scratchStart, scratchEnd })
  const value = new DataView(seed.buffer, seed.byteOffset, 8).getBigUint64(0, true)
  return new Xxh3Hasher(kernels, value)
}

/**
 * Where zero pages of whole length end that begin at `page`; `page` where that one is none.
 *
 * @param hasher - of the region whose memory is `bytes`
 * @returns undefined where it does not hash in place
 */
export function zeroPagesEnd(
  hasher: PageHasher,
  bytes: Uint8Array,
  pageBytes: number,
  page: number,
  end: number,
): number | undefined {
  if (!(hasher instanceof Xxh3Hasher) || !hasher.isOver(bytes)) return undefined
  const pageCount = Math.min(end, Math.floor(bytes.length / pageBytes)) - page
  if (pageCount <= 0) return page
  return page + hasher.zeroRun(bytes, page * pageBytes, pageBytes, pageCount)
}
