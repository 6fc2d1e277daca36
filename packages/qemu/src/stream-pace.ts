/**
 * How far QEMU's stream may be ahead of what was sent.
 *
 * QEMU takes the rate at which its socket is read for the link's, and stops the machine when what
 * is left goes within the limit of the pause at that rate. What was read and not sent comes on top
 * of that pause: so it must be little when QEMU is about to stop. Before that, and after, much is
 * better: long rounds have fewer round trips.
 *
 * @module
 */
import { MIB } from '@godwit/core'

/** A round is worth its round trip from here on. */
export const ROUND_BYTES_MIN: number = 4 * MIB

const least: number = 8 * MIB
const most: number = 64 * MIB
/** Of what QEMU still has to send in this pass over memory. */
const share = 1 / 8

/**
 * Bytes of pages that may be read and not taken for a round yet. While a round is sent as many
 * again may come.
 *
 * @param remainingBytes - that QEMU has not sent of this pass
 * @param stands - QEMU has stopped the machine: nothing depends on the rate any more
 */
export function readAheadBytes(remainingBytes: number, stands: boolean): number {
  if (stands) return most
  return Math.min(most, Math.max(least, remainingBytes * share))
}
