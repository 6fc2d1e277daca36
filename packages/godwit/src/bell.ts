/**
 * Wakes a thread that waits for an `eventfd`.
 *
 * @module
 */
import { writeSync } from 'node:fs'

const one = new Uint8Array(BigUint64Array.of(1n).buffer)

/** From any thread of the process that has the descriptor. */
export function ringBell(descriptor: number): void {
  writeSync(descriptor, one)
}
