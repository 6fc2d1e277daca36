import { deepStrictEqual, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { PageHasher, Region } from '@godwit/core'
import { FingerprintTable, GodwitError, PageBitmap, pagesCovering } from '@godwit/core'
import { KERNELS_WASM_URL } from '@godwit/kernels'
import { ChannelRole, FRAME_HEADER_BYTES, FrameReader, FrameType, FrameWriter } from '@godwit/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DecodedTotals } from './batch-decoder.ts'
import { BatchDecoder, emptyTotals } from './batch-decoder.ts'
import type { EncodedBatch } from './batch-encoder.ts'
import { BatchEncoder, emptyBatch } from './batch-encoder.ts'
import { NO_FEATURES } from './batch-features.ts'
import { BatchSlot, batchPages } from './batch-slot.ts'
import type { InstalledPages } from './installed-pages.ts'
import { createPrimitives } from './primitives.ts'
import { digestFingerprints, digestMemory, zeroFingerprints } from './memory-digest.ts'
import { Workspace } from './workspace.ts'

const kernelsWasm = readFileSync(KERNELS_WASM_URL)
const primitives = await createPrimitives({ kernelsWasm })
const workspace = new Workspace(primitives, 64 * 1024 * 1024)
/** Slots of one workspace, used again and again: it has no way to give memory back. */
const slots = {
  all: Array.from({ length: 16 }, () => new BatchSlot(workspace, 64)),
  at: 0,
  next(): BatchSlot {
    return this.all[this.at++ % this.all.length]!
  },
}

/** Memory that is filled before: no page of it counts as zero. */
const pageBytes = 64
const guardBytes = 96
type HashName = 'xxh3' | 'xxh64' | 'sha256'

const hasherOf = (name: HashName, seed: number) =>
  workspace.createHasher(name, new Uint8Array(8).fill(seed))

/** Memory of a region with a guard on both sides, at an offset that nothing is aligned to. */
function regionOf(id: number, byteLength: number, offset: number): Region {
  const memory = new Uint8Array(guardBytes * 2 + byteLength + 8).fill(0xa5)
  const bytes = memory.subarray(guardBytes + offset, guardBytes + offset + byteLength)
  bytes.fill(0)
  return { id, name: `r${id}`, bytes }
}

function guardIsWhole({ bytes }: Region): boolean {
  const memory = new Uint8Array(bytes.buffer)
  const end = bytes.byteOffset + bytes.length
  return [...memory.subarray(0, bytes.byteOffset), ...memory.subarray(end)].every(
    (byte) => byte === 0xa5,
  )
}

interface RoundTotals extends DecodedTotals {
  scanned: number
  unchanged: number
  held: number
}

/** A source and a destination with frames in between; every batch uses the same slot. */
class Pair {
  readonly source: readonly Region[]
  readonly target: readonly Region[]
  readonly installed: readonly InstalledPages[]
  readonly decoder: BatchDecoder
  /** Per region, for the next round. */
  untouched: readonly PageBitmap[] = []
  /** Per region: left out of the next round. */
  again: readonly PageBitmap[] = []
  readonly #sent: readonly FingerprintTable[]
  readonly #encoder: BatchEncoder
  readonly #slot = slots.next()
  readonly #writer = new FrameWriter()
  readonly #reader = new FrameReader(ChannelRole.Data)

  constructor(lengths: readonly number[], hash: HashName, raw: boolean, verify?: PageHasher) {
    this.source = lengths.map((length, id) => regionOf(id * 7, length, id % 5))
    this.target = lengths.map((length, id) => regionOf(id * 7, length, (id + 1) % 5))
    const hasher = hasherOf(hash, 1)
    this.#sent = lengths.map((length) => {
      return new FingerprintTable(pagesCovering(length, pageBytes), hasher.entryBytes)
    })
    this.installed = this.target.map((region) => ({
      region,
      written: new Uint8Array(pagesCovering(region.bytes.length, pageBytes)).fill(1),
      fingerprints: verify && zeroFingerprints(verify, region, pageBytes),
    }))
    this.#encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw })
    this.decoder = new BatchDecoder({
      pageBytes,
      regions: this.installed,
      hasher: hasherOf(hash, 1),
      workspace,
      verifyHasher: verify,
      features: NO_FEATURES,
      storeBytes: 0,
      compressors: {},
    })
  }

  /** Sends the dirty pages of every region and compares what both sides counted. */
  round(round: number, dirty: readonly PageBitmap[], known: boolean): RoundTotals {
    const sum: RoundTotals = { ...emptyTotals(), scanned: 0, unchanged: 0, held: 0 }
    const arrived = emptyTotals()
    const out = emptyBatch()
    for (const [index, region] of this.source.entries()) {
      const sent = { region, fingerprints: this.#sent[index]! }
      const set = dirty[index]!
      const work = {
        round,
        sent,
        dirty: set,
        untouched: this.untouched[index],
        again: this.again[index],
        leavesAgain: true,
        known,
        postCopy: false,
      }
      for (let page = 0; page < set.pageCount; page = out.nextPage) {
        const any = this.#encoder.encode(work, page, set.pageCount, this.#slot, out)
        sum.scanned += out.pages
        sum.unchanged += out.unchangedPages
        sum.held += out.heldPages
        if (any) this.#deliver(round, out, sum, arrived)
      }
    }
    const { scanned: _, unchanged: __, held: ___, ...counted } = sum
    deepStrictEqual(arrived, counted)
    return sum
  }

  #deliver(round: number, out: EncodedBatch, sum: RoundTotals, arrived: DecodedTotals): void {
    ok(out.rawPages <= batchPages(pageBytes))
    const { bytes } = this.#slot
    const bodyBytes = out.frameEnd - out.frameStart - FRAME_HEADER_BYTES
    this.#writer.seal(FrameType.Pages, bytes, out.frameStart, bodyBytes)
    for (let at = out.frameStart; at < out.frameEnd; ) {
      const space = this.#reader.space()
      const piece = bytes.subarray(at, Math.min(out.frameEnd, at + space.length))
      space.set(piece)
      this.#reader.received(piece.length)
      at += piece.length
    }
    this.decoder.decode(this.#reader.next()!.body, round, arrived)
    // What was sent may be overwritten: the destination has its own.
    bytes.fill(0xdd, out.frameStart, out.frameEnd)
    sum.batches++
    sum.pages += out.rawPages + out.zeroPages
    sum.rawPages += out.rawPages
    sum.zeroPages += out.zeroPages
    sum.digest = BigInt.asUintN(64, sum.digest + out.digest)
  }

  isEqual(): boolean {
    return this.source.every(({ bytes }, i) => Buffer.compare(bytes, this.target[i]!.bytes) === 0)
  }
}

