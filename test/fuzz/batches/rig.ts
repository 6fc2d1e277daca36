/**
 * A destination that is put into the same state before every batch.
 *
 * @module
 */
import type { InstalledPages, Primitives } from '@godwit/codec'
import { BatchDecoder, NO_FEATURES, Workspace, batchDecoderBytes, emptyTotals } from '@godwit/codec'
import type { ErrorCode, HashName, PageHasher } from '@godwit/core'
import { FingerprintTable } from '@godwit/core'
import type { Nak } from '@godwit/wire'
import { decodePageRuns } from '@godwit/wire'
import type { Outcome } from '../target.ts'
import { must, outcomeOf } from '../target.ts'
import { formatBatch } from './batch-text.ts'
import type { Prepared } from './fixes.ts'
import type { Judgement } from './judge.ts'
import { Refused } from './judge.ts'
import { staticContents } from './known.ts'
import type { Place } from './world.ts'
import {
  PAGE_BYTES,
  Prints,
  ROUND,
  SEED,
  STORE_SLOTS,
  WORLD_BYTES,
  earlier,
  kept,
  pageIn,
  pagesOf,
  placeOf,
  places,
  present,
} from './world.ts'

const codes: readonly ErrorCode[] = [
  'CODEC_BATCH',
  'CODEC_PAGE_RANGE',
  'CODEC_ENCODING',
  'CODEC_DIGEST',
  'CODEC_COMPRESSION',
  'LIMIT_EXCEEDED',
  'PROTOCOL_STATE',
]
const guardBytes = 64
const guard = new Uint8Array(guardBytes).fill(0xa5)
/** Bodies up to this length may stand in the kernels' memory, as received ones do. */
const bodyBytesMax = 256 * 1024

/** Gives all of its memory again to the next decoder; there are guards between the pieces. */
class ReusedWorkspace extends Workspace {
  readonly #memory: Uint8Array
  readonly #guards: Uint8Array[] = []
  #next = 0

  constructor(primitives: Primitives, byteCount: number) {
    super(primitives, byteCount)
    this.#memory = super.allocate(byteCount)
  }

  reuse(): void {
    this.#next = 0
    this.#guards.length = 0
  }

  override allocate(byteCount: number): Uint8Array {
    const start = this.#next
    const end = start + byteCount
    this.#next = Math.ceil((end + guardBytes) / 64) * 64
    must(this.#next <= this.#memory.length, 'decoders take what they say')
    this.#memory.set(guard, end)
    this.#guards.push(this.#memory.subarray(end, end + guardBytes))
    return this.#memory.subarray(start, end)
  }

  check(): void {
    const isWhole = this.#guards.every((part) => Buffer.compare(part, guard) === 0)
    must(isWhole, 'a decoder keeps to its memory')
  }
}

/** What keeps pages of `earlier` in the store. */
function keepBatches(): readonly Uint8Array[] {
  return kept.map(({ region, page }, slot) => {
    const header = new Uint8Array(32)
    const view = new DataView(header.buffer)
    view.setUint32(0, ROUND, true)
    view.setUint16(4, region, true)
    const payload = new Uint8Array(4)
    payload[0] = slot
    const run = { firstPage: page, pageCount: 1, encoding: 8, reserved: 0, payload }
    return formatBatch({ header, runs: [run], rest: new Uint8Array(0) })
  })
}

export interface RigOptions {
  readonly primitives: Primitives
  readonly hash: HashName
  readonly isRich: boolean
  readonly isVerified: boolean
}

/** One destination. */
export class Rig {
  readonly prints: Prints
  readonly isRich: boolean
  readonly #options: RigOptions
  readonly #workspace: ReusedWorkspace
  readonly #hasher: PageHasher
  readonly #verifyHasher: PageHasher | undefined
  readonly #verifyPrints: Prints | undefined
  readonly #memory: Uint8Array = present.slice()
  readonly #regions: readonly InstalledPages[]
  readonly #body: Uint8Array
  #decoder: BatchDecoder | undefined

