/**
 * What was found out about pages ahead of the round that looks them up: which entry of the first
 * set they are. The guest runs on meanwhile, so it holds for a page only as long as the page has
 * the fingerprint that it had then; fingerprints are made in the round anyway.
 *
 * @module
 */
import { FingerprintTable, allocateShared } from '@godwit/core'

/** Shared memory, for lanes on any thread. */
export interface ScannedPages {
  /** Per page, counted over all regions: 0 where it is not known, 1 for none, or an entry + 2. */
  readonly entries: Uint32Array
  /** Of the session, per page. */
  readonly fingerprints: Uint8Array
}

/** Of pages of which nothing is known yet. @param entryBytes - of a fingerprint */
export function scannedPages(
  pageCount: number,
  entryBytes: FingerprintTable['entryBytes'],
): ScannedPages {
  const entries = new Uint32Array(allocateShared(pageCount * 4).buffer)
  return { entries, fingerprints: allocateShared(pageCount * entryBytes) }
}

/** What {@link ScannedTable.entryOf} says of a page that is no entry of the set. */
export const NO_ENTRY = -1
/** And of a page of which nothing is known. */
export const NOT_SCANNED = -2

/** {@link ScannedPages}, to be read and written. */
export class ScannedTable {
  readonly #entries: Uint32Array
  readonly #fingerprints: FingerprintTable

  constructor({ entries, fingerprints }: ScannedPages) {
    const entryBytes = fingerprints.length === entries.length * 8 ? 8 : 32
    this.#entries = entries
    this.#fingerprints = new FingerprintTable(entries.length, entryBytes, fingerprints)
  }

  /**
   * Notes what a page was found to be.
   *
   * @param page - counted over all regions
   * @param entry - of the set, or {@link NO_ENTRY}
   * @param index - of its fingerprint in `fingerprints`
   */
  note(page: number, entry: number, fingerprints: FingerprintTable, index: number): void {
    this.#fingerprints.copyEntry(page, fingerprints, index)
    this.#entries[page] = entry + 2
  }

  /**
   * What the page with that fingerprint is.
   *
   * @returns its entry, {@link NO_ENTRY}, or {@link NOT_SCANNED} where it is another page by now
   */
  entryOf(page: number, fingerprints: FingerprintTable, index: number): number {
    const noted = this.#entries[page]!
    if (noted === 0 || !this.#fingerprints.equals(page, fingerprints, index)) return NOT_SCANNED
    return noted - 2
  }
}
