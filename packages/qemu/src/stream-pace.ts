/**
 * How far QEMU's stream may be ahead of what was sent.
 *
 * QEMU takes the rate at which its socket is read for the link's, and stops the machine when what
 * is left goes within the limit of the pause at that rate. What was read and not sent comes on top
 * of that pause: so it must be little when QEMU is about to stop. Before that, and after, much is
 * better: between two long rounds nobody has anything to do less often.
 *
 * @module
 */
import { MIB } from '@godwit/core'

/** A round is worth its round trip from here on. */
const roundBytesMin: number = 4 * MIB
const least: number = 2 * MIB
const most: number = 256 * MIB
/** QEMU may stop when less than this is left of a pass over memory, about. */
const nearEndBytes: number = 128 * MIB
/** Of what is left beyond that. */
const share = 1 / 2
/** Of what is left near the end, as far as it goes. */
const nearEndShare = 1 / 8
const nearEndMost: number = 8 * MIB

/**
 * Bytes of pages that may be read and not taken for a round yet. While a round is sent as many
 * again may come.
 *
 * @param remainingBytes - that QEMU has not sent of this pass
 * @param stands - QEMU has stopped the machine: nothing depends on the rate any more
 */
export function readAheadBytes(remainingBytes: number, stands: boolean): number {
  if (stands) return most
  const nearEnd = Math.min(nearEndMost, remainingBytes * nearEndShare)
  return Math.min(most, Math.max(least, nearEnd, (remainingBytes - nearEndBytes) * share))
}

/** Bytes of pages from which on a round begins, where so many may be read ahead. */
export function roundBytes(aheadMost: number): number {
  return Math.min(roundBytesMin, aheadMost / 2)
}
