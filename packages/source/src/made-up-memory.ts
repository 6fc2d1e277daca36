/**
 * For tests of looks at memory: pages of one byte, told apart by it. Nothing was sent but zeros.
 *
 * @module
 */
import type { PageBitmap, PageHasher, Region } from '@godwit/core'
import { FingerprintTable } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import { MemoryScan } from './memory-scan.ts'

/** Sees every look at a page. */
export type OnLook = (region: number, page: number) => void

/** Memory, and who looks at it. */
export interface MadeUpMemory {
  readonly sent: readonly SentPages[]
  /** Another thread's. */
  readonly scan: (addZeros?: (region: number, into: PageBitmap) => void) => MemoryScan
  /** Another content of a page, every time. */
  readonly store: (region: number, page: number) => void
}

/** @param pageCounts - per region */
export function createMemory(
  pageCounts: readonly number[],
  onLook: OnLook = () => {},
): MadeUpMemory {
  const sent = pageCounts.map((pageCount, id) => ({
    region: { id, name: `r${id}`, bytes: new Uint8Array(pageCount) },
    fingerprints: FingerprintTable.shared(pageCount, 8),
  }))
  const hasherOf = ({ id, bytes: own }: Region): PageHasher => ({
    name: 'xxh64',
    entryBytes: 8,
    hashPages(bytes, start, end, _pageBytes, into, firstEntry) {
      for (let page = start; page < end; page++) {
        if (bytes === own) onLook(id, page)
        into.words32[(firstEntry + page - start) * 2] = bytes[page]!
      }
    },
    digest: (entries) => entries.slice(0, 8),
  })
  return {
    sent,
    scan: (addZeros) => new MemoryScan(sent, 1, hasherOf, addZeros),
    store: (region, page) => {
      const { bytes } = sent[region]!.region
      bytes[page] = (bytes[page]! % 255) + 1
    },
  }
}
