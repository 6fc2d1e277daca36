/**
 * Exact dirty tracking of stores that nobody reports, by the kernel's write protection.
 *
 * @module
 */
import { checkPageBytes, type DirtyTracker, GIB, GodwitError } from '@godwit/core'
import { PageBitmap, pagesCovering, type Region } from '@godwit/core'
import { PAGE_IS_PRESENT, PAGE_IS_SWAPPED } from './system-calls.ts'
import { isPrivateMemory, isSwappedOut, startOf } from './process-memory.ts'
import type { WriteWatch } from './write-watch.ts'

/** Bytes that one call of `collect` looks at; a GiB takes at most 12 ms (all of it dirty). */
const collectBytesMax = GIB

/** What to track, and with what. */
export interface PagemapOptions {
  /** Shared memory that starts at the border of a kernel page. Kept alive by the tracker. */
  readonly region: Region
  /** A migration's pages: a multiple of the kernel's. */
  readonly pageBytes: number
  /** Shared with other trackers of the same thread; it belongs to the caller. */
  readonly watch: WriteWatch
}

/**
 * Finds dirty pages by asking the kernel, whoever stored: JavaScript, WebAssembly, or a system call
 * on this process' behalf. A store of the value that is there already counts.
 *
 * The first store to a page after it was collected costs its thread a fault of about a microsecond;
 * later ones cost nothing, and so do loads.
 *
 * The memory must not be unmapped nor replaced while it is tracked. A `WebAssembly.Memory` may
 * grow; the new pages are no part of the region.
 */
export class PagemapTracker implements DirtyTracker {
  readonly name = 'pagemap'
  readonly collectPagesMax: number
  readonly #watch: WriteWatch
  readonly #pageBytes: number
  readonly #start: number
  /** The end of the last kernel page with a byte of the region. */
  readonly #end: number
  /** Pages that were ever touched, as far as is known; undefined where that cannot be known. */
  readonly #touched: PageBitmap | undefined
  /** While the kernel watches an address, the memory there must not be given back. */
  #bytes: Uint8Array | undefined

  /**
   * Protects all of the region; what was stored before is not reported.
   *
   * @throws {GodwitError} `USAGE` with a reason when the region or the page size does not fit,
   *   `INTERNAL` when the kernel refuses
   */
  constructor({ region, pageBytes, watch }: PagemapOptions) {
    const { kernelPageBytes } = watch.calls
    const start = startOf(region, watch.calls)
    if (checkPageBytes(pageBytes) % kernelPageBytes !== 0) {
      // Clearing a kernel page would clear pages of the migration that were not asked for.
      throw new GodwitError(
        'USAGE',
        `pages of ${pageBytes} bytes are smaller than the kernel's, of ${kernelPageBytes}`,
      )
    }
    this.#watch = watch
    this.#pageBytes = pageBytes
    this.#start = start
    this.#end = start + Math.ceil(region.bytes.byteLength / kernelPageBytes) * kernelPageBytes
    this.#bytes = region.bytes
    this.collectPagesMax = collectBytesMax / pageBytes
    // Looked at before protection, which makes untouched pages look like swapped ones, and again
    // right after it, for stores in between. Later ones are noted.
    if (isPrivateMemory(this.#start, this.#end)) {
      this.#touched = new PageBitmap(pagesCovering(region.bytes.byteLength, pageBytes))
      this.#find(PAGE_IS_PRESENT | PAGE_IS_SWAPPED, this.#touched)
    }
    watch.watch(this.#start, this.#end)
    if (this.#touched !== undefined) this.#find(PAGE_IS_PRESENT, this.#touched)
  }

  /**
   * A scan whose result is thrown away. It has a place for the result all the same: kernels before
   * 6.18 may crash on scans that have none ("fs/proc/task_mmu: check p->vec_buf for NULL").
   */
  reset(): void {
    this.#checkOpen()
    this.#scan(this.#start, this.#end, undefined)
  }

  collect(firstPage: number, pageCount: number, into: PageBitmap): number {
    this.#checkOpen()
    const from = this.#start + firstPage * this.#pageBytes
    const to = Math.min(this.#end, from + pageCount * this.#pageBytes)
    return this.#scan(from, to, into)
  }

  /** Takes the notes of a range. @returns pages found that were not in `into` */
  #scan(from: number, to: number, into: PageBitmap | undefined): number {
    const touched = this.#touched
    let found = 0
    // A scan may say that it stopped where it was interrupted last, although it went on to the end:
    // then the next one begins before pages that were reported, and finds what was stored there
    // since. Every run counts, wherever it is.
    for (let at = from; at < to; at = this.#watch.walkEnd) {
      const runs = this.#watch.scan(at, to)
      for (let run = 0; run < runs; run++) {
        const last = this.#pageOf(this.#watch.runEnd(run) - 1)
        for (let page = this.#pageOf(this.#watch.runStart(run)); page <= last; page++) {
          touched?.add(page)
          if (into === undefined || into.has(page)) continue
          into.add(page)
          found++
        }
      }
    }
    return found
  }

  /**
   * Pages that were not there when they were protected and that no scan has found stored to since.
   * A store in the microseconds between the two looks of the constructor is found by either of the
   * looks that follow, unless its page is swapped out, or just being moved, during both: with
   * swapped pages about, nothing is said to be untouched.
   */
  addUntouched(into: PageBitmap): void {
    this.#checkOpen()
    const touched = this.#touched
    if (touched === undefined || isSwappedOut()) return
    this.#find(PAGE_IS_PRESENT, touched)
    const { words } = touched
    for (let i = 0; i < words.length; i++) into.words[i]! |= ~words[i]!
    for (let page = touched.pageCount; page % 32 !== 0; page++) into.delete(page)
  }

  /** Adds pages with some part in one of the categories `anyOf` that was touched. */
  #find(anyOf: number, into: PageBitmap): void {
    for (let at = this.#start; at < this.#end; at = this.#watch.walkEnd) {
      const runs = this.#watch.find(at, this.#end, anyOf)
      for (let run = 0; run < runs; run++) {
        const last = this.#pageOf(this.#watch.runEnd(run) - 1)
        for (let page = this.#pageOf(this.#watch.runStart(run)); page <= last; page++) {
          into.add(page)
        }
      }
    }
  }

  #pageOf(address: number): number {
    return Math.floor((address - this.#start) / this.#pageBytes)
  }

  /** Lifts the protection. Safe at any time, also while other threads store; twice is once. */
  close(): void {
    if (this.#bytes === undefined) return
    this.#watch.unwatch(this.#start)
    this.#bytes = undefined
  }

  #checkOpen(): void {
    if (this.#bytes === undefined) throw new Error('the tracker is closed')
  }
}
