/**
 * Making directories with all that is above them.
 *
 * @module
 */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory, and those above it, for the owner alone; one that is there stays as it is.
 * Node's own recursive `mkdir` never ends where nothing can be made, as below `/proc`.
 *
 * @throws {Error} with an errno, as `mkdir` does
 */
export function makeDirectory(path: string): void {
  const thrown = make(path)
  if (thrown === undefined) return
  const parent = dirname(path)
  const isOrphan = codeOf(thrown) === 'ENOENT' && parent !== path && !existsSync(parent)
  if (!isOrphan) throw thrown
  makeDirectory(parent)
  const again = make(path)
  if (again !== undefined) throw again
}

/** @returns why the directory is not there */
function make(path: string): unknown {
  try {
    mkdirSync(path, { mode: 0o700 })
    return undefined
  } catch (thrown) {
    // Another process may have been first.
    const isThere = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    return isThere ? undefined : thrown
  }
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
}
