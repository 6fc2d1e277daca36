import { describe, expect, it } from 'vitest'
import { zeroBytes } from './zero-bytes.ts'

describe('zeroBytes', () => {
  it('stores to every 4 KiB of fresh memory and to its end, and to nothing else', () => {
    const bytes = new Uint8Array(3 * 4096 + 10).fill(1)
    zeroBytes(bytes, true)
    const zeros = [...bytes.keys()].filter((at) => bytes[at] === 0)
    expect(zeros).toEqual([0, 4096, 8192, 3 * 4096, 3 * 4096 + 9])
  })

  it.each([true, false])('reaches both pages of a few bytes (fresh: %s)', (isFresh) => {
    const bytes = new Uint8Array(100).fill(1)
    zeroBytes(bytes.subarray(40, 50), isFresh)
    expect([bytes[39], bytes[40], bytes[49], bytes[50]]).toEqual([1, 0, 0, 1])
  })

  it('fills exactly what it is given, wherever that starts and ends', () => {
    for (const buffer of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
      const all = new Uint8Array(buffer)
      for (let start = 0; start < 18; start++) {
        for (let end = start; end < 40; end++) {
          all.fill(7)
          zeroBytes(all.subarray(start, end), false)
          expect(all.indexOf(0)).toBe(start === end ? -1 : start)
          expect(all.indexOf(7, start)).toBe(end)
        }
      }
    }
  })
})
