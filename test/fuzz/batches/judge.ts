/**
 * What section 5 of the protocol says about a batch: a decoder that is written from the document,
 * in the order of the document, and knows nothing of ours.
 *
 * @module
 */
import { constants, zstdDecompressSync } from 'node:zlib'
import { changedPage, inOrder, lz4Content } from '../models.ts'
import { knownContent } from './known.ts'
import type { Place, Prints } from './world.ts'
import {
  PAGE_BYTES,
  ROUND,
  STORE_SLOTS,
  pageIn,
  pageLength,
  pagesOf,
  placeOf,
  places,
  present,
  slotContent,
} from './world.ts'

/** A page's new content; `bytes` is undefined where the content is not here. */
interface Given {
  readonly page: number
  readonly bytes: Uint8Array | undefined
}

interface Kept {
  readonly slot: number
  readonly page: number
}

/** A batch that follows the format. */
export interface Judgement {
  readonly region: Place
  readonly given: readonly Given[]
  /** In table order, zero pages among them. */
  readonly installed: readonly Given[]
  readonly keeps: readonly Kept[]
  readonly isLacking: boolean
  readonly digest: bigint
  /** The pairs of a NAK. */
  readonly runs: readonly (readonly [firstPage: number, pageCount: number])[]
  /** Bytes before or behind a zstd frame need not be noticed. */
  readonly maybeRefused: boolean
}

/** Why a batch is refused; `isLacking` when it names something that is not here before that. */
export class Refused extends Error {
  override readonly name = 'Refused'
  isLacking = false
}

const payloadBytesMax = 4_194_304
const contentPagesMax = payloadBytesMax / PAGE_BYTES + places.length
const magic = 0xfd2fb528

function need(holds: boolean, rule: string): asserts holds {
  if (!holds) throw new Refused(rule)
}

function inflated(frame: Uint8Array, decodedBytes: number): Uint8Array | undefined {
  const params = { [constants.ZSTD_d_windowLogMax]: 23 }
  try {
    return zstdDecompressSync(frame, { params, maxOutputLength: Math.max(1, decodedBytes) })
  } catch {
    return undefined
  }
}

/** Whether a frame is all that there is. */
function isFrameOnly(frame: Uint8Array, decodedBytes: number): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < 4 || view.getUint32(0, true) !== magic) return false
  return inflated(frame.subarray(0, -1), decodedBytes) === undefined
}

/** Decodes one batch; one object each. */
class Judge {
  readonly #prints: Prints
  readonly #given: Given[] = []
  readonly #installed: Given[] = []
  readonly #keeps: Kept[] = []
  #region: Place = places[0]!
  #payload: DataView = new DataView(new ArrayBuffer(0))
  #at = 0
  #end = 0
  /** The one before, of those that both ends know. */
  #entry = -1
  #isLacking = false
  #maybeRefused = false

  constructor(prints: Prints) {
    this.#prints = prints
  }

  get isLacking(): boolean {
    return this.#isLacking
  }

  judge(body: Uint8Array, isRich: boolean): Judgement {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    need(body.length >= 32, 'a whole header')
    const count = view.getUint16(6, true)
    need(count >= 1 && count <= 4096, 'the number of entries')
    this.#readPayload(view, body, 32 + 12 * count, isRich)
    const region = placeOf(view.getUint16(4, true))
    need(view.getUint32(0, true) === ROUND && region !== undefined, 'round and region')
    this.#region = region
    const runs: (readonly [number, number])[] = []
    let hasRecords = false
    let keptPages = 0
    for (let at = 32; at < 32 + 12 * count; at += 12) {
      const firstPage = view.getUint32(at, true)
      const pageCount = view.getUint16(at + 4, true)
      const encoding = view.getUint8(at + 6)
      need(isRich || encoding <= 2, 'an encoding that was negotiated')
      need(view.getUint8(at + 7) === 0, 'reserved bytes of entries')
      need(pageCount > 0 && firstPage + pageCount <= pagesOf(region), 'pages of the region')
      this.#end = this.#at + view.getUint32(at + 8, true)
      need(this.#end <= this.#payload.byteLength, 'payload that is there')
      this.#run(encoding, firstPage, pageCount)
      need(this.#at === this.#end, 'a run uses all of its payload')
      if (encoding > 2) hasRecords = true
      if (encoding === 8) keptPages += pageCount
      else runs.push([firstPage, pageCount])
    }
    const namedPages = runs.reduce((sum, [, pageCount]) => sum + pageCount, 0)
    const isBounded = namedPages <= pagesOf(region) && keptPages <= 4096
    need(!hasRecords || isBounded, 'no more pages than there are, where there are records')
    need(this.#at === this.#payload.byteLength, 'all payload belongs to runs')
    need(this.#given.length <= contentPagesMax, 'the number of pages with content')
    return this.#judgement(runs)
  }

  #judgement(runs: Judgement['runs']): Judgement {
    const contents = this.#given.map(({ bytes }) => bytes ?? new Uint8Array(0))
    return {
      region: this.#region,
      given: this.#given,
      installed: this.#installed,
      keeps: this.#keeps,
      isLacking: this.#isLacking,
      digest: this.#isLacking ? 0n : this.#prints.digest(contents),
      runs,
      maybeRefused: this.#maybeRefused,
    }
  }

  #readPayload(view: DataView, body: Uint8Array, start: number, isRich: boolean): void {
    const payloadBytes = view.getUint32(8, true)
    const decodedBytes = view.getUint32(16, true)
    const [compression, stride] = [view.getUint8(12), view.getUint8(13)]
    need(payloadBytes <= payloadBytesMax && decodedBytes <= payloadBytesMax, 'the limits')
    need(start + payloadBytes === body.length, 'lengths that add up')
    need(compression <= (isRich ? 2 : 0), 'a compression that was negotiated')
    need(stride === 0 || (isRich && stride >= 3 && stride <= 6), 'a stride')
    need(view.getUint16(14, true) + view.getUint32(20, true) === 0, 'reserved bytes')
    const sent = body.subarray(start)
    let payload: Uint8Array | undefined = sent
    if (compression === 1) {
      payload = inflated(sent, decodedBytes)
      this.#maybeRefused = payload !== undefined && !isFrameOnly(sent, decodedBytes)
    } else if (compression === 2) payload = lz4Content(sent, decodedBytes)
    need(payload?.length === decodedBytes, 'what decompresses to the stated length')
    const ordered = stride === 0 ? payload : inOrder(payload, stride)
    this.#payload = new DataView(ordered.buffer, ordered.byteOffset, ordered.byteLength)
  }

  #run(encoding: number, firstPage: number, pageCount: number): void {
    need([1, 2, 3, 4, 5, 7, 8, 9].includes(encoding), 'an encoding that is known')
    const other = encoding === 3 ? this.#sameAs(pageCount) : undefined
    this.#entry = -1
    for (let i = 0; i < pageCount; i++) {
      const page = firstPage + i
      if (encoding === 2)
        this.#installed.push({ page, bytes: new Uint8Array(this.#lengthOf(page)) })
      else if (encoding === 8) this.#keeps.push({ slot: this.#slot(), page })
      else this.#give(page, this.#content(encoding, page, other && { ...other, i }))
    }
  }

  #give(page: number, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#isLacking = true
    this.#given.push({ page, bytes })
    this.#installed.push({ page, bytes })
  }

