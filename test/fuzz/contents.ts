/**
 * What pages hold: random, text-like, record-like, mostly zero.
 *
 * @module
 */
import type { Random } from './mutator.ts'
import { pick, randomBytes } from './mutator.ts'

/** Up to `byteCountMax` bytes of one kind. */
export function someContent(byteCountMax: number, random: Random): Uint8Array {
  return contentOf(1 + random(byteCountMax), random)
}

/** Exactly that many. */
export function contentOf(byteCount: number, random: Random): Uint8Array {
  const unit = randomBytes(pick([1, 4, 16, 64, 700], random), random)
  const bytes = new Uint8Array(byteCount)
  switch (random(4)) {
    case 0:
      return randomBytes(byteCount, random)
    case 1:
      for (let at = 0; at < byteCount; at++) bytes[at] = unit[at % unit.length]!
      break
    case 2:
      for (let at = 0; at < byteCount; at++) bytes[at] = 0x61 + ((at * unit[0]!) % 26)
      break
    default:
      break
  }
  for (let left = random(20); left > 0; left--) bytes[random(byteCount)] = random(256)
  return bytes
}
