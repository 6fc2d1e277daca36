/**
 * The shared block through which a guest's threads are commanded and in which their registers live.
 * 128 bytes per thread, so that no two threads share a cache line:
 *
 * | offset | width | name      | meaning |
 * |-------:|------:|-----------|---------|
 * |      0 | i32   | command   | serial number * 4 + one of {@link Command}; written by the owner |
 * |      4 | i32   | answer    | what the thread obeys, -1 before the first command; by it |
 * |      8 | i32   | throttle  | millionths of its time that the thread loses; by the owner |
 * |     12 | 52    | -         | unused |
 * |     64 | f64   | steps     | steps done; exact below 2^53 |
 * |     72 | f64   | cursor    | next page of the thread's share, from 0 |
 * |     80 | f64   | counter   | what `few` writes; stores done |
 * |     88 | i32x2 | random    | xorshift64* state: low, high |
 * |     96 | i32x8 | lanes     | accumulators |
 *
 * Registers belong to the thread while it obeys `run`, and to the owner while it obeys `park`: the
 * answer word hands them over. `steps` may be read by anyone at any time.
 *
 * @module
 */
import { seedState } from './xorshift.ts'

export const SLOT_BYTES = 128
const REGISTERS_OFFSET = 64
const LANE_COUNT = 8

/** What a thread is asked to do; the low two bits of the command word. */
export const Command = { Park: 0, Run: 1, Stop: 2 } as const
export type Command = (typeof Command)[keyof typeof Command]

/** The answer of a thread that did not answer yet; no command has this number. */
const answerNone = -1

/** Positions of the words in {@link commandWords}. */
export const COMMAND_WORD = 0
export const ANSWER_WORD = 1
export const THROTTLE_WORD = 2
const commandSerialMax = 0x1fffffff

/** The command after `word`, so that no two commands in a row are the same number. */
export function nextCommand(word: number, command: Command): number {
  return (((word >>> 2) + 1) & commandSerialMax) * 4 + command
}

export function commandOf(word: number): Command {
  return (word & 3) as Command
}

export function allocateControlBlock(threadCount: number): SharedArrayBuffer {
  const block = new SharedArrayBuffer(threadCount * SLOT_BYTES)
  for (let thread = 0; thread < threadCount; thread++) {
    commandWords(block, thread)[ANSWER_WORD] = answerNone
  }
  return block
}

/** Command, answer and throttle of one thread. */
export function commandWords(block: SharedArrayBuffer, thread: number): Int32Array {
  return new Int32Array(block, thread * SLOT_BYTES, 3)
}

const wholeThrottle = 1e6

/** How much of its time a thread is to lose: at least 0, less than 1. */
export function setThrottle(words: Int32Array, share: number): void {
  Atomics.store(words, THROTTLE_WORD, Math.round(share * wholeThrottle))
}

export function throttleOf(words: Int32Array): number {
  return Atomics.load(words, THROTTLE_WORD) / wholeThrottle
}

/** Views of one thread's registers. */
export interface Registers {
  /** `steps`, `cursor`, `counter`. */
  readonly counts: Float64Array
  readonly random: Int32Array
  readonly lanes: Int32Array
}

export const STEPS = 0
export const CURSOR = 1
export const COUNTER = 2

/** Registers at `offset` of any buffer. */
export function registersAt(buffer: ArrayBufferLike, offset: number): Registers {
  return {
    counts: new Float64Array(buffer, offset, 3),
    random: new Int32Array(buffer, offset + 24, 2),
    lanes: new Int32Array(buffer, offset + 32, LANE_COUNT),
  }
}

export function registersOf(block: SharedArrayBuffer, thread: number): Registers {
  return registersAt(block, thread * SLOT_BYTES + REGISTERS_OFFSET)
}

/** The registers of every thread of a control block. */
export function allRegisters(block: SharedArrayBuffer): Registers[] {
  return Array.from({ length: block.byteLength / SLOT_BYTES }, (_, i) => registersOf(block, i))
}

/** Stream 0 makes memory content and stream 1 the pool; threads start here. */
const threadStreamFirst = 16

/** Registers before the first step. */
export function seedRegisters(registers: Registers, seed: number, thread: number): void {
  registers.counts.fill(0)
  registers.lanes.fill(0)
  seedState(registers.random, seed, threadStreamFirst + thread)
}
