/**
 * Files of tests, in memory: by name, and to be changed at any time.
 *
 * @module
 */
import type { OpenFile } from '../src/primitives.ts'

export const memoryFiles: Map<string, Uint8Array> = new Map()

/** As far as the file goes, whatever became of it since it was opened. */
export const openFile: OpenFile = (path) => {
  if (!memoryFiles.has(path)) throw new Error(`no file ${path}`)
  return {
    read(into, at, byteCount, position) {
      const bytes = memoryFiles.get(path)
      if (bytes === undefined) throw new Error(`the file ${path} is gone`)
      // A few bytes at a time, as files may give them.
      const some = bytes.subarray(position, position + Math.min(byteCount, 5000))
      into.set(some, at)
      return some.length
    },
    close() {},
  }
}
