/**
 * Memory of a guest, the encoders of some lanes and a destination, with frames in between: what a
 * migration does to pages, without sockets. Every round checks what must always hold.
 *
 * @module
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { HashName, PageHasher, Region } from '@godwit/core'
import { FingerprintTable, PageBitmap, pagesCovering } from '@godwit/core'
import { KERNELS_WASM_URL } from '@godwit/kernels'
import type { EncodeSettings } from '@godwit/policy'
import { parseEncode } from '@godwit/policy'
import type { Nak } from '@godwit/wire'
import { BatchCompression, FRAME_HEADER_BYTES, PageEncoding } from '@godwit/wire'
import type { DecodedTotals } from '../src/batch-decoder.ts'
import { BatchDecoder, batchDecoderBytes, emptyTotals } from '../src/batch-decoder.ts'
import type { SentPages } from '../src/batch-encoder.ts'
import { BatchSlot, batchSlotBytes, compressedBatchPages } from '../src/batch-slot.ts'
import type { InstalledPages } from '../src/installed-pages.ts'
import { zeroFingerprints } from '../src/memory-digest.ts'
import type { ClosedBatch } from '../src/open-batch.ts'
import { sealBatch } from '../src/open-batch.ts'
import { PageClass } from '../src/page-class.ts'
import type { PageTally } from '../src/page-tally.ts'
import { emptyTally } from '../src/page-tally.ts'
import type { Primitives } from '../src/primitives.ts'
import { createPrimitives } from '../src/primitives.ts'
import { RichEncoder, richEncoderBytes, slotsPerStep } from '../src/rich-encoder.ts'
import { Workspace } from '../src/workspace.ts'
import type { Random } from './content.ts'
import { randomOf } from './content.ts'
import { Repairs, repairBytes } from './repairs.ts'
import { guardIsWhole, regionOf } from './guarded-region.ts'
import type { SentFrame } from './sent-frame.ts'
import { payloadBytesOf, readFrame } from './sent-frame.ts'
import { zstd } from './zstd.ts'
import type { RigOptions, RoundOptions, RoundResult } from './rig-options.ts'
import { openFile } from './memory-files.ts'

export type { RigOptions, RoundResult }
export const fingerprintSeed: Uint8Array = new Uint8Array(8).fill(1)
const native = await createPrimitives({
  kernelsWasm: readFileSync(KERNELS_WASM_URL),
  zstd,
  openFile,
})
const portable = await createPrimitives({ zstd, openFile })
const stepSlots = (rig: RigOptions): number => 2 * slotsPerStep(rig.staticPages !== undefined)

interface Piece {
  readonly region: number
  page: number
  readonly endPage: number
}

interface Lane {
  readonly encoder: RichEncoder
  readonly decoder: BatchDecoder
  pieces: Piece[]
  /** Frames on their way. */
  readonly queue: SentFrame[]
  /** What is to be sent once more. */
  readonly naks: Nak[]
  readonly repairs: Repairs
}

/** A source and a destination. */
export class Rig {
  readonly pageBytes: number
  readonly settings: EncodeSettings
  readonly source: readonly Region[]
  readonly target: readonly Region[]
  readonly sent: readonly SentPages[]
  readonly lanes: readonly Lane[]
  /** Per region: pages to be sent in the next round; at first all. */
  marked: readonly PageBitmap[]
  /** The last one that was played. */
  roundNumber = 0
  readonly #options: RigOptions
  readonly #primitives: Primitives
  readonly #verifyHasher: PageHasher
  readonly installed: readonly InstalledPages[]
  #tally: PageTally = emptyTally()
  #totals: DecodedTotals = emptyTotals()
  #slotsTaken = 0
  readonly #frames: SentFrame[] = []
  readonly #naks: Nak[] = []

