/**
 * How much may be on its way to a guest that runs already, beside the pages that it waits for:
 * those stand behind it on the same link. Little after a fault, more and more while none comes;
 * after CRIU's lazy pages, whose transfers grow from 64 KiB to 4 MiB and begin again at a fault.
 *
 * Pure: what happened is told.
 *
 * @module
 */
import { KIB, MIB } from '@godwit/core'

const leastBytes = 256 * KIB
const mostBytes = 4 * MIB
/** Of a window, one chunk. */
const chunksPerWindow = 4

/** Of one data channel. */
export class PushWindow {
  #bytes = leastBytes
  #faults = 0
  /** When so much is installed, a whole window was, since it changed. */
  #growAtBytes = leastBytes

  /** Most bytes that may be on their way. */
  get bytes(): number {
    return this.#bytes
  }

  /** Most bytes of pages to encode at a time. */
  get chunkBytes(): number {
    return this.#bytes / chunksPerWindow
  }

  /**
   * @param faults - how many pages the guest has waited for so far
   * @param installedBytes - of this channel so far
   */
  update(faults: number, installedBytes: number): void {
    if (faults !== this.#faults) {
      this.#faults = faults
      this.#bytes = leastBytes
      this.#growAtBytes = installedBytes + leastBytes
      return
    }
    if (installedBytes < this.#growAtBytes) return
    this.#bytes = Math.min(mostBytes, this.#bytes * 2)
    this.#growAtBytes = installedBytes + this.#bytes
  }
}
