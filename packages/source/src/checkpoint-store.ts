/**
 * States of the guest that came back from the destination. The guest's own memory stays as it is
 * until the guest is taken over: the destination still needs its pages.
 *
 * @module
 */
import type { PageHasher, Region } from '@godwit/core'
import { PageStates, ProtocolError, pagesCovering } from '@godwit/core'
import type { DecodedTotals, InstalledPages, Primitives } from '@godwit/codec'
import {
  BatchDecoder,
  NO_FEATURES,
  Workspace,
  batchDecoderBytes,
  emptyTotals,
  shadowMemory,
} from '@godwit/codec'
import type { CheckpointEnd } from '@godwit/wire'
import { u64FromBytes } from '@godwit/wire'
import type { Checkpoint } from './take-over.ts'

/** What a store is made with. */
export interface CheckpointStoreOptions {
  /** Of the guest. */
  readonly regions: readonly Region[]
  readonly pageBytes: number
  readonly primitives: Primitives
  readonly createHasher: (workspace: Workspace) => PageHasher
}

/** Holds the last complete checkpoint, and the one that is arriving: each a guest at most. */
export class CheckpointStore {
  /** The last complete one. */
  last: Checkpoint | undefined
  readonly #options: CheckpointStoreOptions
  readonly #decoder: BatchDecoder
  /** Pages of the one that is arriving; present where they came. */
  readonly #arriving: readonly InstalledPages[]
  readonly #kept: readonly Region[]
  /** Per region and page 1 where {@link last} differs from the guest's memory. */
  readonly #keptPages: readonly Uint8Array[]
  #number = 0
  #atMs = 0
  #totals: DecodedTotals | undefined

  constructor(options: CheckpointStoreOptions) {
    const { regions, pageBytes, primitives, createHasher } = options
    this.#options = options
    this.#kept = shadowMemory(regions)
    const pageCounts = regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))
    this.#keptPages = pageCounts.map((count) => new Uint8Array(count))
    this.#arriving = shadowMemory(regions).map((region, index) => ({
      region,
      written: new Uint8Array(pageCounts[index]!),
      fingerprints: undefined,
      states: PageStates.shared(pageCounts[index]!),
    }))
    const workspace = new Workspace(primitives, batchDecoderBytes(pageBytes, regions.length))
    this.#decoder = new BatchDecoder({
      pageBytes,
      regions: this.#arriving,
      workspace,
      hasher: createHasher(workspace),
      verifyHasher: undefined,
      features: NO_FEATURES,
      storeBytes: 0,
      compressors: primitives.compressors,
    })
  }

  /**
   * @param atMs - by this side's clock
   * @throws {ProtocolError} `PROTOCOL_STATE`: another is not whole yet, or was there before
   */
  begin(number: number, atMs: number): void {
    if (this.#totals !== undefined || number <= this.#number) {
      throw new ProtocolError('PROTOCOL_STATE', `Checkpoint ${number} came after ${this.#number}`)
    }
    this.#number = number
    this.#atMs = atMs
    this.#totals = emptyTotals()
    for (const { states, written } of this.#arriving) states!.discard(0, written.length)
  }

  /**
   * One batch, pages as they are.
   *
   * @throws {CodecError} {@link LimitError} it is not right, or names pages that there are not
   * @throws {ProtocolError} `PROTOCOL_STATE`: a page came twice, or out of turn
   */
  add(body: Uint8Array): void {
    this.#decoder.decode(body, this.#number, this.#current, true)
  }

  /**
   * The checkpoint takes the place of the last one.
   *
   * @throws {ProtocolError} `PROTOCOL_TOTALS`, `PROTOCOL_STATE`
   */
  end(end: CheckpointEnd): void {
    const { batches, pages, digest } = this.#current
    if (end.number !== this.#number) {
      throw new ProtocolError('PROTOCOL_STATE', `Checkpoint ${end.number} ends; it never began`)
    }
    const isSame = end.batches === batches && end.pages === pages
    if (!isSame || u64FromBytes(end.digest) !== digest) {
      const text = `${end.pages} pages of a checkpoint are said to have come; ${pages} did`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    for (const [index, { region, states, written }] of this.#arriving.entries()) {
      for (let page = 0; page < written.length; page++) {
        if (!states!.isPresent(page)) continue
        this.#copyPage(this.#kept[index]!.bytes, region.bytes, page)
        this.#keptPages[index]![page] = 1
      }
    }
    this.#totals = undefined
    this.last = { number: end.number, atMs: this.#atMs, package: end.package }
  }

  /** The one that is arriving will not be whole. */
  drop(): void {
    this.#totals = undefined
  }

  /** Brings the guest's memory to the last complete checkpoint. */
  restore(): void {
    for (const [index, { bytes }] of this.#options.regions.entries()) {
      const pages = this.#keptPages[index]!
      for (let page = pages.indexOf(1); page >= 0; page = pages.indexOf(1, page + 1)) {
        this.#copyPage(bytes, this.#kept[index]!.bytes, page)
      }
    }
  }

  get #current(): DecodedTotals {
    if (this.#totals !== undefined) return this.#totals
    throw new ProtocolError('PROTOCOL_STATE', 'Pages of a checkpoint came, and none had begun')
  }

  #copyPage(to: Uint8Array, from: Uint8Array, page: number): void {
    const { pageBytes, primitives } = this.#options
    const start = page * pageBytes
    primitives.copy(to, start, from, start, Math.min(start + pageBytes, from.length))
  }
}
