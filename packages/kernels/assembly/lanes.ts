/**
 * Eight accumulators of XXH3 in four vectors, and what is done to them.
 * Source: xxHash, `doc/xxhash_spec.md`, large inputs.
 *
 * Two rearrangements that change no result. What a lane gets of its neighbour is added up apart
 * and swapped once per block, not per stripe. Words are split into lower and upper halves, four
 * lanes at a time, because the instruction that multiplies 32-bit halves wants them so; the key
 * has its words split already.
 *
 * @module
 */
import { KEY_SECRET } from './key.ts'
import { avalanche, multiplyFold, PRIME32_1, PRIME64_1 } from './mix.ts'

export const STRIPE: usize = 64
export const STRIPES_PER_BLOCK: usize = 16

/** Methods, because only these can be told to go inline in the syntax that formatters read. */
export class Lanes {
  /** Lower halves of four words. */
  @inline static lower(a: v128, b: v128): v128 {
    return v128.shuffle<i32>(a, b, 0, 2, 4, 6)
  }

  @inline static upper(a: v128, b: v128): v128 {
    return v128.shuffle<i32>(a, b, 1, 3, 5, 7)
  }

  /** Products of halves, added to the first two lanes and to the second two. */
  @inline static addFirst(sum: v128, lower: v128, upper: v128): v128 {
    return i64x2.add(sum, i64x2.extmul_low_i32x4_u(lower, upper))
  }

  @inline static addSecond(sum: v128, lower: v128, upper: v128): v128 {
    return i64x2.add(sum, i64x2.extmul_high_i32x4_u(lower, upper))
  }

  @inline static addSwapped(sum: v128, neighbours: v128): v128 {
    return i64x2.add(sum, v128.shuffle<i64>(neighbours, neighbours, 1, 0))
  }

  /** The end of a block: `(x ^ (x >> 47) ^ secret) * PRIME32_1`. */
  @inline static scramble(sum: v128, secret: usize): v128 {
    const x = v128.xor(v128.xor(sum, i64x2.shr_u(sum, 47)), v128.load(secret))
    const prime = i32x4.splat(<i32>PRIME32_1)
    const halves = v128.shuffle<i32>(x, x, 0, 2, 1, 3)
    const lower = i64x2.extmul_low_i32x4_u(halves, prime)
    const upper = i64x2.extmul_high_i32x4_u(halves, prime)
    return i64x2.add(lower, i64x2.shl(upper, 32))
  }

  @inline static merge(sum: v128, secret: usize): u64 {
    return multiplyFold(
      v128.extract_lane<u64>(sum, 0) ^ load<u64>(secret),
      v128.extract_lane<u64>(sum, 1) ^ load<u64>(secret, 8),
    )
  }

  /** The accumulators merged into the result. */
  static finish(a: v128, b: v128, c: v128, d: v128, length: usize, key: usize): u64 {
    const secret = key + KEY_SECRET + 11
    let sum = <u64>length * PRIME64_1
    sum += Lanes.merge(a, secret)
    sum += Lanes.merge(b, secret + 16)
    sum += Lanes.merge(c, secret + 32)
    sum += Lanes.merge(d, secret + 48)
    return avalanche(sum)
  }
}
