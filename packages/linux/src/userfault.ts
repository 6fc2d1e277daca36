/**
 * Memory whose missing pages make threads wait: a userfaultfd over some regions.
 *
 * @module
 */
import { closeSync } from 'node:fs'
import { GodwitError, type Region } from '@godwit/core'
import { isPrivateMemory, startOf } from './process-memory.ts'
import {
  type SystemCalls,
  UFFD_API,
  UFFD_USER_MODE_ONLY,
  UFFDIO_API,
  UFFDIO_REGISTER,
  UFFDIO_REGISTER_MODE_MISSING,
  UFFDIO_UNREGISTER,
} from './system-calls.ts'

/** A region in the address space. */
interface Range {
  readonly region: Region
  readonly start: number
  /** The end of the last kernel page with a byte of the region. */
  readonly end: number
  /** The last kernel page, where the region ends within it; see `PlacingRegion.tail`. */
  readonly tail: Uint8Array
}

/**
 * One descriptor for all regions of a guest. Threads that touch what is missing wait in the kernel,
 * in plain loads and stores, until the page is put in its place.
 *
 * **Registered first, dropped afterwards.** Between the two, the other way round, the kernel may
 * fill what is missing with zeros on its own, to make a huge page of it; then nobody would wait.
 *
 * **Closing lets threads see zeros** where pages are missing. So who waits would go on with memory
 * that is wrong: the caller closes this only when all pages are there.
 */
export class Userfault {
  readonly calls: SystemCalls
  /** For `poll`, and for who places pages on other threads. */
  readonly descriptor: number
  /**
   * Whether system calls wait for missing pages, as threads do. Else they fail with `EFAULT`, since
   * this process has no right to more; the guest must not hand missing memory to system calls.
   */
  readonly servesSystemCalls: boolean
  readonly ranges: readonly Range[]
  #isRegistered = false
  #isClosed = false

  /**
   * @throws {GodwitError} `USAGE` with a reason when a region does not fit, `INTERNAL` when the
   *   kernel refuses; nothing stays open then
   */
  constructor(calls: SystemCalls, regions: readonly Region[]) {
    this.calls = calls
    this.ranges = regions.map((region) => rangeOf(region, calls))
    checkApart(this.ranges)
    const opened = open(calls)
    this.descriptor = opened.descriptor
    this.servesSystemCalls = opened.servesSystemCalls
  }

  get isRegistered(): boolean {
    return this.#isRegistered
  }

  /** From here on, who touches a page that is not there waits for it. */
  register(): void {
    // Before: this thread would wait for itself.
    this.ranges.forEach(keepTail)
    const mode = BigInt(UFFDIO_REGISTER_MODE_MISSING)
    for (const { start, end } of this.ranges) {
      const range = BigUint64Array.of(BigInt(start), BigInt(end - start), mode, 0n)
      this.calls.ioctl('UFFDIO_REGISTER', this.descriptor, UFFDIO_REGISTER, range)
    }
    this.#isRegistered = true
  }

  /** Bytes `[from, to)` of a region, at borders of kernel pages or its end, are missing. */
  drop(region: number, from: number, to: number): void {
    const { start, end } = this.ranges[region]!
    const dropEnd = Math.min(end, start + to)
    this.calls.dropPages(start + from, dropEnd - start - from)
  }

  /** Nobody waits any longer, and pages that are still missing become zero. Twice is once. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // Whatever keeps the descriptor open elsewhere, another one may have the memory.
    if (this.#isRegistered) this.#unregister()
    closeSync(this.descriptor)
  }

  #unregister(): void {
    for (const { start, end } of this.ranges) {
      const range = BigUint64Array.of(BigInt(start), BigInt(end - start))
      this.calls.ioctl('UFFDIO_UNREGISTER', this.descriptor, UFFDIO_UNREGISTER, range)
    }
  }
}

function rangeOf(region: Region, calls: SystemCalls): Range {
  const { kernelPageBytes } = calls
  const { name, bytes } = region
  const start = startOf(region, calls)
  const end = start + Math.ceil(bytes.length / kernelPageBytes) * kernelPageBytes
  if (!isPrivateMemory(start, end)) {
    const text = `region "${name}" has a file behind it, or another process; its pages stay there`
    throw new GodwitError('USAGE', text)
  }
  const tailBytes = bytes.length % kernelPageBytes === 0 ? 0 : kernelPageBytes
  return { region, start, end, tail: new Uint8Array(new SharedArrayBuffer(tailBytes)) }
}

/** What is behind the region, in its last kernel page, goes with that page and comes with it. */
function keepTail({ region: { bytes }, tail }: Range): void {
  if (tail.length === 0) return
  const used = bytes.length % tail.length
  const behind = new Uint8Array(bytes.buffer, bytes.byteOffset + bytes.length)
  tail.set(behind.subarray(0, tail.length - used), used)
}

function checkApart(ranges: readonly Range[]): void {
  const sorted = ranges.toSorted((a, b) => a.start - b.start)
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i - 1]!.end <= sorted[i]!.start) continue
    throw new GodwitError('USAGE', 'two regions share memory; their pages cannot be told apart')
  }
}

/** With all rights, if there are any. */
function open(calls: SystemCalls): { descriptor: number; servesSystemCalls: boolean } {
  const opened = openBest(calls)
  try {
    const api = BigUint64Array.of(BigInt(UFFD_API), 0n, 0n)
    calls.ioctl('UFFDIO_API', opened.descriptor, UFFDIO_API, api)
  } catch (error) {
    closeSync(opened.descriptor)
    throw error
  }
  return opened
}

function openBest(calls: SystemCalls): { descriptor: number; servesSystemCalls: boolean } {
  try {
    return { descriptor: calls.openUserfault(0), servesSystemCalls: true }
  } catch {
    const descriptor = calls.openUserfault(UFFD_USER_MODE_ONLY)
    return { descriptor, servesSystemCalls: false }
  }
}