function everyPage(pair: Pair): PageBitmap[] {
  return pair.source.map(({ bytes }) => {
    const set = new PageBitmap(pagesCovering(bytes.length, pageBytes))
    set.addAll()
    return set
  })
}

const store = fc.record({
  region: fc.nat(2),
  page: fc.nat(200),
  /** 0: the page becomes zero; 1: it is marked dirty and keeps its content. */
  byte: fc.oneof(fc.nat(1), fc.nat(255)),
})
type Store = typeof store extends fc.Arbitrary<infer Kind> ? Kind : never

/** Does the stores and marks their pages. */
function apply(pair: Pair, stores: readonly Store[]): PageBitmap[] {
  const dirty = pair.source.map(
    ({ bytes }) => new PageBitmap(pagesCovering(bytes.length, pageBytes)),
  )
  for (const { region, page, byte } of stores) {
    const index = region % pair.source.length
    const { bytes } = pair.source[index]!
    const at = page % dirty[index]!.pageCount
    dirty[index]!.add(at)
    const start = at * pageBytes
    if (byte === 0) bytes.fill(0, start, start + pageBytes)
    else if (byte > 1) bytes[start + (byte % Math.min(pageBytes, bytes.length - start))]! ^= byte
  }
  return dirty
}

function pageText(bytes: Uint8Array, page: number): string {
  return Buffer.from(bytes.subarray(page * pageBytes, (page + 1) * pageBytes)).toString('hex')
}

/** How many marked pages differ from what the destination holds. */
function changedPages(pair: Pair, dirty: readonly PageBitmap[]): number {
  let changed = 0
  for (const [index, set] of dirty.entries()) {
    for (let page = set.nextSet(0); page < set.pageCount; page = set.nextSet(page + 1)) {
      const [from, to] = [pair.source[index]!.bytes, pair.target[index]!.bytes]
      if (pageText(from, page) !== pageText(to, page)) changed++
    }
  }
  return changed
}

const setting = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 3 }),
  hash: fc.constantFrom<HashName>('xxh3', 'xxh64', 'sha256'),
  raw: fc.boolean(),
  first: fc.array(store, { maxLength: 80 }),
  rounds: fc.array(fc.array(store, { maxLength: 40 }), { maxLength: 4 }),
})

