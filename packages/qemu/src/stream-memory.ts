/**
 * The machine's memory as this process has it: a shadow that fills as QEMU's stream comes, and the
 * marks by which the engine finds what came.
 *
 * @module
 */
import { allocateShared, type DirtyTracker, type PageBitmap, type Region } from '@godwit/core'
import { allocateRegion, ByteMapTracker, markDirty } from '@godwit/memory'
import type { BlockRegions } from './block-regions.ts'
import { type BlockMemory, STREAM_PAGE_BYTES } from './stream-format.ts'

/** Hears what the engine has taken notice of. */
export interface MarksTaken {
  /** So many pages have their marks cleared. */
  taken(pages: number): void
  /** The engine begins: all marks are about to be cleared, and what is there goes anyway. */
  begun(): void
}

/** One region of a block: memory, and a byte for each page twice. */
export interface ShadowRegion extends BlockMemory {
  readonly region: Region
}

/** @returns the regions of each block @throws {LimitError} `NO_ROOM` */
export function allocateShadow(
  blocks: readonly BlockRegions[],
): readonly (readonly ShadowRegion[])[] {
  return blocks.map(({ shapes }) =>
    shapes.map((shape) => {
      const region = allocateRegion(shape)
      const pageCount = shape.byteLength / STREAM_PAGE_BYTES
      const marks = new Uint8Array(allocateShared(pageCount).buffer)
      return { region, bytes: region.bytes, touched: new Uint8Array(pageCount), marks }
    }),
  )
}

/** Makes memory zero again where it is not, which is a store: another stream brings all of it. */
export function clearShadow(regions: readonly ShadowRegion[]): void {
  for (const { bytes, touched, marks } of regions) {
    for (let page = 0; page < touched.length; page++) {
      if (touched[page] === 0) continue
      bytes.fill(0, page * STREAM_PAGE_BYTES, (page + 1) * STREAM_PAGE_BYTES)
      markDirty(marks, page)
    }
    touched.fill(0)
  }
}

/** Finds the pages that came since the last look. */
export class StreamTracker implements DirtyTracker {
  readonly name = 'barrier'
  readonly collectPagesMax: number
  readonly #marks: ByteMapTracker
  readonly #touched: Uint8Array
  readonly #listener: MarksTaken

  constructor({ marks, touched }: ShadowRegion, listener: MarksTaken) {
    this.#marks = new ByteMapTracker({ map: marks, pageCount: marks.length })
    this.#touched = touched
    this.#listener = listener
    this.collectPagesMax = this.#marks.collectPagesMax
  }

  reset(): void {
    // Whoever hears of it may make memory zero first: that is a store of before.
    this.#listener.begun()
    this.#marks.reset()
  }

  collect(firstPage: number, pageCount: number, into: PageBitmap): number {
    const found = this.#marks.collect(firstPage, pageCount, into)
    if (found > 0) this.#listener.taken(found)
    return found
  }

  addUntouched(into: PageBitmap): void {
    const touched = this.#touched
    for (let page = 0; page < touched.length; page++) if (touched[page] === 0) into.add(page)
  }
}
