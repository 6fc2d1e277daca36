/**
 * What a guest's memory holds before its first step.
 *
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { GodwitError, type GuestIdentity } from '@godwit/core'
import {
  ContentGenerator,
  type ContentMix,
  CONTENT_PAGE_BYTES,
  fillRuns,
  parseContentMix,
} from './content.ts'
import { memoryBytesOf, WORK_PAGE_BYTES, workingSetOf } from './layout.ts'
import { LinearMemory } from './linear-memory.ts'
import { clearTags } from './page-cache.ts'

const readBytes = 1 << 20
/** Pages of a working set filled between two looks at whether to stop. */
const pagesPerLook = 512

/** The memory to fill: fresh, so all zeros. */
export interface InitialMemory {
  readonly regions: readonly Uint8Array[]
  /** Asked about every 2 MiB; true ends the filling early. */
  readonly shouldStop?: () => boolean
}

function open(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const text = `The file "${path}" cannot be opened to fill memory from it`
    throw new GodwitError('FILE_UNREADABLE', text, { cause: error })
  }
}

/** Writes all but pages of zeros, which fresh memory has already without being touched. */
function writeSparse(memory: LinearMemory, at: number, bytes: Uint8Array): void {
  let first = 0
  for (let page = 0; page < bytes.length; page += WORK_PAGE_BYTES) {
    const end = Math.min(page + WORK_PAGE_BYTES, bytes.length)
    if (!isZero(bytes, page, end)) continue
    if (first < page) memory.write(at + first, bytes.subarray(first, page))
    first = end
  }
  if (first < bytes.length) memory.write(at + first, bytes.subarray(first))
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/** Copies a file to the start of memory, by way of private memory. */
function fillFromFile(memory: LinearMemory, path: string, shouldStop: () => boolean): void {
  const file = open(path)
  try {
    const buffer = new Uint8Array(readBytes)
    for (let at = 0; !shouldStop(); ) {
      const count = readSync(file, buffer)
      if (count === 0) return
      if (at + count > memory.byteLength) {
        throw new GodwitError('GUEST_OPTION', `"${path}" is bigger than the guest's memory`)
      }
      writeSparse(memory, at, buffer.subarray(0, count))
      at += count
    }
  } catch (error) {
    if (error instanceof GodwitError) throw error
    const text = `The file "${path}" cannot be read to fill memory from it`
    throw new GodwitError('FILE_UNREADABLE', text, { cause: error })
  } finally {
    closeSync(file)
  }
}

/** Content, then a working set of heap or random pages; a short last page stays zero. */
function fillForWriter(
  identity: GuestIdentity,
  mix: ContentMix,
  target: Required<InitialMemory>,
): void {
  const { regions, shouldStop } = target
  const last = regions.at(-1)!
  const regionBytes = regions.map((region) => region.byteLength)
  const pages = workingSetOf(Number(identity.options['wss']), regionBytes)
  const start = pages.firstPage * WORK_PAGE_BYTES
  const end = memoryBytesOf(regions) - last.byteLength + start
  const generator = new ContentGenerator(Number(identity.options['seed']))
  fillRuns(new LinearMemory(regions), mix, generator, { end, shouldStop })
  const kind = identity.options['style'] === 'page' ? 'random' : 'heap'
  for (let page = 0; page < pages.pageCount; page++) {
    if (page % pagesPerLook === 0 && shouldStop()) return
    last.set(generator.page(kind), start + page * CONTENT_PAGE_BYTES)
  }
}

/**
 * Fills the fresh memory of a guest.
 *
 * @throws {GodwitError} `FILE_UNREADABLE`; `GUEST_OPTION` when its file is bigger than the memory
 */
export function fillMemory(identity: GuestIdentity, target: InitialMemory): void {
  const { regions, shouldStop = () => false } = target
  const { file, content, seed } = identity.options
  const memory = new LinearMemory(regions)
  if (file !== undefined) {
    fillFromFile(memory, String(file), shouldStop)
    return
  }
  const mix = parseContentMix(String(content))
  if (identity.kind === 'writer') fillForWriter(identity, mix, { regions, shouldStop })
  else fillRuns(memory, mix, new ContentGenerator(Number(seed)), { shouldStop })
  if (identity.kind === 'cache') clearTags(identity, regions)
}
