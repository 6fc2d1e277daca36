/**
 * Two fingerprints of the same pages.
 *
 * @module
 */
import type { FingerprintTable, PageHasher } from '@godwit/core'
import { Xxh3Hasher } from '@godwit/kernels'

/** A hash, and the table of its entries. */
export interface HashOutput {
  readonly hasher: PageHasher
  readonly into: FingerprintTable
}

/**
 * Hashes the consecutive pages of `bytes[start, end)` (the last may be short) for two tables, from
 * `firstEntry` on in both: in one pass where both hashes are the kernels', else in two.
 */
export function hashPagesTwice(
  bytes: Uint8Array,
  start: number,
  end: number,
  pageBytes: number,
  firstEntry: number,
  a: HashOutput,
  b: HashOutput,
): void {
  if (a.hasher instanceof Xxh3Hasher && b.hasher instanceof Xxh3Hasher) {
    const other = { hasher: b.hasher, into: b.into }
    a.hasher.hashPages2(bytes, start, end, pageBytes, a.into, firstEntry, other)
    return
  }
  a.hasher.hashPages(bytes, start, end, pageBytes, a.into, firstEntry)
  b.hasher.hashPages(bytes, start, end, pageBytes, b.into, firstEntry)
}
