/**
 * Segments on their way from a guest's network card to the guest: memory of the host, which does
 * not travel. What is in it when the guest leaves was not acknowledged, and is sent once more.
 *
 * | offset | width | name   | meaning |
 * |-------:|------:|--------|---------|
 * |      0 | i32   | asked  | serial number of the last course; by the guest's owner |
 * |      4 | i32   | course | of what is in the queue; by the card |
 * |      8 | i32   | put    | segments that came, modulo 2^32; by the card |
 * |     12 | i32   | taken  | segments in guest memory, modulo 2^32; by the guest |
 * |     64 | 4096 each | slots | segment `n` in slot `n` modulo their number |
 *
 * A new course begins where the guest's registers were loaded anew: then what is in the queue is of
 * another place of the stream.
 *
 * @module
 */
import { SEGMENT_BYTES, WINDOW_SEGMENTS } from './stream.ts'

const headerBytes = 64
const ASKED = 0
const COURSE = 1
const PUT = 2
const TAKEN = 3
const segmentWords = SEGMENT_BYTES / 4

/** A queue of as many segments as a peer may send ahead. */
export class ReceiveQueue {
  /** For the other thread's end of it. */
  readonly memory: SharedArrayBuffer
  readonly #head: Int32Array
  readonly #words: Int32Array
  readonly #bytes: Uint8Array

  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(headerBytes + WINDOW_SEGMENTS * SEGMENT_BYTES)
    this.#head = new Int32Array(this.memory, 0, 4)
    this.#words = new Int32Array(this.memory, headerBytes)
    this.#bytes = new Uint8Array(this.memory, headerBytes)
  }

  /** The owner's: nothing can be taken until the card has begun. @returns the course's number */
  ask(): number {
    return Atomics.add(this.#head, ASKED, 1) + 1
  }

  /** The card's: the queue is empty, and `first` is the next segment. */
  begin(course: number, first: number): void {
    Atomics.store(this.#head, PUT, first | 0)
    Atomics.store(this.#head, TAKEN, first | 0)
    Atomics.store(this.#head, COURSE, course)
    Atomics.notify(this.#head, TAKEN)
  }

  /** The card's: segments that the guest has not taken. */
  get waiting(): number {
    return (Atomics.load(this.#head, PUT) - Atomics.load(this.#head, TAKEN)) | 0
  }

  /** The card's, where fewer are waiting than there are slots. */
  put(segment: Uint8Array): void {
    const put = this.#head[PUT]!
    this.#bytes.set(segment, (put & (WINDOW_SEGMENTS - 1)) * SEGMENT_BYTES)
    Atomics.store(this.#head, PUT, (put + 1) | 0)
  }

  /** The card's: resolves when the guest has taken more than `taken`, or a course began. */
  async changed(taken: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#head, TAKEN, taken)
    if (wait.async) await wait.value
  }

  /** What {@link changed} is asked with. */
  get taken(): number {
    return Atomics.load(this.#head, TAKEN)
  }

  /** The guest's: segments that can be taken now. */
  ready(): number {
    if (Atomics.load(this.#head, COURSE) !== Atomics.load(this.#head, ASKED)) return 0
    return this.waiting
  }

  /** The guest's: segment `number` goes to `into`, from word `at` on; it is there. */
  copy(number: number, into: Int32Array, at: number): void {
    const from = ((number | 0) & (WINDOW_SEGMENTS - 1)) * segmentWords
    into.set(this.#words.subarray(from, from + segmentWords), at)
  }

  /** The guest's: it has all segments below `number`; their slots are free. */
  take(number: number): void {
    Atomics.store(this.#head, TAKEN, number | 0)
    Atomics.notify(this.#head, TAKEN)
  }
}
