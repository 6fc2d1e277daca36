/**
 * What others make of a link: what its interface has sent, less what this migration has. Pure:
 * times and counts are parameters.
 *
 * @module
 */

/** Counts over less time say little: senders come in bursts. */
const windowMs = 100

/** Of one migration. */
export class OtherTraffic {
  #ms: number
  #interfaceBytes: number
  #ownBytes: number
  #rate = 0

  /** @param interfaceBytes - everything that the interface has sent so far, of everybody */
  constructor(nowMs: number, interfaceBytes: number, ownBytes = 0) {
    this.#ms = nowMs
    this.#interfaceBytes = interfaceBytes
    this.#ownBytes = ownBytes
  }

  /**
   * Bytes per second since the measurement before, or that one where it was a moment ago.
   *
   * @param ownBytes - what this migration has sent by then, and the interface, too
   */
  measure(nowMs: number, interfaceBytes: number, ownBytes: number): number {
    const ms = nowMs - this.#ms
    if (ms < windowMs) return this.#rate
    const bytes = interfaceBytes - this.#interfaceBytes - (ownBytes - this.#ownBytes)
    this.#rate = (Math.max(0, bytes) / ms) * 1e3
    this.#ms = nowMs
    this.#interfaceBytes = interfaceBytes
    this.#ownBytes = ownBytes
    return this.#rate
  }
}
