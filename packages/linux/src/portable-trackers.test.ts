import { FingerprintTable, type PageHasher } from '@godwit/core'
import { ByteMapTracker, markDirty, ScanTracker } from '@godwit/memory'
import { trackerCompliance } from '@godwit/testkit/tracker-compliance'

/** Two lanes of multiplications over 32-bit words: fast, and good enough for a test. */
const hasher: PageHasher = {
  name: 'xxh64',
  entryBytes: 8,
  hashPages(bytes, start, end, pageBytes, into, firstEntry) {
    for (let at = start, entry = firstEntry; at < end; at += pageBytes, entry++) {
      const pageEnd = Math.min(end, at + pageBytes)
      const wholeWords = (pageEnd - at) >>> 2
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, wholeWords)
      let low = 0
      let high = 0x01234567
      for (let i = 0; i < wholeWords; i++) {
        low = Math.imul(low ^ words[i]!, 0x01000193)
        low ^= low >>> 15
        high = Math.imul(high + words[i]!, 0x2545f491) ^ low
      }
      for (let i = at + wholeWords * 4; i < pageEnd; i++) low = Math.imul(low, 31) + bytes[i]!
      into.words32[entry * 2] = low
      into.words32[entry * 2 + 1] = high
    }
  },
  digest: (entries) => entries.slice(0, 8),
}

trackerCompliance('barrier', ({ pageCount }) => {
  const map = new Uint8Array(new SharedArrayBuffer(pageCount))
  const tracker = new ByteMapTracker({ map, pageCount })
  return { tracker, marks: map, mark: (page) => markDirty(map, page) }
})

trackerCompliance(
  'scan',
  ({ bytes, pageBytes, pageCount }) => {
    const sent = new FingerprintTable(pageCount, hasher.entryBytes)
    const region = { id: 0, name: 'ram', bytes }
    const copied = (page: number, copy: Uint8Array): void => {
      const start = page * pageBytes
      const end = Math.min(copy.length, start + pageBytes)
      hasher.hashPages(copy, start, end, pageBytes, sent, page)
    }
    return { tracker: new ScanTracker({ region, pageBytes, hasher, sent }), copied }
  },
  // Every round hashes everything.
  { pageCount: 64 },
)