  constructor(options: RigOptions) {
    const { lengths, encode, lanes = 1, pageBytes = 4096, hash = 'xxh3' } = options
    this.pageBytes = pageBytes
    this.settings = parseEncode(encode)
    this.#options = options
    this.#primitives = options.portable === true ? portable : native
    this.source = lengths.map((length, id) => regionOf(id * 7, length, id % 5))
    this.target = lengths.map((length, id) => regionOf(id * 7, length, (id + 1) % 5))
    this.marked = this.#emptySets()
    for (const set of this.marked) set.addAll()
    const workspace = new Workspace(this.#primitives, 0)
    this.#verifyHasher = workspace.createHasher(hash, new Uint8Array(8).fill(2))
    const entryBytes = hash === 'sha256' ? 32 : 8
    this.sent = this.source.map((region, index) => {
      const table = new FingerprintTable(this.marked[index]!.pageCount, entryBytes)
      return { region, fingerprints: table }
    })
    this.installed = this.target.map((region, index) => ({
      region,
      written: new Uint8Array(this.marked[index]!.pageCount),
      fingerprints: zeroFingerprints(this.#verifyHasher, region, pageBytes),
      ...options.postCopy?.(region),
    }))
    this.lanes = Array.from({ length: lanes }, () => this.#createLane(hash))
  }

  /** A page of the guest: a view of its memory. */
  page(region: number, page: number): Uint8Array {
    return this.#view(this.source, region, page)
  }

  /** The same at the destination. */
  targetPage(region: number, page: number): Uint8Array {
    return this.#view(this.target, region, page)
  }

  /** The guest stores to a page, as far as it goes. */
  store(region: number, page: number, content: Uint8Array, at = 0): void {
    const view = this.page(region, page)
    view.set(content.subarray(0, Math.max(0, view.length - at)), Math.min(at, view.length))
    this.marked[region]!.add(page)
  }

  /** Sends what is marked and compares it, as far as it was not stored to meanwhile. */
  round(options: RoundOptions = {}): RoundResult {
    const { seed, during, again = false, leaves = false, untouched } = options
    const dirty = this.marked
    this.marked = this.#emptySets()
    this.roundNumber++
    this.#tally = emptyTally()
    this.#totals = emptyTotals()
    this.#frames.length = 0
    this.#naks.length = 0
    const random = seed === undefined ? undefined : randomOf(seed)
    this.#split(random)
    const played = { dirty, again: again ? this.marked : undefined, leaves, untouched }
    for (;;) {
      const busy = this.lanes.filter(({ pieces }) => pieces.length > 0)
      if (busy.length === 0) break
      const lane = busy[random?.(busy.length) ?? 0]!
      this.#step(lane, played)
      during?.()
      for (const one of this.lanes) this.#deliver(one, random)
    }
    for (const { encoder } of this.lanes) encoder.flush()
    for (const lane of this.lanes) this.#deliver(lane, undefined)
    const isRepaired = this.#options.staticPages !== undefined
    if (isRepaired) for (const lane of this.lanes) this.#repair(lane)
    this.#check(dirty)
    if (this.#naks.length === 0 || isRepaired) this.#checkFingerprints()
    const [tally, totals] = [this.#tally, this.#totals]
    return { tally, totals, naks: [...this.#naks], frames: [...this.#frames] }
  }

  /** Pages of which the two sides differ, of those that are not marked. */
  differing(): string[] {
    return this.source.flatMap((_, region) => {
      const set = this.marked[region]!
      const pages = Array.from({ length: set.pageCount }, (__, page) => page)
      const differ = pages.filter((page) => {
        const both = [this.page(region, page), this.targetPage(region, page)] as const
        return !set.has(page) && Buffer.compare(...both) !== 0
      })
      return differ.map((page) => `${region}:${page}`)
    })
  }

  /** Whether nothing was written beside the memory of either side. */
  get guardsAreWhole(): boolean {
    return [...this.source, ...this.target].every(guardIsWhole)
  }

  #view(regions: readonly Region[], region: number, page: number): Uint8Array {
    return regions[region]!.bytes.subarray(page * this.pageBytes, (page + 1) * this.pageBytes)
  }

  #emptySets(): PageBitmap[] {
    return this.source.map(({ bytes }) => {
      return new PageBitmap(pagesCovering(bytes.length, this.pageBytes))
    })
  }

  #createLane(hash: HashName): Lane {
    const { pageBytes, settings, sent } = this
    const { batchPages = compressedBatchPages(pageBytes) } = this.#options
    const { cacheBytes, storeBytes } = this.#sizes()
    const staticPages = this.#options.staticPages?.lookup
    const slotPages = batchPages + 1
    const memoryBytes =
      richEncoderBytes(pageBytes, settings, cacheBytes) +
      stepSlots(this.#options) * batchSlotBytes(pageBytes, slotPages) +
      repairBytes(pageBytes)
    const workspace = new Workspace(this.#primitives, memoryBytes)
    const hasher = workspace.createHasher(hash, fingerprintSeed)
    const slots = Array.from({ length: stepSlots(this.#options) }, () => {
      return new BatchSlot(workspace, pageBytes, slotPages)
    })
    const queue: SentFrame[] = []
    const encoder = new RichEncoder(
      { pageBytes, workspace, hasher, settings, sent, cacheBytes, storeBytes, staticPages },
      {
        takeSlot: () => {
          this.#slotsTaken++
          return slots.pop()!
        },
        closed: (batch) => {
          queue.push(this.#send(batch))
          batch.slot.bytes.fill(0xdd)
          slots.push(batch.slot)
        },
      },
    )
    encoder.limitBatches(batchPages)
    const decoder = this.#createDecoder(hash, storeBytes)
    const repairs = new Repairs({ pageBytes, workspace, hasher, sent })
    return { encoder, decoder, pieces: [], queue, naks: [], repairs }
  }

  #createDecoder(hash: HashName, storeBytes: number): BatchDecoder {
    const { pageBytes, settings } = this
    const memoryBytes = batchDecoderBytes(pageBytes, this.target.length)
    const workspace = new Workspace(this.#primitives, memoryBytes)
    return new BatchDecoder({
      pageBytes,
      regions: this.installed,
      workspace,
      hasher: workspace.createHasher(hash, fingerprintSeed),
      verifyHasher: workspace.createHasher(hash, new Uint8Array(8).fill(2)),
      features: {
        references: settings.same,
        delta: settings.delta,
        zstd: settings.compression === 'zstd',
        lz4: settings.compression === 'lz4',
      },
      storeBytes,
      compressors: this.#primitives.compressors,
      staticPages: this.#options.staticPages?.contents,
    })
  }

  #sizes(): { cacheBytes: number; storeBytes: number } {
    const { settings, pageBytes } = this
    const { cachePages, storePages } = this.#options
    const cacheBytes = cachePages === undefined ? settings.cacheBytes : cachePages * pageBytes
    const storeBytes = storePages === undefined ? settings.storeBytes : storePages * pageBytes
    return {
      cacheBytes: settings.cacheBytes === 0 ? 0 : cacheBytes,
      storeBytes: settings.storeBytes === 0 ? 0 : storeBytes,
    }
  }

  #split(random: Random | undefined): void {
    for (const [region, { pageCount }] of this.marked.entries()) {
      for (let page = 0; page < pageCount; ) {
        const endPage = random === undefined ? pageCount : page + 1 + random(pageCount)
        const lane = this.lanes[random?.(this.lanes.length) ?? 0]!
        lane.pieces.push({ region, page, endPage: Math.min(endPage, pageCount) })
        page = endPage
      }
    }
  }

  #step(
    { encoder, pieces }: Lane,
    played: {
      readonly dirty: readonly PageBitmap[]
      readonly again: readonly PageBitmap[] | undefined
      readonly leaves: boolean
      readonly untouched: readonly PageBitmap[] | undefined
    },
  ): void {
    const { region, page, endPage } = pieces[0]!
    const work = {
      round: this.roundNumber,
      sent: this.sent[region]!,
      dirty: played.dirty[region]!,
      untouched: played.untouched?.[region],
      again: played.again?.[region],
      leavesAgain: played.leaves,
      known: this.roundNumber > 1,
      postCopy: false,
      mayLack: true,
    }
    this.#slotsTaken = 0
    const unnamed = this.#options.mayAllCome === true ? undefined : played.dirty
    const next = encoder.step(work, region, unnamed, page, endPage, this.#tally)
    ok(next > page, 'a step goes on')
    ok(this.#slotsTaken <= stepSlots(this.#options), `a step took ${this.#slotsTaken} slots`)
    pieces[0]!.page = next
    if (next >= endPage) pieces.shift()
  }

  #send(batch: ClosedBatch): SentFrame {
    const tally = this.#tally
    const { compression } = this.settings
    const { slot, decodedBytes } = batch
    tally.payloadBytes += decodedBytes
    if (compression !== 'none' && isCompressible(batch)) {
      const input = slot.bytes.subarray(slot.payloadStart, slot.payloadStart + decodedBytes)
      const compressor = this.#primitives.compressors[compression]!
      compressor.compress(input, { level: this.settings.level, windowLog: 0 }, (output) => {
        if (output.length >= decodedBytes) return
        slot.bytes.set(output, slot.payloadStart)
        batch.payloadBytes = output.length
        batch.compression = BatchCompression[compression === 'zstd' ? 'Zstd' : 'Lz4']
        tally.rawPages -= batch.rawPages
        tally.compressedPages += batch.rawPages
        tally.compressedBytes += decodedBytes - output.length
        tally.payloadBytes -= decodedBytes - output.length
      })
    }
    const { frameStart, frameEnd } = sealBatch(batch)
    const body = slot.bytes.slice(frameStart + FRAME_HEADER_BYTES, frameEnd)
    const frame = readFrame(body, batch.class)
    this.#frames.push(frame)
    return frame
  }

  /** Hands over what has arrived: all, or as chance has it. */
  #deliver(lane: Lane, random: Random | undefined): void {
    const { queue, decoder } = lane
    for (let left = random?.(3) ?? queue.length; left > 0 && queue.length > 0; left--) {
      const nak = decoder.decode(queue.shift()!.body, this.roundNumber, this.#totals)
      if (nak === undefined) continue
      this.#naks.push(nak)
      lane.naks.push(nak)
    }
  }

  /** Sends what was asked for once more, as it is now. */
  #repair({ naks, repairs, decoder }: Lane): void {
    for (const nak of naks.splice(0)) {
      for (const body of repairs.bodies(nak, this.roundNumber)) {
        const again = decoder.decode(body, this.roundNumber, emptyTotals())
        strictEqual(again, undefined, 'what comes as it is lacks nothing')
      }
    }
  }

  #check(dirty: readonly PageBitmap[]): void {
    const tally = this.#tally
    const { batches, digest: _, ...counts } = this.#totals
    const counted = Object.keys(counts).map((name) => [name, tally[name as keyof typeof counts]])
    deepStrictEqual(counts, Object.fromEntries(counted))
    strictEqual(batches, this.#frames.length)
    const { pages, unchangedPages, heldPages } = tally
    const marked = dirty.reduce((sum, set) => sum + set.size, 0)
    strictEqual(pages + unchangedPages + heldPages, marked)
    const { rawPages, zeroPages, samePages, referencePages, deltaPages, compressedPages } = tally
    const named = samePages + referencePages + deltaPages + tally.staticPages
    const kinds = zeroPages + named + compressedPages + rawPages
    strictEqual(kinds, pages)
    const payloadBytes = this.#frames.reduce((sum, { header }) => sum + header.payloadBytes, 0)
    strictEqual(tally.payloadBytes, payloadBytes)
    if (heldPages === 0) this.#checkSavings(dirty)
    ok(this.guardsAreWhole)
  }

  /** What was saved and what was sent make all bytes of the set. */
  #checkSavings(dirty: readonly PageBitmap[]): void {
    const { zeroBytes, unchangedBytes, sameBytes, referenceBytes, deltaBytes, ...rest } =
      this.#tally
    const named = sameBytes + referenceBytes + deltaBytes + rest.staticBytes
    const saved = zeroBytes + unchangedBytes + named
    const kept = payloadBytesOf(this.#frames, PageEncoding.Keep)
    const sent = rest.payloadBytes + rest.compressedBytes - kept
    let all = 0
    for (const [region, set] of dirty.entries()) {
      for (let page = set.nextSet(0); page < set.pageCount; page = set.nextSet(page + 1)) {
        all += this.page(region, page).length
      }
    }
    strictEqual(saved + sent, all)
  }

  #checkFingerprints(): void {
    for (const index of this.target.keys()) this.checkFingerprints(index, this.target[index]!.bytes)
  }

  /** Whether the destination takes a region for `bytes`. */
  checkFingerprints(index: number, bytes: Uint8Array): void {
    const { fingerprints } = this.installed[index]!
    const table = new FingerprintTable(fingerprints!.entryCount, fingerprints!.entryBytes)
    this.#verifyHasher.hashPages(bytes, 0, bytes.length, this.pageBytes, table, 0)
    deepStrictEqual(fingerprints!.bytes, table.bytes)
  }
}

function isCompressible({ class: kind, decodedBytes }: ClosedBatch): boolean {
  return kind !== PageClass.Random && kind !== PageClass.Static && decodedBytes > 0
}
