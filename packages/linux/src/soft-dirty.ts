/**
 * The kernel's soft-dirty bits of another process, which has a file in its memory: which pages of
 * the file it stored to (`CONFIG_MEM_SOFT_DIRTY`, documentation of the kernel:
 * `admin-guide/mm/soft-dirty`).
 *
 * All bits of a process are cleared at once, and looking and clearing are two requests: a store in
 * between would be lost. So they are cleared when a migration begins, and never again in it.
 *
 * What the kernel forgets when a page leaves the memory of the process: it does not for pages that
 * are moved, and does for those that are swapped out, become a hole, or are split from a huge one.
 * Where that may have happened the bits do not count any more, see {@link SoftDirtyMarks.lost}.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { PageBitmap, pagesCovering, type StoreMarks } from '@godwit/core'
import { type FileId, type FileMapper, findMappers, mappingsOf } from './file-mappers.ts'

/** What is marked: a file, which this process has open, too. */
export interface MarkedFile {
  readonly path: string
  readonly file: number
  /** Pieces of the file, in order, without gaps. */
  readonly regionBytes: readonly number[]
  readonly kernelPageBytes: number
}

/** Of `statfs`. */
const tmpfsType = 0x0102_1994
const entryBytes = 8
/** In the upper half of an entry of `pagemap`: bit 55 of 64. */
const softDirtyBit = 1 << 23
/** Entries that are read in one go: 1 GiB of pages of 4 KiB in 32 of them. */
const entriesAtOnce = 8192
/** Counters of all pages that were looked at to be swapped out, and of those that were. */
const reclaimCounters = /^(?:pgscan_anon|pswpout|zswpout) \d+$/gm
/** Right after they are cleared no more pages are marked than this share of all. */
const leftShareMax = 1 / 2

/** Of a process that somebody else runs. */
export class SoftDirtyMarks implements StoreMarks {
  readonly name = 'soft-dirty'
  readonly lacking = undefined
  readonly #proc: string
  readonly #place: MarkedFile
  readonly #id: FileId
  readonly #mapper: FileMapper
  readonly #pagemap: number
  readonly #clearing: number
  readonly #entries: Buffer = Buffer.alloc(entriesAtOnce * entryBytes)
  /** Pages of the kernel, all of the file; what counts as stored to, as of the last look. */
  #marked: PageBitmap
  #lost: string | undefined
  #isBegun = false
  #reclaim = ''
  #blocks = 0
  #isOpen = true

