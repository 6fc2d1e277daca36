import { Workspace, createInPlaceHasher, zeroPagesEnd } from '@godwit/codec'
import { COMPARE_THREADS_MAX, FingerprintTable, MIB, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { seededRandom } from '@godwit/testkit'
import { nodePrimitives } from 'godwit'
import { describe, expect, it } from 'vitest'

const primitives = await nodePrimitives()
const seed = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const pageBytes = 4096

function filled(byteLength: number): Region {
  const region = allocateRegion({ id: 0, name: 'ram', byteLength, comparesInPlace: true })
  const next = seededRandom(7)
  for (let at = 0; at < byteLength; at += 61) region.bytes[at] = next(256)
  return region
}

function inPlace(region: Region, thread = 0, hash: 'xxh3' | 'sha256' = 'xxh3') {
  return createInPlaceHasher({ primitives, region, hash, seed, thread })
}

describe('createInPlaceHasher', () => {
  it('makes the fingerprints that a copy has, on every thread', () => {
    const region = filled(MIB + 1000)
    const pages = Math.ceil(region.bytes.length / pageBytes)
    const whole = region.bytes.slice()
    const expected = new FingerprintTable(pages, 8)
    const copying = new Workspace(primitives, 0).createHasher('xxh3', seed)
    copying.hashPages(region.bytes, 0, region.bytes.length, pageBytes, expected, 0)
    const hashers = Array.from({ length: COMPARE_THREADS_MAX }, (_, i) => inPlace(region, i)!)
    for (const hasher of hashers) {
      const table = new FingerprintTable(pages, 8)
      hasher.hashPages(region.bytes, 0, region.bytes.length, pageBytes, table, 0)
      expect(table.bytes).toEqual(expected.bytes)
    }
    expect(Buffer.compare(region.bytes, whole)).toBe(0)
  })

  it('hashes what is elsewhere, too', () => {
    const region = filled(MIB)
    const bytes = new Uint8Array(2 * pageBytes + 5).fill(3)
    const [here, there] = [new FingerprintTable(3, 8), new FingerprintTable(3, 8)]
    inPlace(region)!.hashPages(bytes, 0, bytes.length, pageBytes, here, 0)
    const copying = new Workspace(primitives, 0).createHasher('xxh3', seed)
    copying.hashPages(bytes, 0, bytes.length, pageBytes, there, 0)
    expect(here.bytes).toEqual(there.bytes)
  })

  it('is not to be had for other memory, another hash, or one thread more', () => {
    const region = filled(MIB)
    expect(inPlace(allocateRegion({ id: 0, name: 'ram', byteLength: MIB }))).toBeUndefined()
    expect(inPlace(region, 0, 'sha256')).toBeUndefined()
    expect(inPlace(region, COMPARE_THREADS_MAX)).toBeUndefined()
    expect(inPlace({ ...region, bytes: region.bytes.subarray(4096) })).toBeUndefined()
  })
})

describe('zeroPagesEnd', () => {
  it('finds where whole zero pages end', () => {
    const byteLength = 40 * pageBytes + 8
    const region = allocateRegion({ id: 0, name: 'ram', byteLength, comparesInPlace: true })
    const { bytes } = region
    bytes[5 * pageBytes] = 1
    bytes[30 * pageBytes - 1] = 1
    const endOf = (page: number, end: number): number | undefined =>
      zeroPagesEnd(inPlace(region, 3)!, bytes, pageBytes, page, end)
    expect([0, 4, 5, 6, 29, 30].map((page) => endOf(page, 99))).toEqual([5, 5, 5, 29, 29, 40])
    expect([endOf(0, 3), endOf(6, 6), endOf(40, 41)]).toEqual([3, 6, 40])
  })

  it('cannot tell of memory that is hashed in copies', () => {
    const copying = new Workspace(primitives, 0).createHasher('xxh3', seed)
    expect(zeroPagesEnd(copying, new Uint8Array(pageBytes), pageBytes, 0, 1)).toBeUndefined()
  })
})
