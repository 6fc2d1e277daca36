/**
 * How far QEMU's stream may be ahead of what was sent, and when the machine may stop.
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
export const ROUND_BYTES_MIN: number = 4 * MIB

const least: number = 8 * MIB
const most: number = 256 * MIB
/** QEMU may stop when less than this is left of a pass over memory, about. */
const nearEndBytes: number = 128 * MIB
/** Of what is left before that. */
const share = 1 / 2

/**
 * Bytes of pages that may be read and not taken for a round yet. While a round is sent as many
 * again may come.
 *
 * @param remainingBytes - that QEMU has not sent of this pass
 * @param stands - QEMU has stopped the machine: nothing depends on the rate any more
 */
export function readAheadBytes(remainingBytes: number, stands: boolean): number {
  if (stands) return most
  return Math.min(most, Math.max(least, (remainingBytes - nearEndBytes) * share))
}

/**
 * QEMU's rule for the pause: what is left goes within the limit at the rate it went so far. QEMU
 * itself applies it to what it believes to be left, and looks for more only then.
 *
 * @param leftBytes - at the beginning of a pass: everything that was stored to in the last
 */
export function goesWithin(leftBytes: number, bytesPerMs: number, limitMs: number): boolean {
  return leftBytes <= bytesPerMs * limitMs
}
