/**
 * Learns what every guest of an operating system and hypervisor has (ESCDR, section 3.2: "a delta
 * of multiple VMs"), sample by sample, from content hashes alone.
 *
 * A page id is static when *all* samples have the same content there; a content is when enough of
 * them have it anywhere. Only these are ever offered to a peer: what a single guest holds is not.
 * The order of samples makes no difference to either, until something has to be forgotten. Pages
 * are counted over all regions, so samples of other shapes share fewer page ids, never wrong ones;
 * page ids that the smallest sample does not have are not static.
 *
 * @module
 */
import {
  CONTENT_HASH_BYTES,
  GodwitError,
  LimitError,
  allocateShared,
  checkPageBytes,
} from '@godwit/core'
import type { PageHashes } from './content-hash.ts'
import { PageKind } from './content-hash.ts'
import { ContentTable, FORGOTTEN } from './content-table.ts'
import type { LearningState } from './learning-state.ts'
import { decodeLearning, encodeLearning } from './learning-state.ts'
import type { StaticMap } from './static-map.ts'
import { MAP_ENTRIES_MAX, MAP_NAME_BYTES_MAX } from './static-map.ts'

/** Contents that too few samples had are kept up to here; then the oldest are forgotten. */
export const CANDIDATES_MAX: number = 2 ** 21
/** Most pages of a sample: 16 GiB of 4 KiB. */
export const SAMPLE_PAGES_MAX: number = 2 ** 22

/** What a state may hold. Tests have smaller ones. */
export interface LearningLimits {
  readonly candidatesMax: number
  /** Contents that enough samples had. Of more, those of the fewest samples are forgotten. */
  readonly contentsMax: number
}

const hashWords = CONTENT_HASH_BYTES / 4

const usualLimits: LearningLimits = {
  candidatesMax: CANDIDATES_MAX,
  contentsMax: MAP_ENTRIES_MAX,
}

export interface LearningOptions {
  readonly os: string
  readonly hypervisor: string
  readonly pageBytes: number
  /** In how many samples a content must be, at least 2; default 2. */
  readonly minimumSamples?: number
  /** The last version of a map of this pair, where it is learned anew; default 0. */
  readonly version?: number
}

/** What a sample brought. */
export interface LearnedSample {
  readonly pageCount: number
  readonly zeroPages: number
  /** Distinct contents, and those of them that no sample had before. */
  readonly contents: number
  readonly newContents: number
  /** Page ids at which all samples so far agree, this one included. */
  readonly positions: number
  /** Contents that had to make room. */
  readonly forgotten: number
}

/** What was learned from some samples, which are not needed any more. */
export class Learning {
  readonly #state: LearningState
  readonly #limits: LearningLimits

  private constructor(state: LearningState, limits: LearningLimits) {
    this.#state = state
    this.#limits = limits
  }

  /** @throws {GodwitError} `USAGE` when an option is out of range */
  static begin(options: LearningOptions, limits: LearningLimits = usualLimits): Learning {
    const { os, hypervisor, minimumSamples = 2, version = 0 } = options
    const pageBytes = checkPageBytes(options.pageBytes)
    for (const name of [os, hypervisor]) {
      if (new TextEncoder().encode(name).length <= MAP_NAME_BYTES_MAX) continue
      throw new GodwitError('USAGE', `A name has more than ${MAP_NAME_BYTES_MAX} bytes`)
    }
    if (!Number.isInteger(minimumSamples) || minimumSamples < 2) {
      throw new GodwitError('USAGE', `${minimumSamples} samples are too few to compare`)
    }
    const [contents, positions] = [new ContentTable(), new Uint32Array(0)]
    const facts = { os, hypervisor, pageBytes, minimumSamples, version, sampleCount: 0 }
    return new Learning({ ...facts, contents, positions }, limits)
  }

  /**
   * Goes on from what {@link encode} gave.
   *
   * @throws {GodwitError} `FILE_UNREADABLE` when it is no such thing, `LIMIT_EXCEEDED`
   */
  static resume(bytes: Uint8Array, limits: LearningLimits = usualLimits): Learning {
    const contentsMax = limits.candidatesMax + limits.contentsMax
    return new Learning(decodeLearning(bytes, contentsMax, SAMPLE_PAGES_MAX), limits)
  }

  get os(): string {
    return this.#state.os
  }

  get hypervisor(): string {
    return this.#state.hypervisor
  }

  get pageBytes(): number {
    return this.#state.pageBytes
  }

  get minimumSamples(): number {
    return this.#state.minimumSamples
  }

  get sampleCount(): number {
    return this.#state.sampleCount
  }

  /** Of the map that {@link map} gives; one more with each sample. */
  get version(): number {
    return this.#state.version
  }

