/**
 * XXH3 of more than 240 bytes, as the specification has it, in 32-bit words.
 * Source: xxHash, `doc/xxhash_spec.md`, large inputs.
 *
 * @module
 */
import { KEY, LAST_SECRET } from '../xxh3-key.ts'
import { addFolded, addTo, multiplyBy, multiplyUpper } from './u64.ts'

const stripeBytes = 64
const blockStripes = 16
const blockBytes = stripeBytes * blockStripes
const prime32 = 0x9e3779b1

/** The accumulators at first, each lower word first. */
const initial: readonly number[] = [
  0xc2b2ae3d, 0, 0x85ebca87, 0x9e3779b1, 0x27d4eb4f, 0xc2b2ae3d, 0x9e3779f9, 0x165667b1, 0xc2b2ae63,
  0x85ebca77, 0x85ebca77, 0, 0x165667c5, 0x27d4eb2f, 0x9e3779b1, 0,
]

/**
 * XXH3 of `[at, at + length)` of `data`, `length` over 240.
 *
 * @param key - a key block
 * @param words - 18 words of scratch; the result is left in the first two, lower word first
 */
export function xxh3Long(
  data: DataView,
  at: number,
  length: number,
  key: DataView,
  words: Uint32Array,
): void {
  words.set(initial)
  const blockCount = Math.floor((length - 1) / blockBytes)
  for (let block = 0; block < blockCount; block++) {
    const blockAt = at + block * blockBytes
    for (let i = 0; i < blockStripes; i++) {
      accumulate(data, blockAt + i * stripeBytes, key, KEY.secret + i * 8, words)
    }
    scramble(key, words)
  }
  const lastAt = at + blockCount * blockBytes
  const stripeCount = Math.floor((at + length - 1 - lastAt) / stripeBytes)
  for (let i = 0; i < stripeCount; i++) {
    accumulate(data, lastAt + i * stripeBytes, key, KEY.secret + i * 8, words)
  }
  accumulate(data, at + length - stripeBytes, key, KEY.secret + LAST_SECRET, words)
  merge(length, key, words)
}

function accumulate(
  data: DataView,
  at: number,
  key: DataView,
  secretAt: number,
  words: Uint32Array,
): void {
  for (let i = 0; i < 8; i++) {
    const lower = data.getUint32(at + i * 8, true)
    const upper = data.getUint32(at + i * 8 + 4, true)
    const a = (lower ^ key.getUint32(secretAt + i * 8, true)) >>> 0
    const b = (upper ^ key.getUint32(secretAt + i * 8 + 4, true)) >>> 0
    addTo(words, (i ^ 1) * 2, lower, upper)
    addTo(words, i * 2, Math.imul(a, b) >>> 0, multiplyUpper(a, b))
  }
}

function scramble(key: DataView, words: Uint32Array): void {
  const secretAt = KEY.secret + 128
  for (let i = 0; i < 16; i += 2) {
    const upper = words[i + 1]!
    words[i] = words[i]! ^ (upper >>> 15) ^ key.getUint32(secretAt + i * 4, true)
    words[i + 1] = upper ^ key.getUint32(secretAt + i * 4 + 4, true)
    multiplyBy(words, i, prime32, 0)
  }
}

function merge(length: number, key: DataView, words: Uint32Array): void {
  const secretAt = KEY.secret + 11
  // The length times PRIME64_1.
  words[16] = length
  words[17] = 0
  multiplyBy(words, 16, 0x85ebca87, 0x9e3779b1)
  for (let i = 0; i < 16; i += 4) {
    addFolded(
      words,
      16,
      (words[i]! ^ key.getUint32(secretAt + i * 4, true)) >>> 0,
      (words[i + 1]! ^ key.getUint32(secretAt + i * 4 + 4, true)) >>> 0,
      (words[i + 2]! ^ key.getUint32(secretAt + i * 4 + 8, true)) >>> 0,
      (words[i + 3]! ^ key.getUint32(secretAt + i * 4 + 12, true)) >>> 0,
    )
  }
  // The avalanche: x ^= x >> 37, x *= PRIME_MX1, x ^= x >> 32.
  words[16] = words[16]! ^ (words[17]! >>> 5)
  multiplyBy(words, 16, 0x9e3779f9, 0x16566791)
  words[0] = words[16]! ^ words[17]!
  words[1] = words[17]!
}
