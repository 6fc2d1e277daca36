/**
 * Memory that kernels work in, handed out piece by piece.
 *
 * @module
 */
import { LimitError } from '@godwit/core'
import { KEY_BYTES, writeKey } from './xxh3-key.ts'

/** Nothing is handed out at offset 0, which kernels take for "none". */
const firstOffset = 64

/** Hands out `[start, end)` of some memory; nothing is given back. */
export class Arena {
  /** The whole memory, the part before `start` included. */
  readonly bytes: Uint8Array
  /** The same memory, for words of any alignment. */
  readonly view: DataView
  readonly #end: number
  #next: number

  constructor(buffer: ArrayBufferLike, start = 0, end: number = buffer.byteLength) {
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.#next = Math.max(start, firstOffset)
    this.#end = Math.min(end, buffer.byteLength)
  }

  get freeBytes(): number {
    return Math.max(0, this.#end - this.#next)
  }

  /**
   * Reserves `byteCount` bytes for as long as the memory lives; they hold whatever was there.
   *
   * @param align - a power of two
   * @returns the offset of the first byte
   * @throws {LimitError} `NO_ROOM`
   */
  allocate(byteCount: number, align = 16): number {
    const at = Math.ceil(this.#next / align) * align
    if (!(byteCount >= 0) || at + byteCount > this.#end) {
      throw new LimitError('NO_ROOM', `The kernels' memory has no ${byteCount} bytes left`, {
        limit: 'memoryBytes',
        value: byteCount,
        maximum: this.freeBytes,
      })
    }
    this.#next = at + byteCount
    return at
  }

  /** Reserves and writes the key block of `seed`; see `xxh3-key.ts`. */
  createKey(seed: bigint): number {
    const at = this.allocate(KEY_BYTES)
    writeKey(this.view, at, seed)
    return at
  }

  /** Our own mistakes only: a peer's numbers are checked before they become offsets. */
  checkRange(at: number, byteCount: number): void {
    if (!(at >= 0 && byteCount >= 0 && at + byteCount <= this.bytes.length)) {
      throw new RangeError(`[${at}, +${byteCount}) is not in ${this.bytes.length} bytes`)
    }
  }
}
