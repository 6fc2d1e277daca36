/**
 * Bytes of one client that came and were not taken.
 *
 * @module
 */

/** A run of bytes that grows at its end and is taken from its start. */
export class PendingBytes {
  /** Those that are pending are `bytes[start, end)`. */
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  /** Nothing can be done with fewer; room is made for as many. */
  needBytes = 1

  get length(): number {
    return this.end - this.start
  }

  /** Adds a chunk, which is this buffer's from here on. */
  add(chunk: Uint8Array): void {
    const pending = this.length
    if (pending === 0) {
      this.bytes = chunk
      this.start = 0
      this.end = chunk.length
      return
    }
    const needed = pending + chunk.length
    // The bytes may be a chunk of the socket's own: then its length is its end.
    if (this.end + chunk.length > this.bytes.length) {
      const room = new Uint8Array(Math.max(needed, this.needBytes + 65_536, 2 * pending))
      room.set(this.bytes.subarray(this.start, this.end))
      this.bytes = room
      this.start = 0
      this.end = pending
    }
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Drops all that is pending. */
  clear(): void {
    this.bytes = new Uint8Array(0)
    this.start = 0
    this.end = 0
  }
}
