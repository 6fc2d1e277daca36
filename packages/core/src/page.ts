/**
 * Pages: how bytes of a region are cut into them. The last page of a region may be short.
 *
 * @module
 */
import { GodwitError } from './errors.ts'

export const PAGE_BYTES_DEFAULT = 4096
export const PAGE_BYTES_MIN = 4096
export const PAGE_BYTES_MAX = 65536

/** Number of pages that cover `regionBytes`. */
export function pagesCovering(regionBytes: number, pageBytes: number): number {
  return Math.ceil(regionBytes / pageBytes)
}

/** Pages of all regions, counted in their order: each begins with one of its own. */
export function pagesOfRegions(
  regions: readonly { readonly byteLength: number }[],
  pageBytes: number,
): number {
  return regions.reduce((sum, { byteLength }) => sum + pagesCovering(byteLength, pageBytes), 0)
}

/** Bytes of `pageCount` pages from `firstPage`, cut at the region's end. */
export function pageRunBytes(
  regionBytes: number,
  pageBytes: number,
  firstPage: number,
  pageCount: number,
): number {
  const start = firstPage * pageBytes
  return Math.max(0, Math.min(regionBytes, start + pageCount * pageBytes) - start)
}

/** Whether both ends can work with this page size: a power of two from 4 KiB to 64 KiB. */
export function isPageBytes(pageBytes: number): boolean {
  return (
    Number.isInteger(pageBytes) &&
    pageBytes >= PAGE_BYTES_MIN &&
    pageBytes <= PAGE_BYTES_MAX &&
    (pageBytes & (pageBytes - 1)) === 0
  )
}

/** @throws {GodwitError} `USAGE` */
export function checkPageBytes(pageBytes: number): number {
  if (!isPageBytes(pageBytes)) {
    throw new GodwitError(
      'USAGE',
      `${pageBytes} is not a page size; use a power of two from 4KiB to 64KiB`,
    )
  }
  return pageBytes
}

/** Consecutive pages of one region. */
export interface PageRun {
  readonly firstPage: number
  readonly pageCount: number
}
