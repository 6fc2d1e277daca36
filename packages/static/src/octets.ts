/**
 * Bytes one after the other: little-endian numbers and LEB128, written and read with bounds.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'

/** Of a 32-bit number in LEB128. */
const leb128BytesMax = 5

/** Grows as it is written to. */
export class OctetWriter {
  #bytes = new Uint8Array(1024)
  #length = 0

  get length(): number {
    return this.#length
  }

  u32(value: number): void {
    this.#reserve(4)
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true)
    this.#length += 4
  }

  /** A number below 2^32 in as few bytes as it takes. */
  leb128(value: number): void {
    this.#reserve(leb128BytesMax)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = 0x80 | (rest & 0x7f)
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  octets(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** A text of at most 255 bytes of UTF-8. */
  text(text: string): void {
    const bytes = new TextEncoder().encode(text)
    if (bytes.length > 255) throw new RangeError(`A text of ${bytes.length} bytes`)
    this.octets(Uint8Array.of(bytes.length))
    this.octets(bytes)
  }

  /** What was written; the end of writing. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** Reads what anybody may have written. Everything it has throws `FILE_UNREADABLE`. */
export class OctetReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #at = 0

  /** @param what - for people: "The static map" */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u32(): number {
    const at = this.#take(4)
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getUint32(at, true)
  }

  /** A number below 2^32; in more bytes than it takes, it is refused. */
  leb128(): number {
    let value = 0
    for (let i = 0; i < leb128BytesMax; i++) {
      const byte = this.#bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte > 0x7f) continue
      if ((byte === 0 && i > 0) || value > 0xffffffff) break
      return value
    }
    throw this.damaged('has a number that is none')
  }

  /** A view of the next bytes. */
  octets(byteCount: number): Uint8Array {
    const at = this.#take(byteCount)
    return this.#bytes.subarray(at, at + byteCount)
  }

  text(bytesMax: number): string {
    const bytes = this.octets(this.octets(1)[0]!)
    if (bytes.length > bytesMax) throw this.damaged(`has a name of ${bytes.length} bytes`)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      throw this.damaged('has a name that is no text')
    }
  }

  /** Nothing may be behind. */
  end(): void {
    if (this.left > 0) throw this.damaged(`has ${this.left} bytes too many`)
  }

  damaged(how: string): GodwitError {
    return new GodwitError('FILE_UNREADABLE', `${this.#what} ${how}`)
  }

  #take(byteCount: number): number {
    if (byteCount > this.left) throw this.damaged('ends too early')
    const at = this.#at
    this.#at += byteCount
    return at
  }
}
