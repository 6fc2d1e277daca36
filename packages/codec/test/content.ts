/**
 * Contents of pages that tests are made of; the same in every run.
 *
 * @module
 */

/** Whole numbers `0 .. limit - 1`. */
export type Random = (limit: number) => number

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** A content of `byteLength` bytes, another one for every seed. */
export type Content = (byteLength: number, seed: number) => Uint8Array

export const randomContent: Content = (byteLength, seed) => {
  const next = randomOf(seed)
  return Uint8Array.from({ length: byteLength }, () => next(256))
}

const words = 'the quick brown fox jumps over a lazy dog while nobody migrates its memory'.split(
  ' ',
)

/** Lines like those of a log. */
export const textContent: Content = (byteLength, seed) => {
  const next = randomOf(seed)
  let text = ''
  while (text.length < byteLength) {
    const line = Array.from({ length: 3 + next(8) }, () => words[next(words.length)])
    text += `${1000 + next(9000)}-0${1 + next(9)} [worker-${next(16)}] ${line.join(' ')}\n`
  }
  return new TextEncoder().encode(text.slice(0, byteLength))
}

/** Objects of 64 bytes: a header, small numbers, pointers to near objects. */
export const recordContent: Content = (byteLength, seed) => {
  const next = randomOf(seed)
  const records = Math.ceil(byteLength / 64)
  const view = new DataView(new ArrayBuffer(records * 64))
  for (let at = 0; at < records * 64; at += 64) {
    view.setUint32(at, next(8), true)
    view.setUint32(at + 4, 0x21, true)
    view.setUint32(at + 8, next(256), true)
    view.setUint32(at + 16, next(65536), true)
    view.setBigUint64(at + 24, 0x7f3a_1000_0000n + BigInt(seed * 4096 + at + 8 * next(512)), true)
    view.setUint32(at + 40, next(64), true)
    view.setUint32(at + 48, 1, true)
  }
  return new Uint8Array(view.buffer, 0, byteLength)
}

/** A copy of a page with `count` bytes changed, spread over it. */
export function changed(page: Uint8Array, count: number, seed: number): Uint8Array {
  const next = randomOf(seed)
  const copy = page.slice()
  for (let i = 0; i < count; i++) {
    copy[Math.floor(((i + 0.5) * page.length) / count)]! ^= 1 + next(255)
  }
  return copy
}
