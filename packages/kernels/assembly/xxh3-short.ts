/**
 * XXH3 of at most 240 bytes: short last pages only, so written for size.
 * Source: xxHash, `doc/xxhash_spec.md`, small and medium inputs.
 *
 * @module
 */
import { KEY_DEFAULT_SECRET, KEY_SEED } from './key.ts'
import { avalanche, avalanche64, multiplyFold, PRIME64_1, PRIME_MX2 } from './mix.ts'

/** XXH3 of `[at, at + length)`, `length` 0 to 240. */
export function hashShort(at: usize, length: usize, key: usize): u64 {
  const secret = key + KEY_DEFAULT_SECRET
  const seed = load<u64>(key + KEY_SEED)
  if (length > 128) return hash129to240(at, length, secret, seed)
  if (length > 16) return hash17to128(at, length, secret, seed)
  if (length > 8) return hash9to16(at, length, secret, seed)
  if (length > 3) return hash4to8(at, length, secret, seed)
  if (length > 0) return hash1to3(at, length, secret, seed)
  return avalanche64(seed ^ load<u64>(secret, 56) ^ load<u64>(secret, 64))
}

function hash1to3(at: usize, length: usize, secret: usize, seed: u64): u64 {
  const last = <u32>load<u8>(at + length - 1)
  const first = <u32>load<u8>(at)
  const middle = <u32>load<u8>(at + (length >> 1))
  const combined = last | ((<u32>length) << 8) | (first << 16) | (middle << 24)
  const flip = load<u32>(secret) ^ load<u32>(secret, 4)
  return avalanche64((<u64>flip + seed) ^ <u64>combined)
}

function hash4to8(at: usize, length: usize, secret: usize, seed: u64): u64 {
  const first = <u64>load<u32>(at)
  const last = <u64>load<u32>(at + length - 4)
  const modified = seed ^ ((<u64>bswap<u32>(<u32>seed)) << 32)
  const flip = load<u64>(secret, 8) ^ load<u64>(secret, 16)
  let value = (flip - modified) ^ (last | (first << 32))
  value = value ^ rotl<u64>(value, 49) ^ rotl<u64>(value, 24)
  value *= PRIME_MX2
  value ^= (value >> 35) + <u64>length
  value *= PRIME_MX2
  return value ^ (value >> 28)
}

function hash9to16(at: usize, length: usize, secret: usize, seed: u64): u64 {
  const lowFlip = (load<u64>(secret, 24) ^ load<u64>(secret, 32)) + seed
  const highFlip = (load<u64>(secret, 40) ^ load<u64>(secret, 48)) - seed
  const low = lowFlip ^ load<u64>(at)
  const high = highFlip ^ load<u64>(at + length - 8)
  return avalanche(<u64>length + bswap<u64>(low) + high + multiplyFold(low, high))
}

function mixStep(at: usize, secret: usize, seed: u64): u64 {
  const a = load<u64>(at) ^ (load<u64>(secret) + seed)
  const b = load<u64>(at, 8) ^ (load<u64>(secret, 8) - seed)
  return multiplyFold(a, b)
}

function hash17to128(at: usize, length: usize, secret: usize, seed: u64): u64 {
  let sum = <u64>length * PRIME64_1
  for (let i = (length - 1) >> 5; <isize>i >= 0; i--) {
    sum += mixStep(at + i * 16, secret + i * 32, seed)
    sum += mixStep(at + length - i * 16 - 16, secret + i * 32 + 16, seed)
  }
  return avalanche(sum)
}

function hash129to240(at: usize, length: usize, secret: usize, seed: u64): u64 {
  let sum = <u64>length * PRIME64_1
  for (let i: usize = 0; i < 8; i++) sum += mixStep(at + i * 16, secret + i * 16, seed)
  sum = avalanche(sum)
  const chunks = length >> 4
  for (let i: usize = 8; i < chunks; i++) {
    sum += mixStep(at + i * 16, secret + (i - 8) * 16 + 3, seed)
  }
  sum += mixStep(at + length - 16, secret + 119, seed)
  return avalanche(sum)
}