  /** The state, to be kept: 32 bytes per content, and a few per run of pages. */
  encode(): Uint8Array {
    return encodeLearning(this.#state)
  }

  /**
   * Learns from one guest more. Its hashes are borrowed.
   *
   * @throws {GodwitError} `USAGE` when its pages have another size, `LIMIT_EXCEEDED` when it has
   *   more than {@link SAMPLE_PAGES_MAX}; nothing is learned then
   */
  add(sample: PageHashes): LearnedSample {
    const state = this.#state
    checkSample(sample, state.pageBytes)
    const pageCount = sample.kinds.length
    const number = state.sampleCount + 1
    const knownBefore = state.contents.size
    const { there, contents, zeroPages } = takeContents(sample, state.contents, number)
    const newContents = state.contents.size - knownBefore
    state.positions = number === 1 ? there : agreement(state.positions, there)
    state.sampleCount = number
    state.version++
    const forgotten = this.#forget()
    let positions = 0
    for (const content of state.positions) if (content !== FORGOTTEN) positions++
    return { pageCount, zeroPages, contents, newContents, positions, forgotten }
  }

  /**
   * What is static: entries by page id, then contents in the order in which samples had them, the
   * first one's first. Undefined before there were enough samples.
   */
  map(): StaticMap | undefined {
    const { os, hypervisor, pageBytes, version, sampleCount } = this.#state
    if (sampleCount < this.minimumSamples) return undefined
    const { contents, positions: all } = this.#state
    const entries: number[] = []
    const pages: number[] = []
    const isAtPosition = new Uint8Array(contents.size)
    for (let page = 0; page < all.length && entries.length < MAP_ENTRIES_MAX; page++) {
      const content = all[page]!
      if (content === FORGOTTEN) continue
      isAtPosition[content] = 1
      pages.push(page)
      entries.push(content)
    }
    for (let content = 0; content < contents.size; content++) {
      if (entries.length === MAP_ENTRIES_MAX) break
      const isStatic = contents.countOf(content) >= this.minimumSamples
      if (isStatic && isAtPosition[content] === 0) entries.push(content)
    }
    const positions = new Uint32Array(allocateShared(pages.length * 4).buffer)
    positions.set(pages)
    const hashes = allocateShared(entries.length * CONTENT_HASH_BYTES)
    const words = new Uint32Array(hashes.buffer)
    entries.forEach((content, i) => contents.copyHash(content, words, i * hashWords))
    return { os, hypervisor, pageBytes, version, sampleCount, hashes, positions }
  }

  /** @returns how many contents are gone */
  #forget(): number {
    const { contents, positions, minimumSamples } = this.#state
    const isForgotten = tooMany(contents, minimumSamples, this.#limits)
    if (isForgotten === undefined) return 0
    const before = contents.size
    const renumbered = contents.retain((content) => isForgotten[content] === 0)
    for (let page = 0; page < positions.length; page++) {
      const content = positions[page]!
      if (content !== FORGOTTEN) positions[page] = renumbered[content]!
    }
    return before - contents.size
  }
}

/** @throws {GodwitError} */
function checkSample({ pageBytes, kinds }: PageHashes, expected: number): void {
  if (pageBytes !== expected) {
    const text = `The sample was hashed in pages of ${pageBytes} bytes, the others of ${expected}`
    throw new GodwitError('USAGE', text)
  }
  if (kinds.length <= SAMPLE_PAGES_MAX) return
  const text = `A sample of ${kinds.length} pages; at most ${SAMPLE_PAGES_MAX} are learned from`
  const facts = { limit: 'samplePages', value: kinds.length, maximum: SAMPLE_PAGES_MAX }
  throw new LimitError('LIMIT_EXCEEDED', text, facts)
}

interface Taken {
  /** Of each page, the number of its content. */
  readonly there: Uint32Array
  readonly contents: number
  readonly zeroPages: number
}

function takeContents({ kinds, hashes }: PageHashes, table: ContentTable, sample: number): Taken {
  const words = new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length / 4)
  const there = new Uint32Array(kinds.length).fill(FORGOTTEN)
  table.reserve(kinds.length)
  let contents = 0
  let zeroPages = 0
  for (let page = 0; page < kinds.length; page++) {
    if (kinds[page] === PageKind.zero) zeroPages++
    if (kinds[page] !== PageKind.content) continue
    const content = table.put(words, page * hashWords)
    if (table.count(content, sample)) contents++
    there[page] = content
  }
  return { there, contents, zeroPages }
}

/** Where both have the same content; as long as the shorter. */
function agreement(positions: Uint32Array, there: Uint32Array): Uint32Array {
  const agreed = positions.slice(0, there.length)
  for (let page = 0; page < agreed.length; page++) {
    if (agreed[page] !== there[page]) agreed[page] = FORGOTTEN
  }
  return agreed
}

/** Which contents have to make room, 1 each; undefined where there is enough. */
function tooMany(
  contents: ContentTable,
  minimumSamples: number,
  { candidatesMax, contentsMax }: LearningLimits,
): Uint8Array | undefined {
  const tally = new Map<number, number>()
  for (let content = 0; content < contents.size; content++) {
    const count = contents.countOf(content)
    tally.set(count, (tally.get(count) ?? 0) + 1)
  }
  // How many of each number of samples have to go. Candidates are as good as each other.
  const goes = new Map<number, number>()
  const isCandidate = (count: number): boolean => count < minimumSamples
  for (const [isMeant, most] of [
    [isCandidate, candidatesMax],
    [(count: number) => !isCandidate(count), contentsMax],
  ] as const) {
    const counts = [...tally.keys()].filter(isMeant).toSorted((a, b) => a - b)
    let excess = counts.reduce((sum, count) => sum + tally.get(count)!, 0) - most
    for (const count of counts) {
      if (excess <= 0) break
      const gone = Math.min(excess, tally.get(count)!)
      goes.set(count, gone)
      excess -= gone
    }
  }
  if (goes.size === 0) return undefined
  const isForgotten = new Uint8Array(contents.size)
  for (let content = 0; content < contents.size; content++) {
    const count = contents.countOf(content)
    const left = goes.get(count) ?? 0
    if (left === 0) continue
    isForgotten[content] = 1
    goes.set(count, left - 1)
  }
  return isForgotten
}
