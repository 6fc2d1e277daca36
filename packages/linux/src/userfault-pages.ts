/**
 * What a userfaultfd does to pages that are missing.
 *
 * @module
 */
import { constants } from 'node:os'
import { addressAt, putAddress, signedAt } from './address-words.ts'
import { refused, type SystemCalls } from './system-calls.ts'
import { UFFDIO_COPY, UFFDIO_WAKE, UFFDIO_ZEROPAGE } from './system-calls.ts'

const { EAGAIN, EEXIST } = constants.errno

/**
 * The kernel puts off what it is asked for while the memory's layout changes, and only where
 * somebody asked to hear of changes, which nobody does: more than a few times is a mistake of ours.
 */
const postponedMax = 1000

/** One per thread. Addresses are numbers, at borders of kernel pages but where they are sources. */
export class UserfaultPages {
  readonly calls: SystemCalls
  readonly #descriptor: number
  /** `struct uffdio_copy`: dst, src, len, mode, copied. */
  readonly #copy: BigUint64Array = new BigUint64Array(5)
  /** `struct uffdio_zeropage`: start, len, mode, zeroed. */
  readonly #zero: BigUint64Array = new BigUint64Array(4)
  /** `struct uffdio_range`: start, len. */
  readonly #wake: BigUint64Array = new BigUint64Array(2)
  readonly #copyWords = new Uint32Array(this.#copy.buffer)
  readonly #zeroWords = new Uint32Array(this.#zero.buffer)
  readonly #wakeWords = new Uint32Array(this.#wake.buffer)

  constructor(calls: SystemCalls, descriptor: number) {
    this.calls = calls
    this.#descriptor = descriptor
  }

  /**
   * Puts whole kernel pages in place, whose bytes are at `from`. Those that are there already stay
   * as they are; who waits for any of them goes on.
   *
   * @throws {GodwitError} `INTERNAL` with the kernel's reason
   */
  copy(to: number, from: number, byteLength: number): void {
    const words = this.#copyWords
    putAddress(words, 2, from)
    this.#place('UFFDIO_COPY', UFFDIO_COPY, this.#copy, to, byteLength)
  }

  /** The same with zeros. */
  zero(to: number, byteLength: number): void {
    this.#place('UFFDIO_ZEROPAGE', UFFDIO_ZEROPAGE, this.#zero, to, byteLength)
  }

  #place(
    what: string,
    request: number,
    argument: BigUint64Array,
    to: number,
    byteLength: number,
  ): void {
    const isCopy = request === UFFDIO_COPY
    const words = isCopy ? this.#copyWords : this.#zeroWords
    const lengthAt = isCopy ? 4 : 2
    const { kernelPageBytes } = this.calls
    const from = isCopy ? addressAt(words, 2) : 0
    let postponed = 0
    for (let done = 0; done < byteLength; ) {
      putAddress(words, 0, to + done)
      if (isCopy) putAddress(words, 2, from + done)
      putAddress(words, lengthAt, byteLength - done)
      const result = this.calls.tryIoctl(this.#descriptor, request, argument)
      if (result >= 0) return
      const placed = signedAt(words, words.length - 2)
      if (result === -EEXIST) {
        this.#wakeAt(to + done, kernelPageBytes)
        done += kernelPageBytes
      } else if (result === -EAGAIN && placed > 0) {
        done += placed
      } else if (result !== -EAGAIN || ++postponed > postponedMax) {
        throw refused(what, -result)
      }
    }
  }

  #wakeAt(start: number, byteLength: number): void {
    putAddress(this.#wakeWords, 0, start)
    putAddress(this.#wakeWords, 2, byteLength)
    this.calls.ioctl('UFFDIO_WAKE', this.#descriptor, UFFDIO_WAKE, this.#wake)
  }
}
