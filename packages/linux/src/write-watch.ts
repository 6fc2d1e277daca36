/**
 * Asynchronous write protection: the kernel notes which pages are stored to.
 *
 * @module
 */
import { closeSync, openSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import { addressAt, putAddress } from './address-words.ts'
import {
  PAGE_IS_PFNZERO,
  PAGE_IS_PRESENT,
  PAGE_IS_WRITTEN,
  PAGEMAP_SCAN,
  PM_SCAN_CHECK_WPASYNC,
  PM_SCAN_WP_MATCHING,
  type SystemCalls,
  UFFD_API,
  UFFD_FEATURE_WP_ASYNC,
  UFFD_FEATURE_WP_UNPOPULATED,
  UFFD_USER_MODE_ONLY,
  UFFDIO_API,
  UFFDIO_REGISTER,
  UFFDIO_REGISTER_MODE_WP,
  UFFDIO_UNREGISTER,
  UFFDIO_WRITEPROTECT,
  UFFDIO_WRITEPROTECT_MODE_WP,
} from './system-calls.ts'

/** Most runs of pages that one scan reports: 96 KiB. A scan that finds more is continued. */
const runsMax = 4096
/** `struct page_region` of `linux/fs.h`: u64 start, end, categories; in 32-bit words. */
const runWords = 6
/** `struct pm_scan_arg` of `linux/fs.h`: twelve u64, 96 bytes. Offsets in 32-bit words. */
const scanBytes = 96
const scanWord = { start: 4, end: 6, walkEnd: 8, anyOf: 20 } as const

/**
 * One userfaultfd and one `/proc/self/pagemap`, for any number of ranges of this process' memory.
 * Addresses are numbers (below 2 ** 53), ranges are `[start, end)` at borders of kernel pages.
 *
 * **Unpopulated pages.** A page that was never touched has nothing to protect, and would count as
 * written. `WP_UNPOPULATED` lets the protection of the whole range reach those, too; `WP_ASYNC`
 * brings it along since it exists, but the interface does not promise that.
 *
 * **Huge pages.** Where the kernel backs a range by transparent huge pages, it splits one at the
 * first store after it was protected, so that what is reported is still exact to a kernel page.
 *
 * **Closing is safe at any time**, also while other threads store: with asynchronous protection
 * nobody ever waits for this descriptor, and the kernel lifts the protection that is left.
 */
export class WriteWatch {
  readonly calls: SystemCalls
  /** Where the last {@link scan} or {@link find} stopped; everything before is reported. */
  walkEnd = 0
  readonly #userfault: number
  readonly #pagemap: number
  /** Ranges that are watched: end by start. */
  readonly #ranges: Map<number, number> = new Map()
  readonly #scan: BigUint64Array = new BigUint64Array(scanBytes / 8)
  readonly #find: BigUint64Array = new BigUint64Array(scanBytes / 8)
  readonly #runs: Uint32Array = new Uint32Array(runsMax * runWords)
  #isClosed = false

  /** @throws {GodwitError} `INTERNAL` when the kernel refuses; nothing stays open then */
  constructor(calls: SystemCalls) {
    this.calls = calls
    this.#prepare()
    this.#userfault = calls.openUserfault(UFFD_USER_MODE_ONLY)
    try {
      const features = UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_WP_UNPOPULATED
      const api = BigUint64Array.of(BigInt(UFFD_API), BigInt(features), 0n)
      calls.ioctl('userfaultfd WP_ASYNC (Linux 6.7)', this.#userfault, UFFDIO_API, api)
      this.#pagemap = openSync('/proc/self/pagemap', 'r')
    } catch (error) {
      closeSync(this.#userfault)
      throw error
    }
  }

  /** Every field of the arguments that is the same for all calls. */
  #prepare(): void {
    const vec = this.calls.addressOf(new Uint8Array(this.#runs.buffer))
    // size, flags, start, end, walk_end, vec, vec_len, max_pages, and the categories: inverted,
    // all of, any of, reported.
    const flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC
    const scan = [scanBytes, flags, 0, 0, 0, vec, runsMax, 0, 0, PAGE_IS_WRITTEN, 0]
    this.#scan.set([...scan, PAGE_IS_WRITTEN].map(BigInt))
    const find = [scanBytes, 0, 0, 0, 0, vec, runsMax, 0, PAGE_IS_PFNZERO, PAGE_IS_PFNZERO, 0]
    this.#find.set([...find, PAGE_IS_PRESENT].map(BigInt))
  }

  /**
   * Protects a range: from here on, stores to it are noted.
   *
   * @throws {GodwitError} `USAGE` when it overlaps a range that is watched: each would take the
   *   other's notes; `INTERNAL` when the kernel refuses
   */
  watch(start: number, end: number): void {
    for (const [otherStart, otherEnd] of this.#ranges) {
      if (start >= otherEnd || otherStart >= end) continue
      throw new GodwitError('USAGE', 'two regions share memory; their stores cannot be told apart')
    }
    const length = BigInt(end - start)
    const range = BigUint64Array.of(BigInt(start), length, BigInt(UFFDIO_REGISTER_MODE_WP), 0n)
    this.calls.ioctl('UFFDIO_REGISTER', this.#userfault, UFFDIO_REGISTER, range)
    this.#ranges.set(start, end)
    try {
      const mode = BigInt(UFFDIO_WRITEPROTECT_MODE_WP)
      const whole = BigUint64Array.of(BigInt(start), length, mode)
      this.calls.ioctl('UFFDIO_WRITEPROTECT', this.#userfault, UFFDIO_WRITEPROTECT, whole)
    } catch (error) {
      this.unwatch(start)
      throw error
    }
  }

  /** Lifts the protection of the range that starts there; nothing when there is none. */
  unwatch(start: number): void {
    const end = this.#ranges.get(start)
    if (end === undefined || this.#isClosed) return
    this.#ranges.delete(start)
    const range = BigUint64Array.of(BigInt(start), BigInt(end - start))
    this.calls.ioctl('UFFDIO_UNREGISTER', this.#userfault, UFFDIO_UNREGISTER, range)
  }

  /**
   * Finds the pages of `[start, end)` that were stored to, in runs, and protects them again.
   *
   * The kernel does both for a page under the lock of its page table: a store comes either before,
   * and is reported now and visible to who copies the page next, or after, and is reported by the
   * next scan. Looking first and protecting in a second call would lose the stores in between.
   *
   * @returns runs found, for {@link runStart} and {@link runEnd}; valid until the next call. The
   *   rest of the range, from {@link walkEnd} on, is untouched when the runs were too many.
   */
  scan(start: number, end: number): number {
    return this.#walk(this.#scan, start, end)
  }

  /**
   * Finds the pages of `[start, end)` that are in one of the categories `anyOf` and not the
   * kernel's page of zeros. Protects nothing; else as {@link scan}.
   */
  find(start: number, end: number, anyOf: number): number {
    this.#find[scanWord.anyOf / 2] = BigInt(anyOf)
    return this.#walk(this.#find, start, end)
  }

  #walk(argument: BigUint64Array, start: number, end: number): number {
    // Addresses are written and read in halves, which allocates no bigint.
    const words = new Uint32Array(argument.buffer)
    putAddress(words, scanWord.start, start)
    putAddress(words, scanWord.end, end)
    const found = this.calls.ioctl('PAGEMAP_SCAN', this.#pagemap, PAGEMAP_SCAN, argument)
    this.walkEnd = addressAt(words, scanWord.walkEnd)
    if (this.walkEnd <= start) throw new GodwitError('INTERNAL', 'PAGEMAP_SCAN makes no progress')
    return found
  }

  runStart(index: number): number {
    return addressAt(this.#runs, index * runWords)
  }

  runEnd(index: number): number {
    return addressAt(this.#runs, index * runWords + 2)
  }

  /** Forgets all ranges and closes both descriptors. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeSync(this.#pagemap)
    closeSync(this.#userfault)
  }
}
