/**
 * What the catalog has under a key says itself what it is of: the two must agree. Files and
 * databases are others' to write.
 *
 * @module
 */
import type { MapKey } from '@godwit/catalog'
import { formatRelease } from '@godwit/catalog'
import { GodwitError, formatBytes } from '@godwit/core'

/** What stands in a static map, or in what was learnt for one. */
export interface Contained {
  readonly os: string
  readonly hypervisor: string
  readonly pageBytes: number
}

/**
 * @param what - for the text: `static map`
 * @throws {GodwitError} `CATALOG_ENTRY`: it is of something else
 */
export function checkKey(
  { os, hypervisor, pageBytes }: Contained,
  key: MapKey,
  what: string,
): void {
  const names = [formatRelease(key.os), formatRelease(key.hypervisor)]
  if (os === names[0] && hypervisor === names[1] && pageBytes === key.pageBytes) return
  const place = `${names.join(' on ')} with pages of ${formatBytes(key.pageBytes)}`
  throw new GodwitError('CATALOG_ENTRY', `The ${what} of ${place} is of something else inside`)
}
