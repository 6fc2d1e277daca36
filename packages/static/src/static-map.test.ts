import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CONTENT_HASH_BYTES, GodwitError, LimitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StaticMap } from './static-map.ts'
import { MAP_ENTRIES_MAX, decodeStaticMap, encodeStaticMap } from './static-map.ts'
import { learn, repeated } from '../test/guests.ts'

interface Vector {
  os: string
  hypervisor: string
  minimumSamples: number
  /** Of each guest, pairs: the number of a page, how often in a row. */
  samples: [number, number][][]
  positions: number[]
  entries: number
  hex: string
  sha256: string
}
const vectorsUrl = new URL('../../../test/vectors/static-map.json', import.meta.url)
const { maps } = JSON.parse(readFileSync(vectorsUrl, 'utf8')) as { maps: Vector[] }

const ascending = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 40 })), {
    maxLength: 30,
  })
  .map((runs) => {
    let next = 0
    return runs.flatMap(([skipped, length]) => {
      const first = next + skipped - 1
      next = first + length
      return Array.from({ length }, (_, i) => first + i)
    })
  })

const someMap = fc
  .tuple(ascending, fc.nat(20), fc.string({ maxLength: 40 }), fc.nat(), fc.nat())
  .map(([pages, others, os, version, seed]): StaticMap => {
    const hashes = new Uint8Array((pages.length + others) * CONTENT_HASH_BYTES)
    hashes.forEach((_, i) => (hashes[i] = Math.imul(i + seed, 0x9e3779b1) >>> 13))
    const positions = Uint32Array.from(pages)
    const facts = { os, hypervisor: 'h', version, sampleCount: 2, pageBytes: 4096 }
    return { ...facts, hashes, positions }
  })

/** What is thrown must be typed. */
function outcome(bytes: Uint8Array): StaticMap | GodwitError {
  try {
    return decodeStaticMap(bytes)
  } catch (thrown) {
    if (thrown instanceof GodwitError) return thrown
    throw thrown
  }
}

describe('a static map', () => {
  it.each(maps)('of $os is the same as another implementation makes %#', (vector) => {
    const map = learn(vector, vector.samples.map(repeated)).map()!
    expect([...map.positions]).toEqual(vector.positions)
    expect(map.hashes.length).toBe(vector.entries * CONTENT_HASH_BYTES)
    const bytes = encodeStaticMap(map)
    expect(Buffer.from(bytes).toString('hex')).toBe(vector.hex)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(vector.sha256)
    expect(decodeStaticMap(Buffer.from(vector.hex, 'hex'))).toEqual(map)
  })

  it('comes back as it was, in at most two bytes per page id and the hashes', () => {
    fc.assert(
      fc.property(someMap, (map) => {
        const bytes = encodeStaticMap(map)
        expect(decodeStaticMap(bytes)).toEqual(map)
        const { hashes, positions, os, hypervisor } = map
        const names = new TextEncoder().encode(os + hypervisor).length + 2
        // Who has 8192 others before it takes a byte more.
        const distant = Math.floor((positions.at(-1) ?? 0) / 8192)
        const most = 28 + names + 2 * positions.length + distant + hashes.length
        expect(bytes.length).toBeLessThanOrEqual(most)
      }),
    )
  })

  it('has one form: what decodes at all is what encoding gives', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255))
    fc.assert(
      fc.property(someMap, fc.array(change, { minLength: 1, maxLength: 3 }), (map, changes) => {
        const bytes = encodeStaticMap(map)
        const head = bytes.length - map.hashes.length
        for (const [at, value] of changes) bytes[at % head] = value
        const result = outcome(bytes)
        if (result instanceof GodwitError) return
        expect(Buffer.compare(encodeStaticMap(result), bytes)).toBe(0)
        const steps = result.positions.subarray(1).map((page, i) => page - result.positions[i]!)
        expect(steps.every((step) => step > 0 && step < 2 ** 31)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('is refused when it is cut short or goes on', () => {
    const bytes = Buffer.from(maps[2]!.hex, 'hex')
    for (let length = 0; length < bytes.length; length++) {
      expect(outcome(bytes.subarray(0, length))).toMatchObject({ code: 'FILE_UNREADABLE' })
    }
    expect(outcome(Buffer.concat([bytes, Buffer.of(0)]))).toMatchObject({
      code: 'FILE_UNREADABLE',
    })
  })

  it('is refused when it has two runs of page ids for one', () => {
    const facts = { os: 'o', hypervisor: 'h', version: 1, sampleCount: 2, pageBytes: 4096 }
    const hashes = new Uint8Array(2 * CONTENT_HASH_BYTES)
    const bytes = encodeStaticMap({ ...facts, hashes, positions: Uint32Array.of(0, 1) })
    const at = bytes.length - hashes.length - 2
    expect([...bytes.subarray(at, at + 2)]).toEqual([1, 0])
    bytes[at] = 0
    expect(outcome(bytes)).toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringMatching(/run that is two/),
    })
  })

  it('is refused before room is made for more entries than a map may have', () => {
    const bytes = Buffer.from(maps[0]!.hex, 'hex')
    bytes.writeUInt32LE(MAP_ENTRIES_MAX, 20)
    expect(outcome(bytes)).toMatchObject({ code: 'FILE_UNREADABLE' })
    bytes.writeUInt32LE(MAP_ENTRIES_MAX + 1, 20)
    expect(outcome(bytes)).toBeInstanceOf(LimitError)
    expect(outcome(bytes)).toMatchObject({ limit: 'mapEntries', code: 'LIMIT_EXCEEDED' })
  })
})
