/**
 * Memory that is quicker to have: touched for the first time, a huge page costs a fraction of what
 * its 512 small ones do, and what is there before it is needed costs nothing then.
 *
 * @module
 */
import { MIB, type Region } from '@godwit/core'
import { startOf } from './process-memory.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

/** A process that is to end waits for one. */
const pieceBytesMax = 64 * MIB

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

/**
 * Has the kernel give a region all of its pages, on another thread and one piece after the other:
 * whoever stores to it first does not wait for them. Its content stays.
 *
 * @param signal - ends it with the piece that it is at
 * @returns whether all are there; without Linux 5.14 and koffi they come as they are needed
 */
export async function populate(
  { id, name, bytes }: Region,
  signal: AbortSignal,
  load: () => Promise<SystemCalls> = loadSystemCalls,
): Promise<boolean> {
  try {
    const calls = await load()
    const start = startOf({ id, name, bytes }, calls)
    let at = 0
    // The memory is held as long as somebody asks for its length.
    while (at < bytes.byteLength && !signal.aborted) {
      const pieceBytes = Math.min(pieceBytesMax, bytes.byteLength - at)
      if (!(await calls.populate(start + at, pieceBytes))) return false
      at += pieceBytes
    }
    return at === bytes.byteLength
  } catch {
    return false
  }
}
