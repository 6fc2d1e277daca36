/**
 * What XXH3 needs of a seed, derived once and kept in a block of memory that kernels read.
 * Source: xxHash, `doc/xxhash_spec.md`, "Seed and Secret".
 *
 * @module
 */

/** Bytes of a key block. */
export const KEY_BYTES = 656

/** Offsets in a key block; `assembly/key.ts` has the same numbers. */
export const KEY = {
  /** u64: the seed. */
  seed: 0,
  /** 192 bytes: the default secret, for inputs of 240 bytes at most. */
  defaultSecret: 16,
  /** 24 x u64: the secret that is derived from the seed, for longer inputs. */
  secret: 208,
  /** 24 x u32 each: lower and upper halves of that secret's words. */
  lower: 400,
  upper: 496,
  /** 8 x u32 each: the same of the 64 bytes of the secret that the last stripe is mixed with. */
  lastLower: 592,
  lastUpper: 624,
} as const

/** Where those 64 bytes begin in the secret. */
export const LAST_SECRET = 121

const secretWords = 24
const stripeWords = 8

/** The default secret, as little-endian words. */
const defaultSecret: readonly bigint[] = [
  0xbe4ba423396cfeb8n,
  0x1cad21f72c81017cn,
  0xdb979083e96dd4den,
  0x1f67b3b7a4a44072n,
  0x78e5c0cc4ee679cbn,
  0x2172ffcc7dd05a82n,
  0x8e2443f7744608b8n,
  0x4c263a81e69035e0n,
  0xcb00c391bb52283cn,
  0xa32e531b8b65d088n,
  0x4ef90da297486471n,
  0xd8acdea946ef1938n,
  0x3f349ce33f76faa8n,
  0x1d4f0bc7c7bbdcf9n,
  0x3159b4cd4be0518an,
  0x647378d9c97e9fc8n,
  0xc3ebd33483acc5ean,
  0xeb6313faffa081c5n,
  0x49daf0b751dd0d17n,
  0x9e68d429265516d3n,
  0xfca1477d58be162bn,
  0xce31d07ad1b8f88fn,
  0x280416958f3acb45n,
  0x7e404bbbcafbd7afn,
]

/** Writes the key block of `seed` (64 bits) to `view` at `at`. */
export function writeKey(view: DataView, at: number, seed: bigint): void {
  view.setBigUint64(at + KEY.seed, seed, true)
  view.setBigUint64(at + KEY.seed + 8, 0n, true)
  for (let i = 0; i < secretWords; i++) {
    const word = defaultSecret[i]!
    view.setBigUint64(at + KEY.defaultSecret + i * 8, word, true)
    view.setBigUint64(at + KEY.secret + i * 8, i % 2 === 0 ? word + seed : word - seed, true)
  }
  const secret = at + KEY.secret
  splitWords(view, secret, secretWords, at + KEY.lower, at + KEY.upper)
  splitWords(view, secret + LAST_SECRET, stripeWords, at + KEY.lastLower, at + KEY.lastUpper)
}

function splitWords(
  view: DataView,
  from: number,
  wordCount: number,
  lower: number,
  upper: number,
): void {
  for (let i = 0; i < wordCount; i++) {
    view.setUint32(lower + i * 4, view.getUint32(from + i * 8, true), true)
    view.setUint32(upper + i * 4, view.getUint32(from + i * 8 + 4, true), true)
  }
}
