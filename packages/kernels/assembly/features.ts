/**
 * Sampled fingerprints of a page: XXH32 of eight blocks of 64 bytes.
 * Source: xxHash, `doc/xxhash_spec.md`, XXH32.
 *
 * @module
 */

const PRIME32_1: u32 = 0x9e3779b1
const PRIME32_2: u32 = 0x85ebca77
const PRIME32_3: u32 = 0xc2b2ae3d
const BLOCK: u32 = 64

/** Methods, because only these can be told to go inline in the syntax that formatters read. */
class Block {
  @inline static rotate(x: v128, by: i32): v128 {
    return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by))
  }

  @inline static round(sum: v128, words: v128): v128 {
    const mixed = i32x4.add(sum, i32x4.mul(words, i32x4.splat(PRIME32_2)))
    return i32x4.mul(Block.rotate(mixed, 13), i32x4.splat(PRIME32_1))
  }

  /** The four accumulators of a block. */
  @inline static sums(at: usize): v128 {
    let sum = i32x4(PRIME32_1 + PRIME32_2, PRIME32_2, 0, 0 - PRIME32_1)
    sum = Block.round(sum, v128.load(at))
    sum = Block.round(sum, v128.load(at, 16))
    sum = Block.round(sum, v128.load(at, 32))
    return Block.round(sum, v128.load(at, 48))
  }

  /** Four words, of which at least one is not zero if one of the block's bytes is not. */
  @inline static any(at: usize): v128 {
    const lower = v128.or(v128.load(at), v128.load(at, 16))
    return v128.or(lower, v128.or(v128.load(at, 32), v128.load(at, 48)))
  }

  /** The first lanes of both, then the second ones. */
  @inline static firstTwo(a: v128, b: v128): v128 {
    return v128.shuffle<i32>(a, b, 0, 4, 1, 5)
  }

  /** The third lanes of both, then the last ones. */
  @inline static lastTwo(a: v128, b: v128): v128 {
    return v128.shuffle<i32>(a, b, 2, 6, 3, 7)
  }

  @inline static lower(a: v128, b: v128): v128 {
    return v128.shuffle<i64>(a, b, 0, 2)
  }

  @inline static upper(a: v128, b: v128): v128 {
    return v128.shuffle<i64>(a, b, 1, 3)
  }
}

/** Samples of the four blocks at `a` to `d`. */
function hashBlocks(a: usize, b: usize, c: usize, d: usize, out: usize): void {
  const sumA = Block.sums(a)
  const sumB = Block.sums(b)
  const sumC = Block.sums(c)
  const sumD = Block.sums(d)
  // Lane by lane: all first accumulators in one vector, and so on.
  const firstAB = Block.firstTwo(sumA, sumB)
  const firstCD = Block.firstTwo(sumC, sumD)
  const lastAB = Block.lastTwo(sumA, sumB)
  const lastCD = Block.lastTwo(sumC, sumD)
  let hash = i32x4.splat(BLOCK)
  hash = i32x4.add(hash, Block.rotate(Block.lower(firstAB, firstCD), 1))
  hash = i32x4.add(hash, Block.rotate(Block.upper(firstAB, firstCD), 7))
  hash = i32x4.add(hash, Block.rotate(Block.lower(lastAB, lastCD), 12))
  hash = i32x4.add(hash, Block.rotate(Block.upper(lastAB, lastCD), 18))
  hash = i32x4.mul(v128.xor(hash, i32x4.shr_u(hash, 15)), i32x4.splat(PRIME32_2))
  hash = i32x4.mul(v128.xor(hash, i32x4.shr_u(hash, 13)), i32x4.splat(PRIME32_3))
  hash = v128.xor(hash, i32x4.shr_u(hash, 16))
  // A hash of 0 becomes 1: comparing gives -1.
  hash = i32x4.sub(hash, i32x4.eq(hash, i32x4.splat(0)))
  const anyA = Block.any(a)
  const anyB = Block.any(b)
  const anyC = Block.any(c)
  const anyD = Block.any(d)
  const firstAny = v128.or(Block.firstTwo(anyA, anyB), Block.lastTwo(anyA, anyB))
  const lastAny = v128.or(Block.firstTwo(anyC, anyD), Block.lastTwo(anyC, anyD))
  const any = v128.or(Block.lower(firstAny, lastAny), Block.upper(firstAny, lastAny))
  v128.store(out, v128.and(hash, i32x4.ne(any, i32x4.splat(0))))
}

/** Eight u32 of the page at `at` to `out`: of part `k`, eighth `(3 * k + 3) % 8` is sampled. */
export function features(at: usize, pageBytes: usize, out: usize): void {
  const part = pageBytes >> 3
  const eighth = pageBytes >> 6
  const middle = at + 4 * part
  hashBlocks(
    at + 3 * eighth,
    at + part + 6 * eighth,
    at + 2 * part + eighth,
    at + 3 * part + 4 * eighth,
    out,
  )
  hashBlocks(
    middle + 7 * eighth,
    middle + part + 2 * eighth,
    middle + 2 * part + 5 * eighth,
    middle + 3 * part,
    out + 16,
  )
}
