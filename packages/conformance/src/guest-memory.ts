/**
 * The guest that the suite brings: two small regions, the last page of one of them short.
 *
 * @module
 */
import type { RegionEntry } from '@godwit/wire'
import type { Hashes } from './hashes.ts'
import { joined } from './hashes.ts'

/** The ids are far apart, since nothing says that they count up. */
export const FIRST_REGION = 0
export const SECOND_REGION = 258
/** Of each region; half a page more is the second's last one. */
export const WHOLE_PAGES: readonly [number, number] = [4, 8]

/** Its memory as it is to be at the destination. */
export class GuestMemory {
  readonly pageBytes: number
  readonly regions: readonly { readonly id: number; readonly bytes: Uint8Array }[]

  constructor(pageBytes: number, wholePages: readonly [number, number] = WHOLE_PAGES) {
    this.pageBytes = pageBytes
    this.regions = [
      { id: FIRST_REGION, bytes: new Uint8Array(wholePages[0] * pageBytes) },
      { id: SECOND_REGION, bytes: new Uint8Array(wholePages[1] * pageBytes + pageBytes / 2) },
    ]
  }

  /** For RESERVE. */
  get table(): readonly RegionEntry[] {
    return this.regions.map(({ id, bytes }, index) => {
      return { id, name: `ram${index}`, byteLength: bytes.length }
    })
  }

  region(id: number): Uint8Array {
    return this.regions.find((region) => region.id === id)!.bytes
  }

  pageCount(id: number): number {
    return Math.ceil(this.region(id).length / this.pageBytes)
  }

  get pages(): number {
    return this.regions.reduce((sum, { id }) => sum + this.pageCount(id), 0)
  }

  /** A view of one page. */
  page(id: number, page: number): Uint8Array {
    return this.region(id).subarray(page * this.pageBytes, (page + 1) * this.pageBytes)
  }

  /** Pages that compress, each different. */
  fill(): void {
    for (const { id } of this.regions) {
      for (let page = 0; page < this.pageCount(id); page++) this.write(id, page, id + page + 1)
    }
  }

  write(id: number, page: number, value: number): void {
    const bytes = this.page(id, page)
    for (let at = 0; at < bytes.length; at++) bytes[at] = value + (at % 7)
  }

  digest(hashes: Hashes): MemoryDigest {
    return digestOfMemory(hashes, this.regions, this.pageBytes)
  }
}

/** As VERIFY has it. */
export interface MemoryDigest {
  readonly digest: Uint8Array
  readonly regions: readonly { readonly id: number; readonly digest: Uint8Array }[]
}

/** Section 6, *Verification*. */
export function digestOfMemory(
  hashes: Hashes,
  regions: readonly { readonly id: number; readonly bytes: Uint8Array }[],
  pageBytes: number,
): MemoryDigest {
  const digests = regions.map(({ id, bytes }) => {
    const pages = []
    for (let at = 0; at < bytes.length; at += pageBytes) {
      pages.push(hashes.fingerprint(bytes.subarray(at, at + pageBytes)))
    }
    return { id, digest: hashes.digest(pages) }
  })
  return { digest: hashes.digest([joined(digests.map((one) => one.digest))]), regions: digests }
}

/**
 * The state package of one of Godwit's workloads with one thread that did nothing yet: 16 bytes of
 * header, then the thread's record of 64.
 */
export function workloadState(): Uint8Array {
  const state = new Uint8Array(80)
  const view = new DataView(state.buffer)
  view.setUint32(0, 0x53475747, true)
  view.setUint16(4, 1, true)
  view.setUint16(6, 1, true)
  view.setUint32(8, 64, true)
  view.setUint32(16 + 24, 1, true)
  return state
}
