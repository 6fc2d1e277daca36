import { describe, expect, it } from 'vitest'
import { createHashes, xxh64 } from './hashes.ts'
import { unpackLz4 } from './lz4.ts'
import { applyDelta, change, lz4Literals } from './rich-runs.ts'
import { transpose, untranspose } from './batch.ts'
import { hex } from './failure.ts'

const text = (words: string): Uint8Array => new TextEncoder().encode(words)

describe('the suite itself', () => {
  it.each([
    ['', 0n, 'ef46db3751d8e999'],
    ['a', 0n, 'd24ec4f1a98c6e5b'],
    ['abc', 0n, '44bc2cf5ad770999'],
    ['xxhash', 20141025n, 'b559b98d844e0635'],
    ['Call me Ishmael. Some years ago--never mind how long precisely-', 0n, '02a2e85470d6fd96'],
  ])('hashes as XXH64 is published: %j', (words, seed, expected) => {
    expect(xxh64(text(words), seed).toString(16).padStart(16, '0')).toBe(expected)
  })

  it.each([
    ['xxh3', '0000000000000000', 16],
    ['xxh64', '0000000000000000', 16],
    ['sha256', '0000000000000000', 64],
  ] as const)('has fingerprints of %s that depend on the seed', (name, _zeros, chars) => {
    const page = new Uint8Array(4096).fill(7)
    const [one, other] = [1, 2].map((seed) => createHashes(name, new Uint8Array(8).fill(seed)))
    const mark = hex(one!.fingerprint(page))
    expect(mark).toHaveLength(chars)
    expect(hex(other!.fingerprint(page))).not.toBe(mark)
    expect(one!.digest([page.subarray(0, 8)])).toEqual(other!.digest([page.subarray(0, 8)]))
  })

  it('unpacks LZ4 with literals, and with matches that overlap', () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, at) => at % 251)
    expect(unpackLz4(lz4Literals(bytes), 1000)).toEqual(bytes)
    // One literal, a match of 19 at offset 1, then a last literal.
    const run = Uint8Array.from([0x1f, 0x61, 0x01, 0x00, 0x00, 0x10, 0x62])
    expect(new TextDecoder().decode(unpackLz4(run, 21))).toBe(`${'a'.repeat(20)}b`)
    expect(() => unpackLz4(run, 20)).toThrow(/LZ4 block of 20/)
  })

  it('applies deltas, and refuses malformed ones', () => {
    expect([...applyDelta(new Uint8Array(4), change(1, 9, 8))]).toEqual([0, 9, 8, 0])
    expect(() => applyDelta(new Uint8Array(4), change(3, 9, 8))).toThrow(/delta/)
    expect(() => applyDelta(new Uint8Array(4), Uint8Array.of(1, 0))).toThrow(/delta/)
  })

  it('transposes as section 5 has it', () => {
    const bytes = Uint8Array.from({ length: 18 }, (_, at) => at)
    expect([...transpose(bytes, 8)]).toEqual([
      0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 16, 17,
    ])
    expect(untranspose(transpose(bytes, 8), 8)).toEqual(bytes)
  })
})
