/**
 * Which other processes have a file in their memory, and where, by `/proc`.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A piece of a file in a process' memory: bytes `[start, end)`, of the file from `offset` on. */
export interface FileMapping {
  readonly start: number
  readonly end: number
  readonly offset: number
}

/** A process that can store to the file by its memory. */
export interface FileMapper {
  readonly pid: number
  /** In the order of the file. */
  readonly mappings: readonly FileMapping[]
}

/** A file, as `stat` tells. */
export interface FileId {
  readonly dev: number
  readonly ino: number
}

const row = /^([0-9a-f]+)-([0-9a-f]+) .(.).(.) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+)/

/** Every process but this one, of those that may be looked at. @param proc - `/proc` */
export function findMappers(proc: string, file: FileId): readonly FileMapper[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({ pid: Number(name), mappings: mappingsOf(proc, Number(name), file) }))
    .filter(({ mappings }) => mappings.length > 0)
}

/** Where a process can store to the file; nowhere, where it is gone or may not be looked at. */
export function mappingsOf(
  proc: string,
  pid: number,
  { dev, ino }: FileId,
): readonly FileMapping[] {
  let text: string
  try {
    text = readFileSync(join(proc, `${pid}`, 'maps'), 'latin1')
  } catch {
    return []
  }
  const mappings: FileMapping[] = []
  for (const line of text.split('\n')) {
    const [, start = '', end = '', write, kind, offset = '', major = '', minor = '', inode] =
      row.exec(line) ?? []
    if (Number(inode) !== ino || write !== 'w' || kind !== 's') continue
    if (deviceOf(Number.parseInt(major, 16), Number.parseInt(minor, 16)) !== dev) continue
    const [from, until] = [Number.parseInt(start, 16), Number.parseInt(end, 16)]
    mappings.push({ start: from, end: until, offset: Number.parseInt(offset, 16) })
  }
  return mappings.toSorted((a, b) => a.offset - b.offset)
}

/** The number that `stat` has for it (`makedev`): minor numbers of 20 bits, major ones of 12. */
function deviceOf(major: number, minor: number): number {
  return (minor >>> 8) * 0x10_0000 + (major & 0xfff) * 0x100 + (minor & 0xff)
}
