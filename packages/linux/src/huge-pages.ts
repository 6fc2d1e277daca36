/**
 * Memory that is quicker to have: touched for the first time, a huge page costs a fraction of what
 * its 512 small ones do.
 *
 * @module
 */
import type { Region } from '@godwit/core'
import { startOf } from './process-memory.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

/**
 * Asks the kernel to back a region by huge pages, where nothing was stored yet. Not for memory
 * whose pages are tracked: the first store to each would split it.
 *
 * @returns whether it may; it decides page by page
 */
export async function preferHugePages(
  region: Region,
  load: () => Promise<SystemCalls> = loadSystemCalls,
): Promise<boolean> {
  try {
    const calls = await load()
    return calls.tryHugePages(startOf(region, calls), region.bytes.byteLength) === 0
  } catch {
    // No Linux, no koffi, or memory that may move: small pages do as well.
    return false
  }
}
