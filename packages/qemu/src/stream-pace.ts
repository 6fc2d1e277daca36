/**
 * How far QEMU's stream may be ahead of what was sent.
 *
 * QEMU takes the rate at which its socket is read for the link's, and stops the machine when what
 * is left goes within the limit of the pause at that rate. What was read and not sent comes on top
 * of that pause, and where it is read in a burst, after a look at its log of stores, the link seems
 * the faster. So it must be little when QEMU may be about to stop. Before that, and after, more is
 * better; so much that its pages are still in the processor's caches when they are sent.
 *
 * @module
 */
import { MIB } from '@godwit/core'
import { STREAM_PAGE_BYTES } from './stream-format.ts'

/** Bytes of pages that are worth a round: more follow while it goes on. */
export const ROUND_BYTES: number = MIB / 2
/** Bytes of pages that are worth a word to those who send them. */
export const PAGES_BYTES: number = MIB / 4
const least: number = MIB / 2
const most: number = 16 * MIB
/** QEMU may stop when less than this is left of a pass over memory, about. */
const nearEndBytes: number = 128 * MIB
/** Of what is left beyond that. */
const share = 1 / 2
const littleBytes: number = 8 * MIB

/**
 * Bytes of pages that may be read and not taken for a round yet, and of those that may wait for a
 * lane.
 *
 * @param remainingBytes - that QEMU has not sent of this pass
 * @param stands - QEMU has stopped the machine: nothing depends on the rate any more
 */
export function readAheadBytes(remainingBytes: number, stands: boolean): number {
  if (stands) return most
  return Math.min(most, Math.max(least, (remainingBytes - nearEndBytes) * share))
}

/** Whether it is not worth a round of its own, once the machine stands. */
export function isLittle(remainingBytes: number): boolean {
  return remainingBytes < littleBytes
}

/**
 * What QEMU has left of a pass. What came since it last said so is not left any more: pages count,
 * not bytes of the stream. Those of zero bytes are little of that, and QEMU counts them as left.
 */
export class PassLeft {
  #remainingBytes = 0
  #pages = 0

  /**
   * Notes what QEMU says.
   *
   * @param pages - records of pages that had come when it was asked
   */
  say(remainingBytes: number, pages: number): void {
    this.#remainingBytes = remainingBytes
    this.#pages = pages
  }

  /** @param pages - that have come by now */
  leftBytes(pages: number): number {
    return Math.max(0, this.#remainingBytes - (pages - this.#pages) * STREAM_PAGE_BYTES)
  }
}
