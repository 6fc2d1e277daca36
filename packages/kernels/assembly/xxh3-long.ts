/**
 * XXH3 of more than 240 bytes.
 * Source: xxHash, `doc/xxhash_spec.md`, large inputs.
 *
 * @module
 */
import { KEY_LAST_LOWER, KEY_LAST_UPPER, KEY_LOWER, KEY_SECRET, KEY_UPPER } from './key.ts'
import { Lanes, STRIPE, STRIPES_PER_BLOCK } from './lanes.ts'
import {
  avalanche,
  PRIME32_1,
  PRIME32_2,
  PRIME32_3,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  PRIME64_4,
  PRIME64_5,
} from './mix.ts'

/** XXH3 of `[at, at + length)`, `length` over 240. */
export function hashLong(at: usize, length: usize, key: usize): u64 {
  let a0 = i64x2(PRIME32_3, PRIME64_1)
  let a1 = i64x2(PRIME64_2, PRIME64_3)
  let a2 = i64x2(PRIME64_4, PRIME32_2)
  let a3 = i64x2(PRIME64_5, PRIME32_1)
  const zero = i64x2.splat(0)
  const lastStripe = at + length - STRIPE
  const secret = key + KEY_SECRET
  let left = (length - 1) / STRIPE
  let isLast = false
  while (true) {
    // One block, what is left of the last one, or the last stripe.
    let lowerAt = key + (isLast ? KEY_LAST_LOWER : KEY_LOWER)
    let upperAt = key + (isLast ? KEY_LAST_UPPER : KEY_UPPER)
    const from = isLast ? lastStripe : at
    const stripes: usize = isLast ? 1 : min(left, STRIPES_PER_BLOCK)
    at = from + stripes * STRIPE
    let s0 = zero
    let s1 = zero
    let s2 = zero
    let s3 = zero
    for (let p = from; p < at; p += STRIPE) {
      const d0 = v128.load(p)
      const d1 = v128.load(p, 16)
      const d2 = v128.load(p, 32)
      const d3 = v128.load(p, 48)
      const l0 = v128.xor(Lanes.lower(d0, d1), v128.load(lowerAt))
      const u0 = v128.xor(Lanes.upper(d0, d1), v128.load(upperAt))
      const l1 = v128.xor(Lanes.lower(d2, d3), v128.load(lowerAt, 16))
      const u1 = v128.xor(Lanes.upper(d2, d3), v128.load(upperAt, 16))
      s0 = i64x2.add(s0, d0)
      s1 = i64x2.add(s1, d1)
      s2 = i64x2.add(s2, d2)
      s3 = i64x2.add(s3, d3)
      a0 = Lanes.addFirst(a0, l0, u0)
      a1 = Lanes.addSecond(a1, l0, u0)
      a2 = Lanes.addFirst(a2, l1, u1)
      a3 = Lanes.addSecond(a3, l1, u1)
      lowerAt += 4
      upperAt += 4
    }
    a0 = Lanes.addSwapped(a0, s0)
    a1 = Lanes.addSwapped(a1, s1)
    a2 = Lanes.addSwapped(a2, s2)
    a3 = Lanes.addSwapped(a3, s3)
    if (isLast) break
    left -= stripes
    isLast = stripes < STRIPES_PER_BLOCK
    if (isLast) continue
    a0 = Lanes.scramble(a0, secret + 128)
    a1 = Lanes.scramble(a1, secret + 144)
    a2 = Lanes.scramble(a2, secret + 160)
    a3 = Lanes.scramble(a3, secret + 176)
  }
  return Lanes.finish(a0, a1, a2, a3, length, key)
}

/**
 * The same with the keys `keyA` and `keyB`; 8 bytes each to `outA` and `outB`. What does not depend
 * on the key is done once. Lanes do not meet before the end, so that one half of them goes over the
 * input first, then the other: the accumulators of all would not fit in the registers.
 */