describe('BatchEncoder and BatchDecoder', () => {
  it('bring memory over, round by round, sending no page that did not change', async () => {
    await fc.assert(
      fc.asyncProperty(setting, async ({ lengths, hash, raw, first, rounds }) => {
        const verify = hasherOf(hash, 2)
        const pair = new Pair(lengths, hash, raw, verify)
        apply(pair, first)
        for (const { bytes } of pair.target) bytes.fill(0x77)
        pair.round(1, everyPage(pair), false)
        expect(pair.isEqual()).toBe(true)
        for (const [index, stores] of rounds.entries()) {
          const dirty = apply(pair, stores)
          const marked = dirty.reduce((sum, set) => sum + set.size, 0)
          const changed = raw ? marked : changedPages(pair, dirty)
          const { pages, scanned, unchanged } = pair.round(index + 2, dirty, true)
          expect([pages, scanned, unchanged]).toEqual([changed, marked, marked - changed])
          expect(pair.isEqual()).toBe(true)
        }
        expect([...pair.source, ...pair.target].every(guardIsWhole)).toBe(true)
        const tables = pair.installed.map(({ region, fingerprints }) => {
          return { id: region.id, fingerprints: fingerprints! }
        })
        const wanted = await digestMemory(verify, pair.source, pageBytes, () => Promise.resolve())
        expect(digestFingerprints(verify, tables)).toEqual(wanted)
      }),
      { numRuns: 150 },
    )
  })

  it('send zero pages as zero, but raw ones when told so', () => {
    for (const raw of [false, true]) {
      const pair = new Pair([10 * pageBytes + 5], 'xxh64', raw)
      pair.source[0]!.bytes[3 * pageBytes] = 1
      const { rawPages, zeroPages } = pair.round(1, everyPage(pair), false)
      expect([rawPages, zeroPages]).toEqual(raw ? [11, 0] : [1, 10])
    }
  })

  it('hold no more pages with payload than was asked for', () => {
    const region = regionOf(0, 40 * pageBytes, 0)
    region.bytes.fill(1)
    const sent = { region, fingerprints: new FingerprintTable(40, 8) }
    const dirty = new PageBitmap(40)
    dirty.addAll()
    const hasher = hasherOf('xxh3', 1)
    const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
    const out = emptyBatch()
    const work = { round: 1, sent, dirty, known: false, postCopy: false }
    encoder.encode(work, 3, 40, slots.next(), out, 7)
    expect([out.rawPages, out.nextPage]).toEqual([7, 10])
  })

  it('send pages that are known to be untouched without a look at them', () => {
    for (const raw of [false, true]) {
      const pair = new Pair([300 * pageBytes + 5], 'xxh3', raw)
      pair.source[0]!.bytes.fill(1)
      const untouched = new PageBitmap(301)
      for (const page of [0, 1, 2, 150, 299, 300]) untouched.add(page)
      pair.untouched = [untouched]
      const { rawPages, zeroPages } = pair.round(1, everyPage(pair), false)
      expect([rawPages, zeroPages]).toEqual(raw ? [301, 0] : [295, 6])
      expect(pair.target[0]!.bytes[150 * pageBytes]).toBe(raw ? 1 : 0)
      // It was not true, so that the next round finds those pages changed.
      pair.untouched = []
      const second = pair.round(2, everyPage(pair), true)
      expect([second.rawPages, second.unchanged]).toEqual(raw ? [301, 0] : [6, 295])
      expect(pair.isEqual()).toBe(true)
    }
  })

  it('send a page that becomes zero, and becomes what it was, each time', () => {
    const pair = new Pair([4 * pageBytes], 'sha256', false)
    const { bytes } = pair.source[0]!
    bytes.fill(9)
    pair.round(1, everyPage(pair), false)
    for (let round = 2; round < 6; round++) {
      bytes.fill(round % 2 === 0 ? 0 : 9, pageBytes, 2 * pageBytes)
      const { pages, zeroPages } = pair.round(round, everyPage(pair), true)
      expect([pages, zeroPages]).toEqual([1, 1 - (round % 2)])
      expect(pair.isEqual()).toBe(true)
    }
  })

  it('take thousands of pages of each kind, in several batches', () => {
    const pages = 9001
    for (const content of ['zero', 'data', 'by turns'] as const) {
      const pair = new Pair([pages * pageBytes - 1], 'xxh64', false)
      const { bytes } = pair.source[0]!
      for (let page = 0; page < pages; page++) {
        if (content === 'data' || (content === 'by turns' && page % 2 === 0)) {
          bytes[page * pageBytes] = 1 + (page % 255)
        }
      }
      pair.target[0]!.bytes.fill(0x77)
      const first = pair.round(1, everyPage(pair), false)
      expect(first.pages).toBe(pages)
      expect(first.batches).toBeGreaterThan(2)
      expect(pair.isEqual()).toBe(true)
      expect(pair.round(2, everyPage(pair), true)).toMatchObject({ batches: 0, unchanged: pages })
    }
  })
})

