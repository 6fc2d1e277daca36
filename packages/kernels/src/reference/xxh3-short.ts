/**
 * XXH3 of at most 240 bytes, as the specification has it. Only short last pages and digests of few
 * entries come here, so `BigInt` will do.
 * Source: xxHash, `doc/xxhash_spec.md`, small and medium inputs.
 *
 * @module
 */
import { KEY } from '../xxh3-key.ts'

const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME_MX1 = 0x165667919e3779f9n
const PRIME_MX2 = 0x9fb21c651e98df25n

function u64(x: bigint): bigint {
  return BigInt.asUintN(64, x)
}

function rotate(x: bigint, by: bigint): bigint {
  return u64((x << by) | (x >> (64n - by)))
}

function swapBytes(x: bigint, byteCount: number): bigint {
  let swapped = 0n
  for (let i = 0; i < byteCount; i++) swapped = (swapped << 8n) | ((x >> BigInt(i * 8)) & 0xffn)
  return swapped
}

function multiplyFold(a: bigint, b: bigint): bigint {
  const product = a * b
  return u64(product) ^ (product >> 64n)
}

function avalanche(x: bigint): bigint {
  const y = u64((x ^ (x >> 37n)) * PRIME_MX1)
  return y ^ (y >> 32n)
}

function avalanche64(x: bigint): bigint {
  const y = u64((x ^ (x >> 33n)) * PRIME64_2)
  const z = u64((y ^ (y >> 29n)) * PRIME64_3)
  return z ^ (z >> 32n)
}

/** XXH3 of all of `data`, at most 240 bytes, with a key block. */
export function xxh3Short(data: DataView, key: DataView): bigint {
  const length = data.byteLength
  if (length > 16) return hashMedium(data, key)
  const seed = key.getBigUint64(KEY.seed, true)
  const secret = (at: number): bigint => key.getBigUint64(KEY.defaultSecret + at, true)
  if (length > 8) {
    const low = u64((secret(24) ^ secret(32)) + seed) ^ data.getBigUint64(0, true)
    const high = u64((secret(40) ^ secret(48)) - seed) ^ data.getBigUint64(length - 8, true)
    return avalanche(u64(BigInt(length) + swapBytes(low, 8) + high + multiplyFold(low, high)))
  }
  if (length > 3) {
    const first = BigInt(data.getUint32(0, true))
    const last = BigInt(data.getUint32(length - 4, true))
    const modified = seed ^ (swapBytes(seed & 0xffffffffn, 4) << 32n)
    let value = u64((secret(8) ^ secret(16)) - modified) ^ (last | (first << 32n))
    value ^= rotate(value, 49n) ^ rotate(value, 24n)
    value = u64(value * PRIME_MX2)
    value ^= (value >> 35n) + BigInt(length)
    value = u64(value * PRIME_MX2)
    return value ^ (value >> 28n)
  }
  if (length === 0) return avalanche64(seed ^ secret(56) ^ secret(64))
  const combined =
    (data.getUint8(length - 1) |
      (length << 8) |
      (data.getUint8(0) << 16) |
      (data.getUint8(length >> 1) << 24)) >>>
    0
  const flip = (secret(0) & 0xffffffffn) ^ (secret(0) >> 32n)
  return avalanche64(u64(flip + seed) ^ BigInt(combined))
}

/** 17 to 240 bytes. */
function hashMedium(data: DataView, key: DataView): bigint {
  const length = data.byteLength
  const seed = key.getBigUint64(KEY.seed, true)
  const mix = (at: number, secretAt: number): bigint => {
    const secret = KEY.defaultSecret + secretAt
    return multiplyFold(
      data.getBigUint64(at, true) ^ u64(key.getBigUint64(secret, true) + seed),
      data.getBigUint64(at + 8, true) ^ u64(key.getBigUint64(secret + 8, true) - seed),
    )
  }
  let sum = BigInt(length) * PRIME64_1
  if (length <= 128) {
    for (let i = (length - 1) >> 5; i >= 0; i--) {
      sum += mix(i * 16, i * 32) + mix(length - i * 16 - 16, i * 32 + 16)
    }
    return avalanche(u64(sum))
  }
  for (let i = 0; i < 8; i++) sum += mix(i * 16, i * 16)
  sum = avalanche(u64(sum))
  for (let i = 8; i < length >> 4; i++) sum += mix(i * 16, (i - 8) * 16 + 3)
  return avalanche(u64(sum + mix(length - 16, 119)))
}
