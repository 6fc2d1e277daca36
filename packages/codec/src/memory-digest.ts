/**
 * Digests of whole memory: the digest of every region's page fingerprints, and one over regions.
 *
 * @module
 */
import type { PageBitmap, PageHasher, Region } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'

/** Pages hashed before the event loop gets its turn. */
const chunkPages = 2048

export interface RegionDigest {
  readonly id: number
  readonly digest: Uint8Array
}

export interface MemoryDigest {
  /** Over the concatenation of `regions[].digest`, in the order of the region table. */
  readonly digest: Uint8Array
  readonly regions: readonly RegionDigest[]
}

/** The digest of regions whose fingerprints are at hand. */
export function digestFingerprints(
  hasher: PageHasher,
  regions: readonly { readonly id: number; readonly fingerprints: FingerprintTable }[],
): MemoryDigest {
  const digests = regions.map(({ id, fingerprints }) => ({
    id,
    digest: hasher.digest(fingerprints.bytes),
  }))
  const all = new Uint8Array(digests.reduce((sum, one) => sum + one.digest.length, 0))
  let at = 0
  for (const { digest } of digests) {
    all.set(digest, at)
    at += digest.length
  }
  return { digest: hasher.digest(all), regions: digests }
}

/**
 * Hashes memory that nobody stores to, in chunks with `pauseBetween` awaited in between. Takes one
 * table of fingerprints for the time of the call.
 *
 * @param zeros - per region: pages that count as zero bytes, whatever they hold; not looked at
 */
export async function digestMemory(
  hasher: PageHasher,
  regions: readonly Region[],
  pageBytes: number,
  pauseBetween: () => Promise<void>,
  zeros?: readonly PageBitmap[],
): Promise<MemoryDigest> {
  const tables: { id: number; fingerprints: FingerprintTable }[] = []
  for (const [index, { id, bytes }] of regions.entries()) {
    const pages = pagesCovering(bytes.length, pageBytes)
    const fingerprints = new FingerprintTable(pages, hasher.entryBytes)
    const zero = zeros?.[index]
    if (zero !== undefined) clearPages(hasher, fingerprints, zero, bytes, pageBytes)
    let hashed = 0
    for (let page = zero?.nextClear(0) ?? 0; page < pages; ) {
      const most = Math.min(page + chunkPages, pages)
      const endPage = zero?.nextSet(page, most) ?? most
      const end = Math.min(endPage * pageBytes, bytes.length)
      hasher.hashPages(bytes, page * pageBytes, end, pageBytes, fingerprints, page)
      hashed += endPage - page
      page = zero?.nextClear(endPage) ?? endPage
      if (hashed < chunkPages && page < pages) continue
      hashed = 0
      await pauseBetween()
    }
    tables.push({ id, fingerprints })
  }
  return digestFingerprints(hasher, tables)
}

function clearPages(
  hasher: PageHasher,
  fingerprints: FingerprintTable,
  zeros: PageBitmap,
  { length }: Uint8Array,
  pageBytes: number,
): void {
  const { table, last } = zeroPages(hasher, length, pageBytes)
  for (let page = zeros.nextSet(0); page < zeros.pageCount; page = zeros.nextSet(page + 1)) {
    fingerprints.copyEntry(page, table, page === last ? 1 : 0)
  }
}

/** Fingerprints of a page of zero bytes, and of the last one of memory, which may be shorter. */
function zeroPages(
  hasher: PageHasher,
  length: number,
  pageBytes: number,
): { readonly table: FingerprintTable; readonly last: number } {
  const last = pagesCovering(length, pageBytes) - 1
  const zeros = new Uint8Array(pageBytes + length - last * pageBytes)
  const table = new FingerprintTable(2, hasher.entryBytes)
  hasher.hashPages(zeros, 0, zeros.length, pageBytes, table, 0)
  return { table, last }
}

/**
 * A table, of shared memory, for a region in which every page counts as zero bytes: what holds
 * before any is sent.
 */
export function zeroFingerprints(
  hasher: PageHasher,
  region: Region,
  pageBytes: number,
): FingerprintTable {
  const { table: zero, last } = zeroPages(hasher, region.bytes.length, pageBytes)
  const table = FingerprintTable.shared(last + 1, hasher.entryBytes)
  for (let page = 0; page < last; page++) table.copyEntry(page, zero, 0)
  table.copyEntry(last, zero, 1)
  return table
}