describe('BatchDecoder, with bytes of an enemy', () => {
  /** A right batch of 8 pages, raw and zero by turns, for a region of 8 pages and a bit. */
  function batchOf(): { body: Uint8Array; pair: Pair } {
    const pair = new Pair([8 * pageBytes + 9], 'xxh64', false, hasherOf('xxh64', 2))
    const region = pair.source[0]!
    for (let page = 0; page < 9; page += 2) region.bytes[page * pageBytes] = 1 + page
    const set = everyPage(pair)[0]!
    const slot = slots.next()
    const out = emptyBatch()
    const encoder = new BatchEncoder({
      pageBytes,
      workspace,
      hasher: hasherOf('xxh64', 1),
      raw: false,
    })
    const fingerprints = new FingerprintTable(9, 8)
    const work = {
      round: 1,
      sent: { region, fingerprints },
      dirty: set,
      known: false,
      postCopy: false,
    }
    encoder.encode(work, 0, set.pageCount, slot, out)
    return { body: slot.bytes.slice(out.frameStart + FRAME_HEADER_BYTES, out.frameEnd), pair }
  }

  function codeOf(pair: Pair, body: Uint8Array): string {
    try {
      pair.decoder.decode(body, 1, emptyTotals())
      return 'none'
    } catch (error) {
      if (error instanceof GodwitError) return error.code
      throw error
    }
  }

  const codes = new Set([
    'none',
    'CODEC_BATCH',
    'CODEC_PAGE_RANGE',
    'CODEC_ENCODING',
    'CODEC_DIGEST',
    'LIMIT_EXCEEDED',
    'PROTOCOL_STATE',
  ])
  const changes = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 4 })

  it('gives a typed error or installs, and writes to the region alone', () => {
    const { body, pair } = batchOf()
    expect(codeOf(pair, body)).toBe('none')
    fc.assert(
      fc.property(changes, fc.nat(), fc.boolean(), (list, cut, isCut) => {
        const damaged = body.slice(0, isCut ? cut % body.length : body.length)
        for (const { at, byte } of list) if (damaged.length > 0) damaged[at % damaged.length] = byte
        const code = codeOf(pair, damaged)
        expect(codes.has(code)).toBe(true)
        expect(guardIsWhole(pair.target[0]!)).toBe(true)
        expect(isCut ? code : 'CODEC').not.toBe('none')
      }),
      { numRuns: 2000 },
    )
    expect(codeOf(pair, body)).toBe('none')
    expect(pair.isEqual()).toBe(true)
  })

  it('notices every bit of the payload that changes', () => {
    const { body, pair } = batchOf()
    const payloadStart = 32 + 9 * 12
    for (let at = payloadStart; at < body.length; at++) {
      const damaged = body.slice()
      damaged[at]! ^= 1 << (at % 8)
      expect(codeOf(pair, damaged)).toBe('CODEC_DIGEST')
    }
  })
})

it('pages that are dirty again are left out, and those beside them are not', () => {
  const pair = new Pair([10 * pageBytes, 3 * pageBytes], 'xxh3', false)
  for (const [region, { bytes }] of pair.source.entries()) bytes.fill(region + 1)
  const all = [10, 3].map((count) => setOf(count, (page) => page >= 0))
  pair.again = [setOf(10, (page) => page >= 4 && page < 7), setOf(3, (page) => page === 2)]
  const first = pair.round(1, all, false)
  expect([first.rawPages, first.held]).toEqual([9, 4])
  expect(pair.target[0]!.bytes.subarray(3 * pageBytes, 8 * pageBytes)).toEqual(
    Uint8Array.from({ length: 5 * pageBytes }, (_, at) => {
      const page = 3 + Math.floor(at / pageBytes)
      return page >= 4 && page < 7 ? 0 : 1
    }),
  )
  const left = pair.again
  pair.again = []
  const second = pair.round(2, left, true)
  expect([second.rawPages, second.held]).toEqual([4, 0])
  for (const [region, { bytes }] of pair.source.entries()) {
    expect(pair.target[region]!.bytes).toEqual(bytes)
  }
})

it('pages that are to be zero are told to be, though they are dirty again', () => {
  const pair = new Pair([10 * pageBytes], 'xxh3', false)
  pair.source[0]!.bytes.fill(1)
  const all = [setOf(10, () => true)]
  pair.round(1, all, false)
  pair.untouched = [setOf(10, (page) => page >= 3 && page < 6)]
  pair.again = [setOf(10, (page) => page >= 4 && page < 8)]
  const second = pair.round(2, all, true)
  expect([second.zeroPages, second.held]).toEqual([3, 2])
  const zeros = pair.target[0]!.bytes.subarray(3 * pageBytes, 6 * pageBytes)
  expect(zeros.every((byte) => byte === 0)).toBe(true)
})

function setOf(pageCount: number, isIn: (page: number) => boolean): PageBitmap {
  const set = new PageBitmap(pageCount)
  for (let page = 0; page < pageCount; page++) if (isIn(page)) set.add(page)
  return set
}
