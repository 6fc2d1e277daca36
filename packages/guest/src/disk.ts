/**
 * The workload that reads a large file from disk, in sequence and again and again, through memory
 * that it uses as its page cache: `disk`.
 *
 * The file is of the machine that the guest runs on, and the same on all: made from the seed when
 * the guest comes there, and without a name, so that it is gone with the guest.
 *
 * @module
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GodwitError, type GuestIdentity } from '@godwit/core'
import { CURSOR, type Registers, STEPS } from './control-block.ts'
import { WORK_PAGE_BYTES, type WorkPages, workingSetOf } from './layout.ts'
import type { Workload } from './workload.ts'
import {
  type Enter,
  entriesOf,
  type Mark,
  markerOf,
  type WorkloadMemory,
  wordsOf,
} from './workload-memory.ts'
import { makePool } from './writer.ts'

const pageWords = WORK_PAGE_BYTES / 4
/** Of the numbers of chunks, so that no two chunks are alike. */
const CHUNK_FACTOR = 0x9e3779b1

/** What the cursor stays below: pages of the file. */
export function diskPages(identity: GuestIdentity): number {
  return Number(identity.options['size']) / WORK_PAGE_BYTES
}

/** The file's content, in chunks as long as the pool that they are made from. */
function writeContent(file: number, seed: number, bytes: number): void {
  const pool = makePool(seed)
  const chunk = new Int32Array(pool.length)
  const chunkBytes = new Uint8Array(chunk.buffer)
  for (let at = 0, number = 1; at < bytes; at += chunkBytes.length, number++) {
    const change = Math.imul(number, CHUNK_FACTOR)
    for (let i = 0; i < pool.length; i++) chunk[i] = pool[i]! ^ change
    writeSync(file, chunkBytes, 0, Math.min(chunkBytes.length, bytes - at), at)
  }
}

/** @returns its descriptor @throws {GodwitError} `GUEST_FAILED` */
function createFile(seed: number, bytes: number): number {
  let folder: string | undefined
  let file: number | undefined
  try {
    folder = mkdtempSync(join(tmpdir(), 'godwit-disk-'))
    file = openSync(join(folder, 'file'), 'wx+')
    rmSync(folder, { recursive: true })
    writeContent(file, seed, bytes)
    return file
  } catch (cause) {
    if (file !== undefined) closeSync(file)
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    const text = `The file of guest disk could not be made in ${tmpdir()}`
    throw new GodwitError('GUEST_FAILED', text, { cause })
  }
}

interface DiskParts {
  readonly file: number
  readonly filePages: number
  readonly cache: WorkPages
  readonly words: Int32Array
  readonly enter: Enter
  readonly mark: Mark
  readonly registers: Registers
  /** A page on its way: a read is never into memory that others see. */
  readonly page: Int32Array
  readonly pageBytes: Uint8Array
}

function step(parts: DiskParts, count: number): void {
  const { file, filePages, cache, words, enter, mark, page, pageBytes } = parts
  const { counts, lanes } = parts.registers
  let cursor = counts[CURSOR]!
  for (let i = 0; i < count; i++) {
    const read = readSync(file, pageBytes, 0, WORK_PAGE_BYTES, cursor * WORK_PAGE_BYTES)
    if (read !== WORK_PAGE_BYTES) throw new GodwitError('GUEST_FAILED', 'The file was cut short')
    let sum = 0
    for (let word = 0; word < pageWords; word++) sum = (sum + page[word]!) | 0
    const slot = cache.firstPage + (counts[STEPS]! % cache.pageCount)
    enter(slot)
    words.set(page, slot * pageWords)
    mark(slot)
    lanes[0] = (lanes[0]! + sum) | 0
    lanes[1] = Math.imul(lanes[1]! ^ sum, 0x01000193) + 1
    cursor = cursor + 1 === filePages ? 0 : cursor + 1
    counts[STEPS]! += 1
  }
  counts[CURSOR] = cursor
}

/**
 * A step reads one page of the file into the oldest page of the cache, and adds it up. Makes the
 * file first.
 *
 * @throws {GodwitError} `GUEST_FAILED`: there is no room for it
 */
export function createDisk(
  identity: GuestIdentity,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const { options } = identity
  const regionBytes = memory.regions.map((region) => region.byteLength)
  const page = new Int32Array(pageWords)
  const parts: DiskParts = {
    file: createFile(Number(options['seed']), Number(options['size'])),
    filePages: diskPages(identity),
    cache: workingSetOf(Number(options['wss']), regionBytes),
    words: wordsOf(memory.regions.at(-1)!),
    enter: entriesOf(memory).at(-1)!,
    mark: markerOf(memory, regionBytes.length - 1),
    registers,
    page,
    pageBytes: new Uint8Array(page.buffer),
  }
  return { step: (count) => step(parts, count) }
}
