/**
 * What of a page has changed since it was last sent, or differs from the most similar page.
 * After Svard et al. (VEE 2011); similar pages after Zhang et al. (MDD, CLUSTER 2010), found by
 * sampled blocks as Gupta et al. do (Difference Engine, OSDI 2008).
 *
 * @module
 */
import type { FingerprintTable } from '@godwit/core'
import { DELTA, DELTA_BYTES, PageEncoding, SIMILAR, SIMILAR_BYTES } from '@godwit/wire'
import type { SentPages } from './batch-encoder.ts'
import { ContentIndex } from './content-index.ts'
import type { OpenBatch } from './open-batch.ts'
import { checkOf } from './open-batch.ts'
import { VersionCache, cacheBytesFor } from './version-cache.ts'
import type { Workspace } from './workspace.ts'

/** `features` of the kernels writes so many words a page. */
const featureCount = 8
/** Blocks that two pages must have in common to be worth a closer look. */
const commonBlocksMin = 2

export interface PageDeltasOptions {
  readonly workspace: Workspace
  readonly pageBytes: number
  /** Of all regions together. */
  readonly pageCount: number
  readonly cacheBytes: number
  /** Whether similar pages are looked for. */
  readonly similar: boolean
  /** A delta that is a larger part of its page is not worth it. */
  readonly shareMax: number
}

/** A page that is staged at `bytes[at, at + length)`, entry `entry` of `fingerprints`. */
export interface StagedPage {
  bytes: Uint8Array
  at: number
  length: number
  fingerprints: FingerprintTable
  entry: number
}

/** Deltas of one lane. */
export class PageDeltas {
  readonly cache: VersionCache
  readonly #shareMax: number
  readonly #workspace: Workspace
  readonly #similar: ContentIndex | undefined
  readonly #features: Uint32Array
  /** The last delta: a batch gets it when it is known to be short enough. */
  readonly #delta: Uint8Array
  readonly #candidates = new Int32Array(featureCount)

  constructor(options: PageDeltasOptions) {
    const { workspace, pageBytes, pageCount, cacheBytes } = options
    this.#workspace = workspace
    this.#shareMax = options.shareMax
    this.cache = new VersionCache(workspace, cacheBytes, pageBytes, pageCount)
    const entries = this.cache.capacity * featureCount
    this.#similar = options.similar ? new ContentIndex(entries) : undefined
    const { buffer, byteOffset } = workspace.allocate(featureCount * 4)
    this.#features = new Uint32Array(buffer, byteOffset, featureCount)
    this.#delta = workspace.allocate(pageBytes)
  }

  /**
   * Makes a delta to the version in `place`, which {@link add} or {@link addSimilar} takes.
   *
   * @param headBytes - what stands in front of it
   * @returns its bytes, or -1 when it would be too long
   */
  encode(place: number, staged: StagedPage, headBytes: number): number {
    const { kernels } = this.#workspace
    const { length } = staged
    const most = Math.min(Math.floor(length * this.#shareMax), length - headBytes)
    if (most < 0) return -1
    const base = this.cache.bytes.byteOffset + this.cache.offsetOf(place)
    const next = staged.bytes.byteOffset + staged.at
    return kernels.encodeDelta(base, next, length, this.#delta.byteOffset, most)
  }

  /**
   * Writes the last delta to where `into` ends.
   *
   * @param page - within its region
   * @param check - of what the page holds now
   */
  add(page: number, deltaBytes: number, staged: StagedPage, into: OpenBatch, check: number): void {
    const at = into.payloadEnd
    const { view, bytes } = into.slot!
    view.setUint32(at + DELTA.check, check, true)
    view.setUint16(at + DELTA.length, deltaBytes, true)
    bytes.set(this.#delta.subarray(0, deltaBytes), at + DELTA_BYTES)
    const { fingerprints, entry } = staged
    into.add(page, PageEncoding.Delta, DELTA_BYTES + deltaBytes, fingerprints, entry)
  }

  /**
   * Looks for the place of the most similar version; the features of the page are known afterwards.
   *
   * @returns -1 when there is none
   */
  findSimilar(staged: StagedPage, pageBytes: number): number {
    if (this.#similar === undefined || staged.length !== pageBytes) return -1
    this.#computeFeatures(staged, pageBytes)
    let best = -1
    let bestVotes = commonBlocksMin - 1
    for (let i = 0; i < featureCount; i++) {
      const feature = this.#features[i]!
      const place = feature === 0 ? -1 : this.#similar.get(feature)
      this.#candidates[i] = place
      if (place < 0) continue
      let votes = 1
      for (let j = 0; j < i; j++) if (this.#candidates[j] === place) votes++
      if (votes > bestVotes) {
        bestVotes = votes
        best = place
      }
    }
    return best
  }

  /** The same of a delta to page `index` of `other`. */
  addSimilar(
    page: number,
    deltaBytes: number,
    staged: StagedPage,
    into: OpenBatch,
    other: SentPages,
    index: number,
  ): void {
    const at = into.payloadEnd
    const { view, bytes } = into.slot!
    view.setUint16(at + SIMILAR.region, other.region.id, true)
    view.setUint16(at + SIMILAR.length, deltaBytes, true)
    view.setUint32(at + SIMILAR.page, index, true)
    view.setUint32(at + SIMILAR.check, checkOf(other.fingerprints, index), true)
    bytes.set(this.#delta.subarray(0, deltaBytes), at + SIMILAR_BYTES)
    const { fingerprints, entry } = staged
    into.add(page, PageEncoding.Similar, SIMILAR_BYTES + deltaBytes, fingerprints, entry)
  }

  /** Keeps a page that was sent. */
  store(place: number, staged: StagedPage): void {
    const { bytes, at, length, fingerprints, entry } = staged
    this.cache.store(place, bytes, at, length, fingerprints, entry)
  }

  /** Lets others find the page that is kept in `place`, whose features were just computed. */
  offer(place: number, staged: StagedPage, pageBytes: number): void {
    if (this.#similar === undefined || staged.length !== pageBytes) return
    for (const feature of this.#features) if (feature !== 0) this.#similar.set(feature, place)
  }

  #computeFeatures(staged: StagedPage, pageBytes: number): void {
    const at = staged.bytes.byteOffset + staged.at
    this.#workspace.kernels.features(at, pageBytes, this.#features.byteOffset)
  }
}

/** What the deltas of a lane take of a workspace. */
export function deltaBytesFor(cacheBytes: number, pageBytes: number): number {
  return cacheBytesFor(cacheBytes, pageBytes) + featureCount * 4 + pageBytes
}
