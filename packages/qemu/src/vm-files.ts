/**
 * Files of a VM whose QEMU was started here: its RAM, and a folder of sockets, in which it is
 * written down where the RAM is.
 *
 * @module
 */
import { readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { VmPlace } from './qemu-spec.ts'

const listName = 'files'

/** @param paths - of RAM; @throws where the folder is not to be written to */
export function writeFiles(folder: string, paths: readonly string[]): void {
  writeFileSync(join(folder, listName), JSON.stringify(paths), { mode: 0o600 })
}

function readFiles(folder: string): readonly string[] {
  try {
    const paths: unknown = JSON.parse(readFileSync(join(folder, listName), 'utf8'))
    return Array.isArray(paths) ? paths.filter((path) => typeof path === 'string') : []
  } catch {
    // Its QEMU was started by an earlier release, or somebody has cleared up.
    return []
  }
}

/** Removes files of a VM that came here, when who started its QEMU is not there to do so. */
export function removeFiles(place: VmPlace): void {
  const folder = dirname(place.qmp)
  const known = 'ram' in place ? [place.ram] : []
  for (const path of new Set([...known, ...readFiles(folder)])) rmSync(path, { force: true })
  for (const name of ['qmp', 'state', 'log', listName]) rmSync(join(folder, name), { force: true })
  try {
    rmdirSync(folder)
  } catch {
    // Somebody else has a file there.
  }
}
