/**
 * The static map of an operating system and hypervisor (ESCDR, section 3.2), and its bytes. Equal
 * maps have equal bytes, and two ends agree on a map by the SHA-256 of them, so there is no
 * checksum in it.
 *
 * | bytes | what |
 * |---:|---|
 * | 4 | `GWSM` |
 * | 4 | format: 1 |
 * | 4 | page bytes |
 * | 4 | version of the map |
 * | 4 | samples it was learned from |
 * | 4 | entries |
 * | 4 | positions |
 * | 1 + n | operating system: its length, its UTF-8 |
 * | 1 + n | hypervisor, likewise |
 * | ... | page ids of the first entries, as runs (`position-runs.ts`) |
 * | 32 each | content hashes of all entries |
 *
 * Numbers are unsigned and little-endian.
 *
 * @module
 */
import type { StaticSet } from '@godwit/core'
import { CONTENT_HASH_BYTES, LimitError, allocateShared, isPageBytes } from '@godwit/core'
import { OctetReader, OctetWriter } from './octets.ts'
import { readRuns, writeRuns } from './position-runs.ts'

/** Most entries of a map: 4 GiB of pages of 4 KiB. */
export const MAP_ENTRIES_MAX: number = 2 ** 20
/** Longest name of an operating system or hypervisor, in UTF-8. */
export const MAP_NAME_BYTES_MAX = 128

/** What every guest of an operating system and hypervisor has. */
export interface StaticMap extends StaticSet {
  readonly os: string
  readonly hypervisor: string
  /** From 1 on, of the maps of this pair. */
  readonly version: number
  readonly sampleCount: number
}

const magic = 0x4d535747
const format = 1

export function encodeStaticMap(map: StaticMap): Uint8Array {
  const { pageBytes, version, sampleCount, hashes, positions } = map
  const writer = new OctetWriter()
  writer.u32(magic)
  writer.u32(format)
  writer.u32(pageBytes)
  writer.u32(version)
  writer.u32(sampleCount)
  writer.u32(hashes.length / CONTENT_HASH_BYTES)
  writer.u32(positions.length)
  writer.text(map.os)
  writer.text(map.hypervisor)
  writeRuns(writer, positions)
  writer.octets(hashes)
  return writer.take()
}

/**
 * Reads a map of any origin.
 *
 * @throws {GodwitError} `FILE_UNREADABLE` when it is none, `LIMIT_EXCEEDED` when it has more
 *   entries than {@link MAP_ENTRIES_MAX}
 */
export function decodeStaticMap(bytes: Uint8Array): StaticMap {
  const reader = new OctetReader(bytes, 'The static map')
  if (reader.u32() !== magic) throw reader.damaged('does not begin like one')
  if (reader.u32() !== format) throw reader.damaged('is of another format')
  const pageBytes = reader.u32()
  if (!isPageBytes(pageBytes)) throw reader.damaged(`has pages of ${pageBytes} bytes`)
  const [version, sampleCount] = [reader.u32(), reader.u32()]
  const [entryCount, positionCount] = [reader.u32(), reader.u32()]
  checkEntries(entryCount)
  if (positionCount > entryCount) throw reader.damaged('has more positions than entries')
  const [os, hypervisor] = [reader.text(MAP_NAME_BYTES_MAX), reader.text(MAP_NAME_BYTES_MAX)]
  const hashBytes = entryCount * CONTENT_HASH_BYTES
  if (reader.left < hashBytes) throw reader.damaged('ends too early')
  const positions = new Uint32Array(allocateShared(positionCount * 4).buffer)
  readRuns(reader, positions)
  const hashes = allocateShared(hashBytes)
  hashes.set(reader.octets(hashBytes))
  reader.end()
  return { os, hypervisor, version, sampleCount, pageBytes, hashes, positions }
}

function checkEntries(entryCount: number): void {
  if (entryCount <= MAP_ENTRIES_MAX) return
  const text = `The static map has ${entryCount} entries, more than ${MAP_ENTRIES_MAX}`
  const facts = { limit: 'mapEntries', value: entryCount, maximum: MAP_ENTRIES_MAX }
  throw new LimitError('LIMIT_EXCEEDED', text, facts)
}
