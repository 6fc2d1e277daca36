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

/** Files of a VM's memory. @param isOurs - its QEMU was started here */
export function ramFilesOf(place: VmPlace, isOurs: boolean): readonly string[] {
  if ('ram' in place) return [place.ram]
  // In somebody else's folder a file of that name is something else.
  return isOurs ? readFiles(dirname(place.qmp)) : []
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
  const files = [...ramFilesOf(place, true), ...readFiles(folder)]
  for (const path of new Set(files)) rmSync(path, { force: true })
  for (const name of ['qmp', 'state', 'log', listName]) rmSync(join(folder, name), { force: true })
  try {
    rmdirSync(folder)
  } catch {
    // Somebody else has a file there.
  }
}
