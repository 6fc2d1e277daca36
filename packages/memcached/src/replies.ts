/**
 * Replies that are still to be written to a connection.
 *
 * @module
 */
import { digitsOf, putInteger } from './ascii.ts'

const bytesAtFirst = 65_536
/** Copying so few bytes one by one is cheaper than making a view of them. */
const smallBytes = 64

/** Bytes in a row; its memory is used again. */
export class Replies {
  #bytes = new Uint8Array(bytesAtFirst)
  length = 0

  #reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.length))
    this.#bytes = grown
  }

  /** Adds `source[from, from + count)`, which may be guest memory. */
  add(source: Uint8Array, from = 0, count: number = source.length): void {
    this.#reserve(count)
    const into = this.#bytes
    const at = this.length
    if (count > smallBytes) into.set(source.subarray(from, from + count), at)
    else for (let i = 0; i < count; i++) into[at + i] = source[from + i]!
    this.length = at + count
  }

  /** Adds a whole number from 0 to 2^53 as text. */
  addInteger(value: number): void {
    this.#reserve(digitsOf(value))
    this.length = putInteger(this.#bytes, this.length, value)
  }

  /** Adds a whole number from 0 to 2^53 as `count` bytes, the highest first. */
  addBinary(value: number, count: number): void {
    this.#reserve(count)
    let rest = value
    for (let i = this.length + count - 1; i >= this.length; i--) {
      this.#bytes[i] = rest % 256
      rest = Math.floor(rest / 256)
    }
    this.length += count
  }

  /** For what is not asked for often. */
  addText(text: string): void {
    for (let i = 0; i < text.length; i++) {
      this.#reserve(1)
      this.#bytes[this.length++] = text.charCodeAt(i)
    }
  }

  /** Takes back what was added since `length` was this. */
  cut(length: number): void {
    this.length = length
  }

  /** All of it in memory of its own; afterwards there is nothing. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.length)
    this.length = 0
    // One large reply is not to hold its memory for ever.
    if (this.#bytes.length > bytesAtFirst * 16) this.#bytes = new Uint8Array(bytesAtFirst)
    return taken
  }
}
