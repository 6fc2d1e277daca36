/**
 * A guest's memory as the destination of a capture must have it.
 *
 * @module
 */
import type { PageHasher, PageRun, Region } from '@godwit/core'
import {
  CodecError,
  LimitError,
  PageBitmap,
  PageStates,
  ProtocolError,
  formatBytes,
  pagesCovering,
} from '@godwit/core'
import type { InstalledPages, Primitives } from '@godwit/codec'
import { Workspace, digestFingerprints, verifyHash, zeroFingerprints } from '@godwit/codec'
import type { MemoryDigest } from '@godwit/codec'
import type { Hello, Reserve } from '@godwit/wire'

/** What may be taken for all sessions of a capture together. */
export class MemoryBudget {
  #leftBytes: number

  constructor(bytes: number) {
    this.#leftBytes = bytes
  }

  /** @throws {LimitError} `NO_ROOM` */
  take(bytes: number): void {
    if (bytes > this.#leftBytes) {
      const facts = { limit: 'memoryBytesMax', value: bytes, maximum: this.#leftBytes }
      const [asked, left] = [formatBytes(bytes), formatBytes(this.#leftBytes)]
      const text = `To check a guest, and what was kept of it, takes ${asked}; ${left} are allowed`
      throw new LimitError('NO_ROOM', text, facts)
    }
    this.#leftBytes -= bytes
  }

  giveBack(bytes: number): void {
    this.#leftBytes += bytes
  }
}

/** Of one session. */
export class MemoryImage {
  readonly pageBytes: number
  /** For decoders, which install here. */
  readonly installed: readonly InstalledPages[]
  /** By region: pages whose content is not in the stream, or was made of such. */
  readonly #hidden: readonly PageBitmap[]
  /** There were such, at any time: older versions may be of them. */
  hasHidden = false
  /** By region: pages that got content in the round that is going on. */
  readonly #seen: readonly PageBitmap[]
  readonly #byId: ReadonlyMap<number, number>
  /** Absent with `verify` `none`. */
  readonly verifyHasher: PageHasher | undefined

  constructor(hello: Hello, reserve: Reserve, pageBytes: number, primitives: Primitives) {
    this.pageBytes = pageBytes
    const hash = verifyHash(hello.verify, hello.hash)
    const workspace = new Workspace(primitives, 0)
    const verifyHasher = hash && workspace.createHasher(hash, hello.verifySeed)
    this.verifyHasher = verifyHasher
    this.installed = reserve.regions.map(({ id, name, byteLength }) => {
      const region: Region = { id, name, bytes: new Uint8Array(byteLength) }
      const pageCount = pagesCovering(byteLength, pageBytes)
      return {
        region,
        written: new Uint8Array(pageCount),
        fingerprints: verifyHasher && zeroFingerprints(verifyHasher, region, pageBytes),
        states: new PageStates(new Int32Array(pageCount)),
      }
    })
    this.#seen = this.installed.map(({ written }) => new PageBitmap(written.length))
    this.#hidden = this.installed.map(({ written }) => new PageBitmap(written.length))
    this.#byId = new Map(reserve.regions.map(({ id }, index) => [id, index]))
  }

  get regions(): readonly Region[] {
    return this.installed.map(({ region }) => region)
  }

  get pageCount(): number {
    return this.installed.reduce((sum, { written }) => sum + written.length, 0)
  }

  /** @throws {CodecError} `CODEC_PAGE_RANGE` */
  pagesOf(id: number): InstalledPages {
    return this.installed[this.#indexOf(id)]!
  }

  /** @throws {CodecError} `CODEC_PAGE_RANGE`: not all of them are there */
  checkRuns(id: number, runs: readonly PageRun[]): InstalledPages {
    const pages = this.pagesOf(id)
    for (const { firstPage, pageCount } of runs) {
      if (pageCount === 0 || firstPage + pageCount > pages.written.length) {
        const text = `Pages ${firstPage}+${pageCount} of region ${id} are named`
        throw new CodecError('CODEC_PAGE_RANGE', text)
      }
    }
    return pages
  }

  /** Pages got content. @throws {ProtocolError} `PROTOCOL_STATE`: one had it in this round */
  see(id: number, { firstPage, pageCount }: PageRun): void {
    const seen = this.#seen[this.#indexOf(id)]!
    for (let page = firstPage; page < firstPage + pageCount; page++) {
      if (seen.has(page)) {
        const text = `Page ${page} of region ${id} came twice in one round`
        throw new ProtocolError('PROTOCOL_STATE', text)
      }
      seen.add(page)
    }
  }

  /** Whether all of a run got content in this round. */
  hasSeen(id: number, { firstPage, pageCount }: PageRun): boolean {
    const end = firstPage + pageCount
    return this.#seen[this.#indexOf(id)]!.nextClear(firstPage, end) === end
  }

  /** What these pages hold is not known. */
  hide(id: number, runs: readonly PageRun[]): void {
    this.hasHidden = true
    const hidden = this.#hidden[this.#indexOf(id)]!
    for (const { firstPage, pageCount } of runs) {
      for (let page = firstPage; page < firstPage + pageCount; page++) hidden.add(page)
    }
  }

  /** They got content that is in the stream. */
  show(id: number, runs: readonly PageRun[]): void {
    if (!this.hasHidden) return
    const hidden = this.#hidden[this.#indexOf(id)]!
    for (const { firstPage, pageCount } of runs) {
      for (let page = firstPage; page < firstPage + pageCount; page++) hidden.delete(page)
    }
  }

  /** Whether all that a region holds is known. */
  isKnown(id: number): boolean {
    return this.#hidden[this.#indexOf(id)]!.size === 0
  }

  /** A round is over, or void. */
  forgetSeen(): void {
    for (const seen of this.#seen) seen.clear()
  }

  /** Of memory as installed; with a hash of verification only. */
  digest(): MemoryDigest {
    const regions = this.installed.map(({ region, fingerprints }) => {
      return { id: region.id, fingerprints: fingerprints! }
    })
    return digestFingerprints(this.verifyHasher!, regions)
  }

  #indexOf(id: number): number {
    const index = this.#byId.get(id)
    if (index !== undefined) return index
    throw new CodecError('CODEC_PAGE_RANGE', `Region ${id} was not announced`)
  }
}