export function hashLong2(
  at: usize,
  length: usize,
  keyA: usize,
  outA: usize,
  keyB: usize,
  outB: usize,
): void {
  const base = <u64>length * PRIME64_1
  store<u64>(outA, base)
  store<u64>(outB, base)
  const first = i64x2(PRIME32_3, PRIME64_1)
  const second = i64x2(PRIME64_2, PRIME64_3)
  addHalf(at, length, first, second, keyA, keyB, 0, outA, outB)
  const third = i64x2(PRIME64_4, PRIME32_2)
  const fourth = i64x2(PRIME64_5, PRIME32_1)
  addHalf(at + 32, length, third, fourth, keyA, keyB, 32, outA, outB)
  store<u64>(outA, avalanche(load<u64>(outA)))
  store<u64>(outB, avalanche(load<u64>(outB)))
}

function addHalf(
  at: usize,
  length: usize,
  a0: v128,
  a1: v128,
  keyA: usize,
  keyB: usize,
  offset: usize,
  outA: usize,
  outB: usize,
): void {
  let b0 = a0
  let b1 = a1
  const zero = i64x2.splat(0)
  const lastStripe = at + length - STRIPE
  const secretA = keyA + KEY_SECRET + offset
  const secretB = keyB + KEY_SECRET + offset
  const halfOffset = offset >> 1
  let left = (length - 1) / STRIPE
  let isLast = false
  while (true) {
    let wordsA = keyA + halfOffset + (isLast ? KEY_LAST_LOWER : KEY_LOWER)
    let wordsB = keyB + halfOffset + (isLast ? KEY_LAST_LOWER : KEY_LOWER)
    const upper = isLast ? KEY_LAST_UPPER - KEY_LAST_LOWER : KEY_UPPER - KEY_LOWER
    const from = isLast ? lastStripe : at
    const stripes: usize = isLast ? 1 : min(left, STRIPES_PER_BLOCK)
    at = from + stripes * STRIPE
    let s0 = zero
    let s1 = zero
    for (let p = from; p < at; p += STRIPE) {
      const d0 = v128.load(p)
      const d1 = v128.load(p, 16)
      const l = Lanes.lower(d0, d1)
      const u = Lanes.upper(d0, d1)
      s0 = i64x2.add(s0, d0)
      s1 = i64x2.add(s1, d1)
      let kl = v128.xor(l, v128.load(wordsA))
      let ku = v128.xor(u, v128.load(wordsA + upper))
      a0 = Lanes.addFirst(a0, kl, ku)
      a1 = Lanes.addSecond(a1, kl, ku)
      kl = v128.xor(l, v128.load(wordsB))
      ku = v128.xor(u, v128.load(wordsB + upper))
      b0 = Lanes.addFirst(b0, kl, ku)
      b1 = Lanes.addSecond(b1, kl, ku)
      wordsA += 4
      wordsB += 4
    }
    a0 = Lanes.addSwapped(a0, s0)
    a1 = Lanes.addSwapped(a1, s1)
    b0 = Lanes.addSwapped(b0, s0)
    b1 = Lanes.addSwapped(b1, s1)
    if (isLast) break
    left -= stripes
    isLast = stripes < STRIPES_PER_BLOCK
    if (isLast) continue
    a0 = Lanes.scramble(a0, secretA + 128)
    a1 = Lanes.scramble(a1, secretA + 144)
    b0 = Lanes.scramble(b0, secretB + 128)
    b1 = Lanes.scramble(b1, secretB + 144)
  }
  const sumA = Lanes.merge(a0, secretA + 11) + Lanes.merge(a1, secretA + 27)
  const sumB = Lanes.merge(b0, secretB + 11) + Lanes.merge(b1, secretB + 27)
  store<u64>(outA, load<u64>(outA) + sumA)
  store<u64>(outB, load<u64>(outB) + sumB)
}