  /** @throws as the file system does */
  private constructor(proc: string, place: MarkedFile, id: FileId, mapper: FileMapper) {
    this.#proc = proc
    this.#place = place
    this.#id = id
    this.#mapper = mapper
    const folder = join(proc, `${mapper.pid}`)
    // Both stay those of this very process, whoever has its number later.
    this.#pagemap = openSync(join(folder, 'pagemap'), 'r')
    try {
      this.#clearing = openSync(join(folder, 'clear_refs'), constants.O_WRONLY)
    } catch (error) {
      closeSync(this.#pagemap)
      throw error
    }
    this.#marked = this.#createPages()
  }

  /**
   * Looks whether the kernel has such bits, and they can be trusted; clears none.
   *
   * @param proc - where the kernel tells of processes
   * @returns what must be closed, or why there is none
   */
  static open(place: MarkedFile, proc = '/proc'): SoftDirtyMarks | { readonly reason: string } {
    try {
      const id = fstatSync(place.file)
      const mappers = findMappers(proc, id)
      const reason = reasonAgainst(proc, place.path, mappers)
      if (reason !== undefined) return { reason }
      const marks = new SoftDirtyMarks(proc, place, id, mappers[0]!)
      const found = marks.#read()
      if (found !== undefined && found.size > 0) return marks
      marks.close()
      return { reason: 'this kernel does not keep them (CONFIG_MEM_SOFT_DIRTY)' }
    } catch (error) {
      return { reason: `the kernel does not tell of that process (${codeOf(error)})` }
    }
  }

  get lost(): string | undefined {
    return this.#lost
  }

  begin(): void {
    if (!this.#isOpen) return
    this.#isBegun = true
    try {
      this.#lost = undefined
      this.#reclaim = this.#readReclaim()
      this.#blocks = fstatSync(this.#place.file).blocks
      writeSync(this.#clearing, '4')
      // From here on, with what is stored to while this looks.
      this.#marked = this.#createPages()
      const { pageCount } = this.#marked
      const left = this.#read()?.size ?? pageCount
      if (left > pageCount * leftShareMax) this.#lost = 'the kernel does not clear them'
    } catch (error) {
      this.#lost = `they cannot be cleared (${codeOf(error)})`
    }
  }

  findUnmarked(pageBytes: number): readonly PageBitmap[] | undefined {
    if (!this.#isBegun || this.#lost !== undefined) return undefined
    try {
      const marked = this.#read()
      this.#lost = this.#reasonNow(marked)
      if (marked === undefined || this.#lost !== undefined) return undefined
      this.#marked = marked
      return this.#unmarkedOf(marked, pageBytes)
    } catch (error) {
      this.#lost = `they cannot be read (${codeOf(error)})`
      return undefined
    }
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#lost ??= 'nobody looks at them any more'
    closeSync(this.#pagemap)
    closeSync(this.#clearing)
  }

  /** Whether marks may have got lost before they were read. */
  #reasonNow(marked: PageBitmap | undefined): string | undefined {
    if (marked === undefined) return 'the memory of that process is not where it was'
    const { blocks } = fstatSync(this.#place.file)
    const hasHoles = blocks < this.#blocks
    this.#blocks = blocks
    if (hasHoles) return 'memory was given back meanwhile'
    if (this.#readReclaim() !== this.#reclaim) return 'the kernel was short of memory meanwhile'
    if (marked.size === 0) return 'no store was marked'
    for (const [word, old] of this.#marked.words.entries()) {
      if ((old & ~marked.words[word]!) !== 0) return 'somebody else cleared them meanwhile'
    }
    return undefined
  }

  #readReclaim(): string {
    const counters = readFileSync(join(this.#proc, 'vmstat'), 'latin1').match(reclaimCounters)
    if (counters === null) throw new Error('no pgscan_anon in vmstat')
    return counters.join(' ')
  }

  #createPages(): PageBitmap {
    const { regionBytes, kernelPageBytes } = this.#place
    const byteLength = regionBytes.reduce((sum, bytes) => sum + bytes, 0)
    return new PageBitmap(pagesCovering(byteLength, kernelPageBytes))
  }

  /**
   * The pages of the file that are marked, or that the process does not have in its memory.
   *
   * @returns undefined: what it has is not what it had
   */
  #read(): PageBitmap | undefined {
    const { pid, mappings } = this.#mapper
    const now = mappingsOf(this.#proc, pid, this.#id)
    if (JSON.stringify(now) !== JSON.stringify(mappings)) return undefined
    const { kernelPageBytes } = this.#place
    const marked = this.#createPages()
    const { pageCount } = marked
    let page = 0
    for (const { start, end, offset } of mappings) {
      const first = offset / kernelPageBytes
      for (; page < Math.min(first, pageCount); page++) marked.add(page)
      const last = Math.min(pageCount, first + (end - start) / kernelPageBytes)
      this.#readRange(start / kernelPageBytes, first, last, marked)
      page = Math.max(page, last)
    }
    for (; page < pageCount; page++) marked.add(page)
    return marked
  }

  /** @param at - page of the process that is `first` of the file */
  #readRange(at: number, first: number, last: number, marked: PageBitmap): void {
    const { buffer, byteOffset, length } = this.#entries
    const halves = new Uint32Array(buffer, byteOffset, length / 4)
    for (let page = first; page < last; ) {
      const count = Math.min(entriesAtOnce, last - page)
      const position = (at + page - first) * entryBytes
      const read = readSync(this.#pagemap, this.#entries, 0, count * entryBytes, position)
      if (read !== count * entryBytes) throw new Error('the process has ended')
      for (let entry = 0; entry < count; entry++) {
        if ((halves[entry * 2 + 1]! & softDirtyBit) !== 0) marked.add(page + entry)
      }
      page += count
    }
  }

  #unmarkedOf(marked: PageBitmap, pageBytes: number): readonly PageBitmap[] {
    const { regionBytes, kernelPageBytes } = this.#place
    const kernelPages = pageBytes / kernelPageBytes
    let first = 0
    return regionBytes.map((bytes) => {
      const unmarked = PageBitmap.shared(pagesCovering(bytes, pageBytes))
      const last = first + pagesCovering(bytes, kernelPageBytes)
      unmarked.addAll()
      for (let page = marked.nextSet(first, last); page < last; ) {
        const whole = Math.floor((page - first) / kernelPages)
        unmarked.delete(whole)
        page = marked.nextSet(Math.min(last, first + (whole + 1) * kernelPages), last)
      }
      first = last
      return unmarked
    })
  }
}

/** Why the bits of whoever has the file in its memory would not tell of all stores. */
function reasonAgainst(
  proc: string,
  path: string,
  mappers: readonly FileMapper[],
): string | undefined {
  if (statfsSync(path).type !== tmpfsType) return 'the file is on a disk, not in memory (tmpfs)'
  const [mapper, ...others] = mappers
  if (mapper === undefined) return 'no process that may be looked at has the file in its memory'
  const { pid, mappings } = mapper
  if (others.length > 0) {
    const pids = mappers.map((each) => each.pid).join(', ')
    return `several processes store to the file (${pids})`
  }
  for (const [index, { offset }] of mappings.entries()) {
    const last = mappings[index - 1]
    if (last !== undefined && offset < last.offset + last.end - last.start) {
      return 'the process has parts of the file in its memory twice'
    }
  }
  return mayBeHuge(proc, pid, mappings) ? 'the memory may be in huge pages' : undefined
}

/** Parts of what are huge pages now or later; older kernels than 5.0 do not tell. */
function mayBeHuge(proc: string, pid: number, mappings: FileMapper['mappings']): boolean {
  const starts = new Set(mappings.map(({ start }) => start))
  const parts = readFileSync(join(proc, `${pid}`, 'smaps'), 'latin1').split(/^(?=[0-9a-f]+-)/m)
  const small = parts.filter((part) => {
    return starts.has(Number.parseInt(part, 16)) && /^THPeligible:\s+0$/m.test(part)
  })
  return small.length !== mappings.length
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  return code ?? message ?? String(error)
}
