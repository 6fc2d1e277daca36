/**
 * Memory that encoders can do something with.
 *
 * @module
 */
import { randomBytes, seededRandom } from '@godwit/testkit'

const words = 'the page of a guest is sent once more since it has changed on its way'.split(' ')

/** Lines like those of a log; others for every seed. */
export function textBytes(byteCount: number, seed: number): Uint8Array {
  const next = seededRandom(seed)
  let text = ''
  while (text.length < byteCount) {
    const line = Array.from({ length: 4 + next(6) }, () => words[next(words.length)])
    text += `${1000 + next(9000)} [worker-${next(16)}] ${line.join(' ')}\n`
  }
  return new TextEncoder().encode(text.slice(0, byteCount))
}

/** Objects of 64 bytes with small numbers and pointers; others for every seed. */
export function recordBytes(byteCount: number, seed: number): Uint8Array {
  const next = seededRandom(seed)
  const view = new DataView(new ArrayBuffer(Math.ceil(byteCount / 64) * 64))
  for (let at = 0; at < view.byteLength; at += 64) {
    view.setUint32(at, next(8), true)
    view.setUint32(at + 4, 0x21, true)
    view.setUint32(at + 16, next(65536), true)
    view.setBigUint64(at + 24, 0x7f3a_1000_0000n + BigInt(at + 8 * next(512)), true)
    view.setUint32(at + 48, 1, true)
  }
  return new Uint8Array(view.buffer, 0, byteCount)
}

/** Whole pages: text, records, noise and zeros, in turn. */
export function mixedBytes(pageCount: number, pageBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(pageCount * pageBytes)
  const kinds = [textBytes, recordBytes, randomBytes]
  for (let page = 0; page < pageCount; page++) {
    const kind = kinds[page % (kinds.length + 1)]
    if (kind !== undefined) bytes.set(kind(pageBytes, seed * 1000 + page), page * pageBytes)
  }
  return bytes
}
