/**
 * Digests of whole memory: the digest of every region's page fingerprints, and one over regions.
 *
 * @module
 */
import type { PageHasher, Region } from '@godwit/core'
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
 */
export async function digestMemory(
  hasher: PageHasher,
  regions: readonly Region[],
  pageBytes: number,
  pauseBetween: () => Promise<void>,
): Promise<MemoryDigest> {
  const tables: { id: number; fingerprints: FingerprintTable }[] = []
  for (const { id, bytes } of regions) {
    const pages = pagesCovering(bytes.length, pageBytes)
    const fingerprints = new FingerprintTable(pages, hasher.entryBytes)
    for (let page = 0; page < pages; page += chunkPages) {
      const end = Math.min((page + chunkPages) * pageBytes, bytes.length)
      hasher.hashPages(bytes, page * pageBytes, end, pageBytes, fingerprints, page)
      await pauseBetween()
    }
    tables.push({ id, fingerprints })
  }
  return digestFingerprints(hasher, tables)
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
  const pages = pagesCovering(region.bytes.length, pageBytes)
  const table = FingerprintTable.shared(pages, hasher.entryBytes)
  const lastBytes = region.bytes.length - (pages - 1) * pageBytes
  const zeros = new Uint8Array(pageBytes + lastBytes)
  const zero = new FingerprintTable(2, hasher.entryBytes)
  hasher.hashPages(zeros, 0, zeros.length, pageBytes, zero, 0)
  for (let page = 0; page < pages - 1; page++) table.copyEntry(page, zero, 0)
  table.copyEntry(pages - 1, zero, 1)
  return table
}
