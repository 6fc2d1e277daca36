/**
 * Places pages of one region behind a userfaultfd, from any thread.
 *
 * @module
 */
import type { PagePlacer, PlacingParts, PlacingRegion } from '@godwit/core'
import { FaultLog, pagesCovering } from '@godwit/core'
import { msSince } from './fault-clock.ts'
import type { SystemCalls } from './system-calls.ts'
import { UserfaultPages } from './userfault-pages.ts'

/** One placer per region, for the calling thread. */
export function createPlacers(calls: SystemCalls, parts: PlacingParts): UserfaultPlacer[] {
  const pages = new UserfaultPages(calls, parts.descriptor)
  return parts.regions.map((region) => new UserfaultPlacer(pages, parts, region))
}

/**
 * Puts pages in place; each call is one or two of the kernel's. It never waits for other threads of
 * this process: those may be held up by the very page that is placed here.
 */
export class UserfaultPlacer implements PagePlacer {
  readonly #pages: UserfaultPages
  readonly #region: PlacingRegion
  readonly #pageBytes: number
  readonly #log: FaultLog
  readonly #tailAddress: number
  /** Where memory was last that pages came from; it stays there while it is the same buffer. */
  #buffer: ArrayBufferLike | undefined
  #address = 0

  constructor(pages: UserfaultPages, { pageBytes, log }: PlacingParts, region: PlacingRegion) {
    this.#pages = pages
    this.#region = region
    this.#pageBytes = pageBytes
    this.#log = new FaultLog(log)
    const { tail } = region
    this.#tailAddress = tail.length === 0 ? 0 : pages.calls.addressOf(tail)
  }

  put(firstPage: number, bytes: Uint8Array, start: number, end: number): void {
    const { tail } = this.#region
    const to = this.#region.start + firstPage * this.#pageBytes
    // Only the region's last page may end within a kernel page.
    const rest = (end - start) % this.#pages.calls.kernelPageBytes
    const whole = end - start - rest
    if (whole > 0) this.#pages.copy(to, this.#addressOf(bytes) + start, whole)
    if (rest > 0) {
      tail.set(bytes.subarray(start + whole, end))
      this.#pages.copy(to + whole, this.#tailAddress, tail.length)
    }
    this.#placed(firstPage, firstPage + pagesCovering(end - start, this.#pageBytes))
  }

  clear(firstPage: number, endPage: number): void {
    const { start, byteLength, tail } = this.#region
    const from = firstPage * this.#pageBytes
    const to = Math.min(byteLength, endPage * this.#pageBytes)
    const rest = to % this.#pages.calls.kernelPageBytes
    const whole = to - rest
    if (whole > from) this.#pages.zero(start + from, whole - from)
    if (rest > 0) {
      tail.fill(0, 0, rest)
      this.#pages.copy(start + whole, this.#tailAddress, tail.length)
    }
    this.#placed(firstPage, endPage)
  }

  #addressOf({ buffer, byteOffset }: Uint8Array): number {
    if (buffer !== this.#buffer) {
      this.#address = this.#pages.calls.addressOf(new Uint8Array(buffer))
      this.#buffer = buffer
    }
    return this.#address + byteOffset
  }

  /** How long threads waited, as far as that was heard of. */
  #placed(firstPage: number, endPage: number): void {
    const { since } = this.#region
    for (let page = firstPage; page < endPage; page++) {
      if (Atomics.load(since, page) === 0) continue
      const began = Atomics.exchange(since, page, 0)
      if (began !== 0) this.#log.add(msSince(began))
    }
  }
}
