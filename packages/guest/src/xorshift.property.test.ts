import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { multiplyHigh, remainder64, seedState, Xorshift64 } from './xorshift.ts'

const word = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 1, 0xffffffff))

/** The definition, with numbers that need no care. */
function nextOf(state: bigint): bigint {
  let s = state
  s = BigInt.asUintN(64, s ^ (s << 13n))
  s ^= s >> 7n
  return BigInt.asUintN(64, s ^ (s << 17n))
}

function join(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}

describe('64-bit arithmetic by words', () => {
  it('multiplies like bigint', () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(multiplyHigh(a, b) >>> 0).toBe(Number((BigInt(a) * BigInt(b)) >> 32n))
      }),
    )
  })

  it('divides like bigint', () => {
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 1 << 20 }), (low, high, modulus) => {
        const expected = Number(join(low, high) % BigInt(modulus))
        expect(remainder64(low | 0, high | 0, modulus)).toBe(expected)
      }),
    )
  })

  it('draws like the definition', () => {
    fc.assert(
      fc.property(word, word, (low, high) => {
        const random = new Xorshift64(Int32Array.of(low, high))
        let state = join(low, high)
        for (let i = 0; i < 5; i++) {
          random.next()
          state = nextOf(state)
          expect(join(random.state[0]!, random.state[1]!)).toBe(state)
          const drawn = BigInt.asUintN(64, state * 2685821657736338717n)
          expect(join(random.low, random.high)).toBe(drawn)
        }
      }),
    )
  })

  it('gives each seed and each stream a sequence of its own', () => {
    const states = new Set<bigint>()
    for (const seed of [0, 1, 2, Number.MAX_SAFE_INTEGER]) {
      for (const stream of [0, 1, 16, 79]) {
        const state = new Int32Array(2)
        seedState(state, seed, stream)
        states.add(join(state[0]!, state[1]!))
      }
    }
    expect(states.size).toBe(16)
  })
})
