/**
 * A migration in small: memory, its tracker, and a copy that is kept up to date.
 *
 * @module
 */
import { type DirtyTracker, PageBitmap, pageRunBytes, pagesCovering } from '@godwit/core'
import { allocateShared, type SharedMemory, sourceBytes, wasmPageBytes } from './store-kinds.ts'

/** Memory to be tracked: shared, page-aligned, in the middle of a `WebAssembly.Memory`. */
export interface RegionToTrack {
  readonly bytes: Uint8Array
  readonly pageBytes: number
  /** The last page is a short one. */
  readonly pageCount: number
}

/** A tracker, and what it needs others to do. */
export interface TrackedRegion {
  readonly tracker: DirtyTracker
  /** For trackers that see no store by themselves: called after each, on this thread. */
  readonly mark?: (page: number) => void
  /** The same for other threads: they store 1 to the page's byte, by `Atomics.store`. */
  readonly marks?: Uint8Array
  /** For trackers that compare with the copy: called when `page` of it was made. */
  readonly copied?: (page: number, copy: Uint8Array) => void
  close?(): void
}

export type TrackerSetup = (region: RegionToTrack) => TrackedRegion | Promise<TrackedRegion>

/** Memory, its tracker, and a copy that is kept up to date the way a migration does. */
export class TrackedCopy {
  readonly memory: SharedMemory
  readonly bytes: Uint8Array
  readonly copy: Uint8Array
  readonly pageBytes: number
  readonly pageCount: number
  readonly tracked: TrackedRegion
  readonly #dirty: PageBitmap

  private constructor(memory: SharedMemory, region: RegionToTrack, tracked: TrackedRegion) {
    this.memory = memory
    this.bytes = region.bytes
    this.pageBytes = region.pageBytes
    this.pageCount = region.pageCount
    this.tracked = tracked
    this.copy = new Uint8Array(region.bytes.length)
    this.#dirty = new PageBitmap(region.pageCount)
  }

  static async create(
    setup: TrackerSetup,
    pageBytes: number,
    pageCount: number,
  ): Promise<TrackedCopy> {
    const byteLength = (pageCount - 1) * pageBytes + 1001
    const pages = pagesCovering(byteLength, wasmPageBytes) + 2
    const memory = allocateShared(pages)
    const bytes = new Uint8Array(memory.buffer, wasmPageBytes, byteLength)
    // What stores copy from: different everywhere.
    const source = new Uint8Array(memory.buffer, 0, sourceBytes)
    for (let at = 0; at < source.length; at++) source[at] = 1 + (at % 251)
    // Even pages stay unpopulated: the kernel has none for them until the first store.
    for (const page of [0, ...Array(pageCount).keys()].filter((page, i) => i === 0 || page % 2)) {
      bytes.fill(0x55, page * pageBytes, (page + 1) * pageBytes)
    }
    const region = { bytes, pageBytes, pageCount }
    const made = new TrackedCopy(memory, region, await setup(region))
    made.restart()
    return made
  }

  /** The start of a migration: everything is copied. */
  restart(): void {
    this.tracked.tracker.reset()
    for (let page = 0; page < this.pageCount; page++) this.#copyPage(page)
  }

  /** One round: collects, then copies. @returns the pages found */
  collect(firstPage = 0, pageCount: number = this.pageCount): number[] {
    const dirty = this.#dirty
    dirty.clear()
    const found = this.tracked.tracker.collect(firstPage, pageCount, dirty)
    const pages: number[] = []
    for (let page = dirty.nextSet(0); page < this.pageCount; page = dirty.nextSet(page + 1)) {
      this.#copyPage(page)
      pages.push(page)
    }
    if (found !== pages.length) throw new Error(`${found} pages found, ${pages.length} added`)
    return pages
  }

  #copyPage(page: number): void {
    const start = page * this.pageBytes
    this.copy.set(this.bytes.subarray(start, start + this.pageBytes), start)
    this.tracked.copied?.(page, this.copy)
  }

  /** Stores by a function, then marks the pages for trackers that need it. */
  store(at: number, lengthBytes: number, action: () => void): void {
    action()
    const last = Math.floor((at + lengthBytes - 1) / this.pageBytes)
    for (let page = Math.floor(at / this.pageBytes); page <= last; page++) this.tracked.mark?.(page)
  }

  storeByte(page: number, value: number): void {
    const at = page * this.pageBytes + (value % 1000)
    this.store(at, 1, () => this.bytes[at]!++)
  }

  endsOf(page: number): readonly [number, number] {
    const start = page * this.pageBytes
    return [start, start + pageRunBytes(this.bytes.length, this.pageBytes, page, 1) - 1]
  }

  /** Pages whose copy is not the same; only when nobody stores. */
  lost(): number[] {
    return [...Array(this.pageCount).keys()].filter((page) => {
      const [first, last] = this.endsOf(page)
      const copy = this.copy.subarray(first, last + 1)
      return Buffer.compare(this.bytes.subarray(first, last + 1), copy) !== 0
    })
  }
}
