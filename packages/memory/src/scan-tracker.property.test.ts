import { FingerprintTable, PageBitmap, type PageHasher, pagesCovering } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { regionOf } from './region.ts'
import { ScanTracker } from './scan-tracker.ts'

const pageBytes = 32

/** FNV-1a, twice with different starts: slow, and good enough for small tests. */
const hasher: PageHasher = {
  name: 'xxh64',
  entryBytes: 8,
  hashPages(bytes, start, end, size, into: FingerprintTable, firstEntry) {
    for (let at = start, entry = firstEntry; at < end; at += size, entry++) {
      let low = 0x811c9dc5
      let high = 0x01234567
      for (let i = at; i < Math.min(end, at + size); i++) {
        low = Math.imul(low ^ bytes[i]!, 0x01000193)
        high = Math.imul(high + bytes[i]!, 0x01000193) ^ (i - at)
      }
      into.words32[entry * 2] = low
      into.words32[entry * 2 + 1] = high
    }
  },
  digest: (entries) => entries.slice(0, 8),
}

/** A tracker, and a "send" that copies the given pages and writes their fingerprints. */
function scanOf(bytes: Uint8Array) {
  const region = regionOf(bytes, { id: 0, name: 'ram' })
  const pageCount = pagesCovering(bytes.length, pageBytes)
  const sent = new FingerprintTable(pageCount, 8)
  const copy = new Uint8Array(bytes.length)
  const tracker = new ScanTracker({ region, pageBytes, hasher, sent })
  const send = (pages: readonly number[]): void => {
    for (const page of pages) {
      const start = page * pageBytes
      const end = Math.min(bytes.length, start + pageBytes)
      copy.set(bytes.subarray(start, end), start)
      hasher.hashPages(copy, start, end, pageBytes, sent, page)
    }
  }
  send([...Array(pageCount).keys()])
  return { tracker, send, copy, pageCount }
}

function collectAll(tracker: ScanTracker, pageCount: number): number[] {
  const dirty = new PageBitmap(pageCount)
  const found = tracker.collect(0, pageCount + 5, dirty)
  const pages = [...Array(pageCount).keys()].filter((page) => dirty.has(page))
  expect(found).toBe(pages.length)
  return pages
}

describe('ScanTracker', () => {
  it('reports exactly the pages whose content is not what was sent', () => {
    const stores = fc.array(fc.record({ at: fc.nat(9999), xor: fc.integer({ min: 1, max: 255 }) }))
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(stores, { maxLength: 5 }),
        (byteLength, rounds) => {
          const bytes = new Uint8Array(byteLength)
          const { tracker, send, copy, pageCount } = scanOf(bytes)
          for (const round of rounds) {
            for (const { at, xor } of round) bytes[at % byteLength]! ^= xor
            const changed = [...Array(pageCount).keys()].filter((page) => {
              const from = page * pageBytes
              const now = bytes.subarray(from, from + pageBytes)
              return Buffer.compare(now, copy.subarray(from, from + pageBytes)) !== 0
            })
            expect(collectAll(tracker, pageCount)).toEqual(changed)
            send(changed)
            expect(collectAll(tracker, pageCount)).toEqual([])
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  it('reports the same where it is told which pages are zero', () => {
    const page = fc.record({ now: fc.nat(1), sent: fc.nat(1), isTold: fc.boolean() })
    fc.assert(
      fc.property(fc.array(page, { minLength: 1, maxLength: 200 }), fc.nat(31), (pages, rest) => {
        const bytes = new Uint8Array(pages.length * pageBytes - rest)
        const { tracker, send, pageCount } = scanOf(bytes)
        for (const [index, { sent }] of pages.entries()) bytes[index * pageBytes] = sent
        send([...pages.keys()])
        for (const [index, { now }] of pages.entries()) bytes[index * pageBytes] = now
        const wanted = collectAll(tracker, pageCount)
        tracker.zeros = new PageBitmap(pageCount)
        for (const [index, { now, isTold }] of pages.entries()) {
          if (now === 0 && isTold) tracker.zeros.add(index)
        }
        expect(collectAll(tracker, pageCount)).toEqual(wanted)
      }),
    )
  })

  it('leaves out what it is told to be as it was sent, but for zeros', () => {
    const page = fc.record({ isZero: fc.boolean(), isKept: fc.boolean() })
    fc.assert(
      fc.property(fc.array(page, { minLength: 1, maxLength: 300 }), (pages) => {
        const bytes = new Uint8Array(pages.length * pageBytes).fill(7)
        const { tracker, send, pageCount } = scanOf(bytes)
        send([...pages.keys()])
        const [zeros, kept] = [new PageBitmap(pageCount), new PageBitmap(pageCount)]
        for (const [index, { isZero, isKept }] of pages.entries()) {
          bytes.fill(isZero ? 0 : 1, index * pageBytes, (index + 1) * pageBytes)
          if (isZero) zeros.add(index)
          if (isKept) kept.add(index)
        }
        const all = [...pages.keys()]
        Object.assign(tracker, { kept })
        expect(collectAll(tracker, pageCount)).toEqual(all.filter((index) => !kept.has(index)))
        Object.assign(tracker, { zeros })
        const wanted = all.filter((index) => zeros.has(index) || !kept.has(index))
        expect(collectAll(tracker, pageCount)).toEqual(wanted)
      }),
    )
  })

  it('looks at the pages asked for only', () => {
    const bytes = new Uint8Array(10 * pageBytes)
    const { tracker } = scanOf(bytes)
    bytes.fill(1)
    const dirty = new PageBitmap(10)
    expect(tracker.collect(3, 2, dirty)).toBe(2)
    expect([...Array(10).keys()].filter((page) => dirty.has(page))).toEqual([3, 4])
  })

  it('catches content that was there only while it was copied', () => {
    const bytes = new Uint8Array(2 * pageBytes)
    const { tracker, send } = scanOf(bytes)
    bytes[0] = 1
    send([0])
    bytes[0] = 0
    expect(collectAll(tracker, 2)).toEqual([0])
  })
})
