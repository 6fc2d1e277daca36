/**
 * The pages of a region at the destination, and what is known of them.
 *
 * @module
 */
import type { FingerprintTable, PageHasher, PagePlacer, PageStates, Region } from '@godwit/core'
import { PAGE_BYTES_MAX, ProtocolError } from '@godwit/core'

/** What the destination keeps of one region, whose memory is zero at first. */
export interface InstalledPages {
  readonly region: Region
  /**
   * Per page 1 when it may hold something: all others are zero, and zero needs no work. A byte
   * each, since lanes on several threads store to it, each for its own pages.
   */
  readonly written: Uint8Array
  /**
   * Fingerprints of every page as installed, by the verification hash; absent with `none`. At first
   * those of zero pages.
   */
  readonly fingerprints: FingerprintTable | undefined
  /** Where the guest may run before its pages are there: which ones are. */
  readonly states?: PageStates | undefined
  /**
   * Who puts pages in place once the guest runs, where memory cannot be stored to before: a page
   * that is missing must not even be read then, since its reader would wait for itself.
   */
  readonly placer?: PagePlacer | undefined
}

/** The same, its fields in one order: code that was optimised for others is not for these. */
export function sameTarget(given: InstalledPages): InstalledPages {
  const { region, written, fingerprints, states, placer } = given
  const { id, name, bytes } = region
  return { region: { id, name, bytes }, written, fingerprints, states, placer }
}

const zeros = new Uint8Array(PAGE_BYTES_MAX)

/**
 * Pages that the guest, which runs already, does not have: nobody else installs them from here on.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE`: the guest has one of them, or another channel brings it
 */
export function claimPages({ region, states }: InstalledPages, first: number, end: number): void {
  for (let page = first; page < end; page++) {
    if (states?.claim(page) === true) continue
    const text = `Page ${page} of region ${region.name} came although it was there`
    throw new ProtocolError('PROTOCOL_STATE', text)
  }
}

/** Pages that were claimed are installed: the guest may go on. */
export function releasePages({ states }: InstalledPages, first: number, end: number): void {
  for (let page = first; page < end; page++) states!.arrived(page)
}

/** Notes that pages were written, and what is in them. */
export function rememberPages(
  target: InstalledPages,
  firstPage: number,
  count: number,
  from: FingerprintTable | undefined,
  entry: number,
): void {
  const { written, fingerprints } = target
  for (let i = 0; i < count; i++) {
    written[firstPage + i] = 1
    fingerprints?.copyEntry(firstPage + i, from!, entry + i)
  }
}

/** Zero pages: work only where something was written before, or where they have to be placed. */
export function clearPages(
  target: InstalledPages,
  firstPage: number,
  endPage: number,
  options: { readonly pageBytes: number; readonly verifyHasher: PageHasher | undefined },
  placer: PagePlacer | undefined,
): void {
  const { pageBytes, verifyHasher } = options
  const { written, region, fingerprints } = target
  placer?.clear(firstPage, endPage)
  for (let page = firstPage; page < endPage; page++) {
    if (written[page] === 0) continue
    const start = page * pageBytes
    const end = Math.min(start + pageBytes, region.bytes.length)
    if (placer === undefined) region.bytes.fill(0, start, end)
    written[page] = 0
    if (fingerprints === undefined) continue
    // Not the memory: where the guest has it already, it may have stored to it.
    verifyHasher!.hashPages(zeros, 0, end - start, pageBytes, fingerprints, page)
  }
}
