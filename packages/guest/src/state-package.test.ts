import { GodwitError, ProtocolError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocateControlBlock, allRegisters, type Registers } from './control-block.ts'
import { decodeState, encodeState, stepsOf } from './state-package.ts'

const count = fc.nat(Number.MAX_SAFE_INTEGER)
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const limits = [2 ** 53, 2 ** 53, 2 ** 53]

function fresh(threads: number): Registers[] {
  return allRegisters(allocateControlBlock(threads))
}

function sample(threads: number): Registers[] {
  const all = fresh(threads)
  for (const [thread, { counts, random, lanes }] of all.entries()) {
    counts.set([2 ** 40 + thread, 5, 2 ** 53 - 1])
    random.set([1, -1])
    lanes.fill(-7)
  }
  return all
}

describe('state package', () => {
  it('has the documented layout', () => {
    const hex = Buffer.from(encodeState(sample(1))).toString('hex')
    const lanes = 'f9ffffff'.repeat(8)
    expect(hex).toBe(
      '475747530100010040000000000000000000000000010000' +
        `0500000000000000ffffffffffff1f0001000000ffffffff${lanes}`,
    )
  })

  it('brings back every register', () => {
    const record = fc.record({
      counts: fc.tuple(count, count, count),
      random: fc.tuple(
        int32.filter((low) => low !== 0),
        int32,
      ),
      lanes: fc.array(int32, { minLength: 8, maxLength: 8 }),
    })
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 3 }), (records) => {
        const from = fresh(records.length)
        records.forEach(({ counts, random, lanes }, i) => {
          from[i]!.counts.set(counts)
          from[i]!.random.set(random)
          from[i]!.lanes.set(lanes)
        })
        const state = encodeState(from)
        const to = fresh(records.length)
        decodeState(state, to, limits)
        expect(to).toEqual(from)
        expect(encodeState(to)).toEqual(state)
        expect(stepsOf(state)).toEqual(records.map(({ counts }) => counts[0]))
      }),
    )
  })

  it.each([
    ['empty', () => new Uint8Array()],
    ['cut', () => encodeState(sample(2)).subarray(0, -1)],
    ['too long', () => new Uint8Array([...encodeState(sample(2)), 0])],
    ['of one thread', () => encodeState(sample(1))],
    ['of other magic', () => encodeState(sample(2)).fill(0, 0, 1)],
    ['of version 2', () => encodeState(sample(2)).fill(2, 4, 5)],
    ['of 0 threads', () => encodeState(sample(2)).fill(0, 6, 8)],
    ['of 65535 threads', () => encodeState(sample(2)).fill(255, 6, 8)],
    ['of other records', () => encodeState(sample(2)).fill(65, 8, 9)],
    ['with reserved bits', () => encodeState(sample(2)).fill(1, 15, 16)],
    ['with steps of 2^53', () => encodeState(sample(2)).fill(255, 22, 24)],
    ['with a random state of 0', () => encodeState(sample(2)).fill(0, 104, 112)],
    ['with a cursor at its limit', () => encodeState(sample(2)).fill(9, 88, 89)],
  ])('refuses a package that is %s, and loads none of it', (_name, make) => {
    const threads = fresh(2)
    expect(() => decodeState(make(), threads, [9, 9])).toThrow(ProtocolError)
    expect(threads).toEqual(fresh(2))
  })

  it('takes any bytes without any other error', () => {
    const good = encodeState(sample(2))
    const mutation = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1 })
    fc.assert(
      fc.property(mutation, fc.nat(good.length), (changes, length) => {
        const state = good.slice(0, length)
        for (const [at, value] of changes) if (at < length) state[at] = value
        const threads = fresh(2)
        let thrown: unknown
        try {
          decodeState(state, threads, [9, 9])
        } catch (error) {
          thrown = error
        }
        // Either a typed refusal, or the very registers that the bytes say.
        const typed = thrown instanceof GodwitError
        expect(typed || Buffer.compare(encodeState(threads), state) === 0).toBe(true)
      }),
    )
  })
})
