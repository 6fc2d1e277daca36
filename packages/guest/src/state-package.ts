/**
 * The state package: the registers of every thread of a workload, as they travel. Little-endian.
 *
 * | offset | width | name        | meaning |
 * |-------:|------:|-------------|---------|
 * |      0 | u32   | magic       | `GWGS` (0x53475747) |
 * |      4 | u16   | version     | 1 |
 * |      6 | u16   | threads     | 1 .. 64 |
 * |      8 | u32   | recordBytes | 64 |
 * |     12 | u32   | reserved    | 0 |
 * |     16 | 64    | record      | one per thread, in order; nothing follows |
 *
 * A record: u64 steps, u64 cursor, u64 counter (each below 2^53), u32 random low, u32 random high
 * (not both 0), 8 x u32 lanes.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import { COUNTER, CURSOR, type Registers, STEPS } from './control-block.ts'

const MAGIC = 0x53475747
const VERSION = 1
const HEADER_BYTES = 16
const RECORD_BYTES = 64
const RANDOM_OFFSET = 24
const LANES_OFFSET = 32
const LANE_COUNT = 8
const U32 = 0x100000000

/** Most threads a workload can have. */
export const THREADS_MAX = 64

function refuse(text: string): never {
  throw new ProtocolError('PROTOCOL_STATE', `The guest's state package is not right: ${text}`)
}

function writeCount(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % U32, true)
  view.setUint32(at + 4, Math.floor(value / U32), true)
}

function readCount(view: DataView, at: number, name: string): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * U32
  if (!Number.isSafeInteger(value)) refuse(`${name} is above 2^53`)
  return value
}

/** Packs the registers of parked threads into a package of its own memory. */
export function encodeState(threads: readonly Registers[]): Uint8Array {
  const state = new Uint8Array(HEADER_BYTES + threads.length * RECORD_BYTES)
  const view = new DataView(state.buffer)
  view.setUint32(0, MAGIC, true)
  view.setUint16(4, VERSION, true)
  view.setUint16(6, threads.length, true)
  view.setUint32(8, RECORD_BYTES, true)
  threads.forEach((registers, thread) => {
    const at = HEADER_BYTES + thread * RECORD_BYTES
    writeCount(view, at, registers.counts[STEPS]!)
    writeCount(view, at + 8, registers.counts[CURSOR]!)
    writeCount(view, at + 16, registers.counts[COUNTER]!)
    registers.random.forEach((word, i) => view.setInt32(at + RANDOM_OFFSET + 4 * i, word, true))
    registers.lanes.forEach((word, i) => view.setInt32(at + LANES_OFFSET + 4 * i, word, true))
  })
  return state
}

/** Checks everything that does not depend on the guest. @returns how many threads it is of */
function checkFrame(state: Uint8Array, view: DataView): number {
  if (state.byteLength < HEADER_BYTES) refuse(`${state.byteLength} bytes are too few`)
  if (view.getUint32(0, true) !== MAGIC) refuse('it is of another kind of guest')
  const version = view.getUint16(4, true)
  if (version !== VERSION) refuse(`version ${version} is not known`)
  const threadCount = view.getUint16(6, true)
  if (threadCount < 1 || threadCount > THREADS_MAX) refuse(`it has ${threadCount} threads`)
  if (view.getUint32(8, true) !== RECORD_BYTES) refuse('its records have another size')
  if (view.getUint32(12, true) !== 0) refuse('a reserved field is set')
  const expected = HEADER_BYTES + threadCount * RECORD_BYTES
  if (state.byteLength !== expected) refuse(`${state.byteLength} bytes where ${expected} belong`)
  return threadCount
}

/** One thread's registers out of a package. */
interface ThreadRecord {
  readonly counts: readonly [steps: number, cursor: number, counter: number]
  readonly random: readonly [low: number, high: number]
  readonly lanes: readonly number[]
}

function decodeRecords(state: Uint8Array): ThreadRecord[] {
  const view = new DataView(state.buffer, state.byteOffset, state.byteLength)
  return Array.from({ length: checkFrame(state, view) }, (_, thread) => {
    const at = HEADER_BYTES + thread * RECORD_BYTES
    const low = view.getInt32(at + RANDOM_OFFSET, true)
    const high = view.getInt32(at + RANDOM_OFFSET + 4, true)
    if (low === 0 && high === 0) refuse('a random state is zero')
    const lane = (i: number): number => view.getInt32(at + LANES_OFFSET + 4 * i, true)
    return {
      counts: [
        readCount(view, at, 'a step count'),
        readCount(view, at + 8, 'a cursor'),
        readCount(view, at + 16, 'a counter'),
      ],
      random: [low, high],
      lanes: Array.from({ length: LANE_COUNT }, (_lane, i) => lane(i)),
    }
  })
}

/**
 * Loads a package into the registers of parked threads, all or nothing.
 *
 * @param cursorLimits - per thread, what its cursor must be below
 * @throws {ProtocolError} `PROTOCOL_STATE`
 */
export function decodeState(
  state: Uint8Array,
  threads: readonly Registers[],
  cursorLimits: readonly number[],
): void {
  const records = decodeRecords(state)
  if (records.length !== threads.length) {
    refuse(`it has ${records.length} threads and the guest ${threads.length}`)
  }
  records.forEach((record, thread) => {
    const limit = cursorLimits[thread]!
    if (record.counts[CURSOR] >= limit) refuse(`a cursor is not below ${limit}`)
  })
  threads.forEach((registers, thread) => {
    const record = records[thread]!
    registers.counts.set(record.counts)
    registers.random.set(record.random)
    registers.lanes.set(record.lanes)
  })
}

/**
 * Steps of each thread, out of a package.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE`
 */
export function stepsOf(state: Uint8Array): number[] {
  return decodeRecords(state).map((record) => record.counts[STEPS])
}