  constructor(options: RigOptions) {
    const { primitives, hash, isRich, isVerified } = options
    const decoderBytes = batchDecoderBytes(PAGE_BYTES, places.length)
    this.#options = options
    this.isRich = isRich
    this.#workspace = new ReusedWorkspace(primitives, decoderBytes + bodyBytesMax + 4096)
    const hasher = (seed: Uint8Array): PageHasher => this.#workspace.createHasher(hash, seed)
    this.#hasher = hasher(SEED)
    this.prints = new Prints(hasher(SEED))
    this.#verifyHasher = isVerified ? hasher(SEED.toReversed()) : undefined
    this.#verifyPrints = isVerified ? new Prints(hasher(SEED.toReversed())) : undefined
    this.#body = this.#workspace.allocate(bodyBytesMax)
    this.#regions = places.map((place) => ({
      region: { id: place.id, name: `region ${place.id}`, bytes: this.#view(place) },
      written: new Uint8Array(pagesOf(place)),
      fingerprints: this.#verifyHasher && this.#table(place, this.#verifyHasher.entryBytes),
    }))
    this.#putBack()
  }

  #table(place: Place, entryBytes: 8 | 32): FingerprintTable {
    return new FingerprintTable(pagesOf(place), entryBytes)
  }

  #view({ at, byteLength }: Place): Uint8Array {
    return this.#memory.subarray(at, at + byteLength)
  }

  /** The state that every batch comes upon; the store only where it was changed. */
  #putBack(): void {
    this.#memory.set(present)
    for (const [index, place] of places.entries()) {
      const { written, fingerprints } = this.#regions[index]!
      for (let page = 0; page < pagesOf(place); page++) {
        const bytes = pageIn(present, place, page)
        written[page] = bytes.every((byte) => byte === 0) ? 0 : 1
        if (fingerprints === undefined) continue
        fingerprints.bytes.set(this.#verifyPrints!.of(bytes), page * fingerprints.entryBytes)
      }
    }
  }

  /** A decoder with the store as it is to be. */
  #newDecoder(): BatchDecoder {
    const { primitives, isRich } = this.#options
    this.#workspace.reuse()
    this.#workspace.allocate(bodyBytesMax)
    const decoder = new BatchDecoder({
      pageBytes: PAGE_BYTES,
      regions: this.#regions,
      workspace: this.#workspace,
      hasher: this.#hasher,
      verifyHasher: this.#verifyHasher,
      features: isRich ? { references: true, delta: true, zstd: true, lz4: true } : NO_FEATURES,
      storeBytes: STORE_SLOTS * PAGE_BYTES + 1,
      compressors: primitives.compressors,
      staticPages: isRich ? staticContents : undefined,
    })
    if (!isRich) return decoder
    this.#memory.set(earlier)
    for (const body of keepBatches()) decoder.decode(body, ROUND, emptyTotals())
    this.#memory.set(present)
    return decoder
  }

  /**
   * Decodes a batch and compares with what the document says.
   *
   * @param inKernels - where the body stands
   * @returns a label
   */
  run({ body, verdict }: Prepared, inKernels: boolean): string {
    const decoder = (this.#decoder ??= this.#newDecoder())
    const totals = emptyTotals()
    const given = this.#placed(body, inKernels)
    let outcome: Outcome<Nak | undefined>
    try {
      outcome = outcomeOf(() => decoder.decode(given, ROUND, totals), codes)
      must(Buffer.compare(given, body) === 0, 'a body is read only')
      this.#workspace.check()
      return this.#compare(outcome, verdict, body, totals.pages)
    } catch (error) {
      this.#decoder = undefined
      throw error
    } finally {
      const hasKept = !(verdict instanceof Refused) && verdict.keeps.length > 0
      if (hasKept) this.#decoder = undefined
      if (Buffer.compare(this.#memory, present) !== 0 || hasKept) this.#putBack()
    }
  }

  #placed(body: Uint8Array, inKernels: boolean): Uint8Array {
    if (!inKernels || body.length > bodyBytesMax - 3) return body.slice()
    // Nothing is aligned there.
    this.#body.set(body, 3)
    return this.#body.subarray(3, 3 + body.length)
  }

  #compare(
    { value: nak, error }: Outcome<Nak | undefined>,
    verdict: Judgement | Refused,
    body: Uint8Array,
    pages: number,
  ): string {
    const isSame = Buffer.compare(this.#memory, present) === 0
    if (error !== undefined || nak !== undefined)
      must(isSame, 'what is not installed writes nothing')
    if (verdict instanceof Refused) {
      const mayAsk = nak !== undefined && verdict.isLacking
      must(
        error !== undefined || mayAsk,
        `what the document refuses is refused: ${verdict.message}`,
      )
      return `${error?.code ?? 'NAK'}: ${verdict.message}`
    }
    const digest = new DataView(body.buffer, body.byteOffset).getBigUint64(24, true)
    if (error !== undefined) {
      if (verdict.maybeRefused && error.code === 'CODEC_COMPRESSION') return 'behind the frame'
      const isOther =
        !verdict.isLacking && error.code === 'CODEC_DIGEST' && digest !== verdict.digest
      must(isOther, `what is right is taken, not ${error.code}: ${error.message}`)
      return 'another digest'
    }
    const wanted = verdict.runs.reduce((sum, [, pageCount]) => sum + pageCount, 0)
    must(pages === wanted, 'pages are counted as they are stated')
    if (nak !== undefined) return this.#compareNak(nak, verdict)
    must(!verdict.isLacking, 'what is not here is asked for')
    must(digest === verdict.digest, 'the digest is that of the pages')
    return this.#compareMemory(verdict, body)
  }

  #compareNak(nak: Nak, { isLacking, region, runs }: Judgement): string {
    must(isLacking, 'what is here is not asked for')
    must(nak.region === region.id && nak.round === ROUND, 'a NAK names region and round')
    const asked = decodePageRuns(nak.runs).map((run) => `${run.firstPage}+${run.pageCount}`)
    const wanted = runs.map(([firstPage, pageCount]) => `${firstPage}+${pageCount}`)
    must(asked.join() === wanted.join(), 'a NAK has the runs that give content')
    return 'NAK'
  }

  #compareMemory(verdict: Judgement, body: Uint8Array): string {
    const wanted = present.slice()
    for (const { page, bytes } of verdict.installed)
      pageIn(wanted, verdict.region, page).set(bytes!)
    must(this.#memory.length === WORLD_BYTES, 'memory is as long as before')
    must(Buffer.compare(this.#memory, wanted) === 0, 'memory is what the batch says, and no more')
    for (const [index, place] of places.entries()) this.#compareNotes(this.#regions[index]!, place)
    this.#compareStore(verdict)
    const encodings = new Set(verdict.runs.length > 40 ? ['many'] : this.#encodings(body))
    return `installed ${[...encodings].sort().join()} ${body[12]} ${body[13]}`
  }

  #encodings(body: Uint8Array): readonly string[] {
    const count = body[6]! + body[7]! * 256
    return Array.from({ length: count }, (_, index) => String(body[32 + 12 * index + 6]))
  }

  /** What is noted of pages beside them. */
  #compareNotes({ written, fingerprints }: InstalledPages, place: Place): void {
    for (let page = 0; page < pagesOf(place); page++) {
      const bytes = pageIn(this.#memory, place, page)
      const mayBeZero = written[page] === 1 || bytes.every((byte) => byte === 0)
      must(mayBeZero, 'pages that count as zero are')
      if (fingerprints === undefined) continue
      const at = page * fingerprints.entryBytes
      const noted = fingerprints.bytes.subarray(at, at + fingerprints.entryBytes)
      const isRight = Buffer.compare(noted, this.#verifyPrints!.of(bytes)) === 0
      must(isRight, 'fingerprints are those of memory')
    }
  }

  /** Slots that were kept hold what their pages held: references to them say so. */
  #compareStore({ keeps, region }: Judgement): void {
    const last = new Map(keeps.map(({ slot, page }) => [slot, page]))
    for (const [slot, page] of last) {
      const content = pageIn(present, region, page)
      const header = new Uint8Array(32)
      const view = new DataView(header.buffer)
      view.setUint32(0, ROUND, true)
      view.setUint16(4, region.id, true)
      view.setBigUint64(24, this.prints.digest([content]), true)
      const payload = new Uint8Array(8)
      payload[0] = slot
      new DataView(payload.buffer).setUint32(4, this.prints.check(content), true)
      const run = { firstPage: page, pageCount: 1, encoding: 4, reserved: 0, payload }
      const body = formatBatch({ header, runs: [run], rest: new Uint8Array(0) })
      const nak = this.#decoder!.decode(body, ROUND, emptyTotals())
      must(nak === undefined, 'a slot holds what was kept')
      const held = pageIn(this.#memory, placeOf(region.id)!, page)
      must(Buffer.compare(held, content) === 0, 'a slot holds what its page held')
    }
  }
}
