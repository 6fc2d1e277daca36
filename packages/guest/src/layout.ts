/**
 * Where things are in a workload's memory: its regions, its working set, each thread's share.
 *
 * Workloads work on pages of 4096 bytes whatever the migration's page size. Pages are counted from
 * the start of their region. The working set is the last whole pages of the *last* region, so that
 * a store needs no search for its region; a short last page belongs to no working set.
 *
 * @module
 */
import type { RegionShape } from '@godwit/core'
import { REGION_BYTES_MAX } from '@godwit/memory'

export const WORK_PAGE_BYTES = 4096
const regionStepBytes = 65536

/** A run of whole pages of the last region. */
export interface WorkPages {
  readonly firstPage: number
  readonly pageCount: number
}

/**
 * Cuts memory into regions of about the same size: `ram`, or `ram0`, `ram1`, ...
 *
 * @param regionBytesMax - for tests that want several small ones
 */
export function splitMemory(
  memoryBytes: number,
  regionBytesMax: number = REGION_BYTES_MAX,
): RegionShape[] {
  const count = Math.ceil(memoryBytes / regionBytesMax)
  const even = Math.ceil(memoryBytes / count / regionStepBytes) * regionStepBytes
  const step = Math.min(even, regionBytesMax)
  const shapes: RegionShape[] = []
  for (let at = 0; at < memoryBytes; at += step) {
    const id = shapes.length
    const name = count === 1 ? 'ram' : `ram${id}`
    shapes.push({ id, name, byteLength: Math.min(step, memoryBytes - at) })
  }
  return shapes
}

/** Bytes of all regions. */
export function memoryBytesOf(regions: readonly { readonly byteLength: number }[]): number {
  return regions.reduce((sum, region) => sum + region.byteLength, 0)
}

/** Most bytes a working set can have: the whole pages of the last region. */
export function workingSetBytesMax(regionBytes: readonly number[]): number {
  const last = regionBytes.at(-1) ?? 0
  return last - (last % WORK_PAGE_BYTES)
}

/** The pages of a working set of `wssBytes` (at most {@link workingSetBytesMax}). */
export function workingSetOf(wssBytes: number, regionBytes: readonly number[]): WorkPages {
  const pageCount = Math.floor(wssBytes / WORK_PAGE_BYTES)
  const wholePages = workingSetBytesMax(regionBytes) / WORK_PAGE_BYTES
  return { firstPage: wholePages - pageCount, pageCount }
}

/** One thread's part of a working set: contiguous, disjoint from the others'. */
export function shareOf(pages: WorkPages, thread: number, threadCount: number): WorkPages {
  const from = Math.floor((pages.pageCount * thread) / threadCount)
  const to = Math.floor((pages.pageCount * (thread + 1)) / threadCount)
  return { firstPage: pages.firstPage + from, pageCount: to - from }
}
