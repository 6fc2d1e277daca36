/**
 * What a source wants to know of staged pages: which are zero, and the fingerprints of the others.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { FingerprintTable, pagesCovering } from '@godwit/core'
import { Xxh3Hasher } from '@godwit/kernels'
import type { Workspace } from './workspace.ts'

export interface PageInspectorOptions {
  readonly pageBytes: number
  /** That of the pages. */
  readonly workspace: Workspace
  readonly hasher: PageHasher
  /** Take no page for zero. */
  readonly raw: boolean
  /** Most pages at a time. */
  readonly pagesMax: number
}

/** Looks at consecutive pages in a workspace; results are valid until the next look. */
export class PageInspector {
  /** Per page: 1 when it is zero, else 0. */
  readonly zeros: Uint8Array
  /** Per page; those of zero pages are of no account. */
  readonly fingerprints: FingerprintTable
  readonly #options: PageInspectorOptions

  constructor(options: PageInspectorOptions) {
    const { workspace, hasher, pagesMax } = options
    this.#options = options
    this.zeros = workspace.allocate(pagesMax)
    const memory = workspace.allocate(pagesMax * hasher.entryBytes)
    this.fingerprints = new FingerprintTable(pagesMax, hasher.entryBytes, memory)
  }

  /**
   * Looks at the pages of `bytes[start, end)`, the last of which may be short.
   *
   * @returns how many are zero
   */
  inspect(bytes: Uint8Array, start: number, end: number): number {
    const { hasher, pageBytes, raw } = this.#options
    const { zeros, fingerprints } = this
    if (raw) {
      zeros.fill(0)
      hasher.hashPages(bytes, start, end, pageBytes, fingerprints, 0)
      return 0
    }
    if (hasher instanceof Xxh3Hasher) {
      return hasher.packPages(bytes, start, end, pageBytes, zeros, fingerprints)
    }
    return this.#inspectInSteps(bytes, start, end)
  }

  /** Zero pages first, then the fingerprints of every run of others. */
  #inspectInSteps(bytes: Uint8Array, start: number, end: number): number {
    const { hasher, pageBytes, workspace } = this.#options
    const { zeros } = this
    const pageCount = pagesCovering(end - start, pageBytes)
    const endOf = (page: number): number => Math.min(start + (page + 1) * pageBytes, end)
    let zeroPages = 0
    for (let page = 0; page < pageCount; page++) {
      const isZero = workspace.isZero(bytes, start + page * pageBytes, endOf(page))
      zeros[page] = isZero ? 1 : 0
      zeroPages += zeros[page]!
    }
    for (let page = 0; page < pageCount; page++) {
      if (zeros[page] === 1) continue
      const first = page
      while (page + 1 < pageCount && zeros[page + 1] === 0) page++
      const from = start + first * pageBytes
      hasher.hashPages(bytes, from, endOf(page), pageBytes, this.fingerprints, first)
    }
    return zeroPages
  }
}
