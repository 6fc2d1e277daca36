/**
 * A guest that does nothing by itself: the test stores to its memory, and knows every byte of it.
 *
 * @module
 */
import type { DirtyTracker, Guest, Region } from '@godwit/core'
import { pagesCovering } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'

/** A guest under the test's hands. */
export class ShadowGuest implements Guest {
  readonly identity = { kind: 'memory', options: {} } as const
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  readonly pageBytes: number
  isPaused = false
  pauses = 0
  resumes = 0
  readonly #maps: readonly Uint8Array[]

  constructor(memory: readonly Uint8Array[], pageBytes = 4096) {
    this.pageBytes = pageBytes
    this.regions = memory.map((bytes, id) => ({ id: id * 3, name: `part${id}`, bytes }))
    const pageCounts = memory.map((bytes) => pagesCovering(bytes.length, pageBytes))
    this.#maps = pageCounts.map((pageCount) => new Uint8Array(pageCount))
    this.trackers = this.#maps.map((map, i) => {
      return new ByteMapTracker({ map, pageCount: pageCounts[i]! })
    })
  }

  async pause(): Promise<void> {
    this.isPaused = true
    this.pauses++
  }

  resume(): void {
    this.isPaused = false
    this.resumes++
  }

  captureState(): Uint8Array {
    return Uint8Array.of(1, 2, 3)
  }

  /** Stores as a guest does: first the bytes, then the mark. */
  store(region: number, at: number, bytes: Uint8Array): void {
    if (this.isPaused) throw new Error('a paused guest does not store')
    this.regions[region]!.bytes.set(bytes, at)
    const first = Math.floor(at / this.pageBytes)
    const last = Math.floor((at + bytes.length - 1) / this.pageBytes)
    this.#maps[region]!.fill(1, first, last + 1)
  }

  /** A copy of one page as it is now. */
  page(region: number, page: number): Uint8Array {
    const { bytes } = this.regions[region]!
    return bytes.slice(page * this.pageBytes, (page + 1) * this.pageBytes)
  }

  storePage(region: number, page: number, bytes: Uint8Array): void {
    this.store(region, page * this.pageBytes, bytes)
  }

  /** A copy of all memory as it is now. */
  snapshot(): Uint8Array[] {
    return this.regions.map((region) => region.bytes.slice())
  }
}

/** Where two copies of memory differ first, as text; undefined when they do not. */
export function difference(a: readonly Uint8Array[], b: readonly Uint8Array[]): string | undefined {
  if (a.length !== b.length) return `${a.length} and ${b.length} regions`
  for (const [index, bytes] of a.entries()) {
    const other = b[index]!
    if (Buffer.compare(bytes, other) === 0) continue
    const at = bytes.findIndex((byte, offset) => byte !== other[offset])
    return `region ${index} (${bytes.length} and ${other.length} bytes) at byte ${at}`
  }
  return undefined
}