  #content(
    encoding: number,
    page: number,
    other: { region: number; firstPage: number; i: number } | undefined,
  ): Uint8Array | undefined {
    const length = this.#lengthOf(page)
    switch (encoding) {
      case 1:
        return this.#take(length)
      case 3:
        return this.#checked(this.#named(other!.region, other!.firstPage + other!.i, length))
      case 4: {
        const content = slotContent(this.#slot())
        return this.#checked(content?.length === length ? content : undefined)
      }
      case 5: {
        const base = this.#checked(pageIn(present, this.#region, page))
        return this.#changed(base, this.#u16())
      }
      case 7:
        return this.#known(length)
      default: {
        const [region, deltaBytes] = [this.#u16(), this.#u16()]
        return this.#changed(this.#checked(this.#named(region, this.#u32(), length)), deltaBytes)
      }
    }
  }

  #known(length: number): Uint8Array | undefined {
    this.#entry = (this.#entry + 1 + this.#u32()) % 2 ** 32
    const content = knownContent(this.#entry)
    need(content !== undefined, 'an entry that is held')
    need(length === PAGE_BYTES, 'whole pages that both ends know')
    return content === 'lacking' ? undefined : content
  }

  #sameAs(pageCount: number): { region: number; firstPage: number } {
    need(this.#end - this.#at === 8 + 4 * pageCount, 'the length of same-as')
    const region = this.#u16()
    need(this.#u16() === 0, 'reserved bytes of same-as')
    return { region, firstPage: this.#u32() }
  }

  #named(id: number, page: number, length: number): Uint8Array {
    const region = placeOf(id)
    need(region !== undefined && page < pagesOf(region), 'a page that there is')
    need(pageLength(region, page) === length, 'a page of the same length')
    return pageIn(present, region, page)
  }

  #changed(base: Uint8Array | undefined, deltaBytes: number): Uint8Array | undefined {
    need(deltaBytes <= PAGE_BYTES, 'a delta no longer than a page')
    const delta = this.#take(deltaBytes)
    if (base === undefined) return undefined
    const made = changedPage(base, delta)
    need(made !== undefined, 'a delta')
    return made
  }

  #checked(content: Uint8Array | undefined): Uint8Array | undefined {
    const check = this.#u32()
    return content !== undefined && this.#prints.check(content) === check ? content : undefined
  }

  #slot(): number {
    const slot = this.#u32()
    need(slot < STORE_SLOTS, 'a slot that there is')
    return slot
  }

  #lengthOf(page: number): number {
    return pageLength(this.#region, page)
  }

  #take(byteCount: number): Uint8Array {
    need(this.#at + byteCount <= this.#end, 'payload of the run')
    const { buffer, byteOffset } = this.#payload
    const bytes = new Uint8Array(buffer, byteOffset + this.#at, byteCount)
    this.#at += byteCount
    return bytes
  }

  #u16(): number {
    return this.#take(2).reduceRight((sum, byte) => sum * 256 + byte, 0)
  }

  #u32(): number {
    return this.#take(4).reduceRight((sum, byte) => sum * 256 + byte, 0)
  }
}

/** What is to become of a batch in the world that `prints` hashes. */
export function judge(body: Uint8Array, isRich: boolean, prints: Prints): Judgement | Refused {
  const one = new Judge(prints)
  try {
    return one.judge(body, isRich)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    error.isLacking = one.isLacking
    return error
  }
}
