/**
 * Sampled fingerprints of a page: XXH32 of eight blocks of 64 bytes.
 * Source: xxHash, `doc/xxhash_spec.md`, XXH32.
 *
 * @module
 */
import { isZero } from './zero.ts'

const partCount = 8
const blockBytes = 64
const stripeBytes = 16

const prime1 = 0x9e3779b1
const prime2 = 0x85ebca77
const prime3 = 0xc2b2ae3d
/** The four accumulators' start, for seed 0, and how far each is rotated when they are merged. */
const starts = [prime1 + prime2, prime2, 0, -prime1]
const mergeRotations = [1, 7, 12, 18]

function rotateLeft(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by))
}

/** XXH32 of the 64 bytes at `at`, seed 0. */
function hashBlock(view: DataView, at: number): number {
  let hash = blockBytes
  for (const [lane, start] of starts.entries()) {
    let sum = start | 0
    for (let i = at + lane * 4; i < at + blockBytes; i += stripeBytes) {
      const mixed = (sum + Math.imul(view.getInt32(i, true), prime2)) | 0
      sum = Math.imul(rotateLeft(mixed, 13), prime1)
    }
    hash = (hash + rotateLeft(sum, mergeRotations[lane]!)) | 0
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** See `Kernels.features`. */
export function features(view: DataView, at: number, pageBytes: number, out: number): void {
  const partBytes = pageBytes / partCount
  for (let k = 0; k < partCount; k++) {
    const block = at + k * partBytes + (((3 * k + 3) % 8) * partBytes) / 8
    const sample = isZero(view, block, blockBytes) ? 0 : hashBlock(view, block) || 1
    view.setUint32(out + k * 4, sample, true)
  }
}
