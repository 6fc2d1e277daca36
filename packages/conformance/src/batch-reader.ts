/**
 * Reads the batches of a source under test, one page after the other, and holds them against
 * section 5.
 *
 * @module
 */
import { zstdDecompressSync } from 'node:zlib'
import {
  BATCH_HEADER_BYTES,
  BatchCompression,
  ENTRY,
  ENTRY_BYTES,
  PageEncoding,
  readBatchHeader,
} from '@godwit/wire'
import { digestOf, untranspose } from './batch.ts'
import { check, checkEqual, Failure } from './failure.ts'
import type { Hashes } from './hashes.ts'
import { unpackLz4 } from './lz4.ts'
import { applyDelta, checkOf } from './rich-runs.ts'

/** What every batch of a session is read with. */
export interface Reading {
  readonly pageBytes: number
  readonly hashes: Hashes
  readonly capabilities: readonly string[]
  /** By id; written to as batches are read. */
  readonly regions: ReadonlyMap<number, Uint8Array>
}

/** A page that a batch gives content. */
export interface ReadPage {
  readonly region: number
  readonly page: number
  readonly content: Uint8Array
  readonly encoding: number
}

const capabilityOf: Readonly<Record<number, string>> = {
  [PageEncoding.SameAs]: 'references',
  [PageEncoding.Reference]: 'references',
  [PageEncoding.Keep]: 'references',
  [PageEncoding.Delta]: 'delta',
  [PageEncoding.Similar]: 'delta',
}

/** Of one data channel: it has the channel's content store. */
export class BatchReader {
  readonly #reading: Reading
  readonly #slots = new Map<number, Uint8Array>()

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /**
   * Checks a batch and puts its pages where they belong.
   *
   * @returns its pages in table order, and the digest that its header states
   */
  read(body: Uint8Array, round: number): { pages: readonly ReadPage[]; digest: bigint } {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    const header = readHeader(view)
    check('C5.52', header.round === round, `round ${round}`, header.round)
    const { entryCount, region } = header
    check('C5.1', this.#reading.regions.has(region), 'a region of RESERVE', region)
    const table = BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES
    const payload = this.#unpack(body.subarray(table), header)
    const pages: ReadPage[] = []
    const kept: (readonly [slot: number, page: number])[] = []
    let at = 0
    for (let index = 0; index < entryCount; index++) {
      const entry = BATCH_HEADER_BYTES + index * ENTRY_BYTES
      const byteCount = view.getUint32(entry + ENTRY.payloadBytes, true)
      const run = new Run(this, region, view, entry, payload.subarray(at, at + byteCount))
      at += byteCount
      run.read(pages, kept)
    }
    checkEqual('C5.3', at, payload.length)
    this.#finish(header, pages, kept)
    return { pages, digest: header.digest }
  }

  #finish(
    header: ReturnType<typeof readBatchHeader>,
    pages: readonly ReadPage[],
    kept: readonly (readonly [number, number])[],
  ): void {
    const { region } = header
    const carried = pages.filter(({ encoding }) => encoding !== PageEncoding.Zero)
    const contents = carried.map(({ content }) => content)
    checkEqual('C5.41', header.digest, digestOf(this.#reading.hashes, contents))
    const numbers = new Set(pages.map(({ page }) => page))
    check(
      'C5.29',
      numbers.size === pages.length,
      'each page once',
      [...pages].map((one) => one.page),
    )
    for (const [slot, page] of kept) this.#slots.set(slot, this.holds(region, page).slice())
    for (const { page, content } of pages) this.holds(region, page).set(content)
  }

  /** A view of what a page holds now. */
  holds(region: number, page: number): Uint8Array {
    const bytes = this.#reading.regions.get(region)
    const start = page * this.#reading.pageBytes
    if (bytes === undefined || start >= bytes.length) {
      throw new Failure('C5.2', 'a page of the guest', `page ${page} of region ${region}`)
    }
    return bytes.subarray(start, start + this.#reading.pageBytes)
  }

  /** What is named, and was said to hold what its check tells. */
  named(clause: string, content: Uint8Array | undefined, expected: number): Uint8Array {
    if (content === undefined) throw new Failure(clause, 'a slot with content', 'an empty one')
    checkEqual(clause, checkOf(this.#reading.hashes, content), expected)
    return content.slice()
  }

  slot(number: number): Uint8Array | undefined {
    return this.#slots.get(number)
  }

  /** @throws {Failure} `C4.60` */
  agreed(encoding: number): void {
    const capability = capabilityOf[encoding]
    if (capability === undefined) {
      const isPlain = encoding === PageEncoding.Raw || encoding === PageEncoding.Zero
      check('C11.2', isPlain, 'an encoding of section 5', encoding)
    } else this.#need(capability, `encoding ${encoding}`)
  }

  #need(capability: string, what: string): void {
    const { capabilities } = this.#reading
    check('C4.60', capabilities.includes(capability), `no ${what} without ${capability}`, what)
  }

  #unpack(sent: Uint8Array, header: ReturnType<typeof readBatchHeader>): Uint8Array {
    const { compression, stride, decodedBytes, payloadBytes } = header
    checkEqual('C5.1', sent.length, payloadBytes)
    if (compression !== BatchCompression.None) {
      this.#need(compression === BatchCompression.Zstd ? 'zstd' : 'lz4', 'compression')
      check('C5.9', payloadBytes > 0 && decodedBytes > 0, 'no empty payload compressed', header)
    }
    const { capabilities } = this.#reading
    const mayStride = capabilities.includes('zstd') || capabilities.includes('lz4')
    check('C4.60', stride === 0 || mayStride, 'no stride without zstd or lz4', stride)
    const moved = unpack(sent, compression, decodedBytes)
    checkEqual('C5.8', moved.length, decodedBytes)
    return stride === 0 ? moved : untranspose(moved, 1 << stride)
  }
}

function readHeader(view: DataView): ReturnType<typeof readBatchHeader> {
  try {
    return readBatchHeader(view)
  } catch (thrown) {
    throw new Failure('C5.1', 'a header as in section 5', (thrown as Error).message)
  }
}

function unpack(sent: Uint8Array, compression: number, byteCount: number): Uint8Array {
  switch (compression) {
    case BatchCompression.Zstd:
      return zstdDecompressSync(sent, { maxOutputLength: byteCount })
    case BatchCompression.Lz4:
      return unpackLz4(sent, byteCount)
    default:
      return sent
  }
}

/** One entry with its payload. */
class Run {
  readonly #reader: BatchReader
  readonly #region: number
  readonly #first: number
  readonly #count: number
  readonly #encoding: number
  readonly #payload: Uint8Array
  readonly #view: DataView

  constructor(
    reader: BatchReader,
    region: number,
    table: DataView,
    entry: number,
    payload: Uint8Array,
  ) {
    this.#reader = reader
    this.#region = region
    this.#first = table.getUint32(entry + ENTRY.firstPage, true)
    this.#count = table.getUint16(entry + ENTRY.pageCount, true)
    this.#encoding = table.getUint8(entry + ENTRY.encoding)
    checkEqual('C5.2', table.getUint8(entry + ENTRY.reserved), 0)
    check('C5.2', this.#count > 0, 'at least one page', this.#count)
    this.#payload = payload
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
    reader.agreed(this.#encoding)
  }

  read(pages: ReadPage[], kept: (readonly [number, number])[]): void {
    let at = this.#encoding === PageEncoding.SameAs ? 8 : 0
    for (let index = 0; index < this.#count; index++) {
      const page = this.#first + index
      if (this.#encoding === PageEncoding.Keep) {
        kept.push([this.#view.getUint32(at, true), page])
        at += 4
        continue
      }
      const [content, byteCount] = this.#content(page, index, at)
      const encoding = this.#encoding
      pages.push({ region: this.#region, page, content, encoding })
      at += byteCount
    }
    const clauses = ['', 'C5.13', 'C5.14', 'C5.15', 'C5.16', 'C5.17', '', '', 'C5.18', 'C5.19']
    checkEqual(clauses[this.#encoding] ?? 'C5.2', at, this.#payload.length)
  }

  #content(page: number, index: number, at: number): readonly [Uint8Array, number] {
    const reader = this.#reader
    const view = this.#view
    const now = reader.holds(this.#region, page)
    switch (this.#encoding) {
      case PageEncoding.Raw:
        return [this.#payload.slice(at, at + now.length), now.length]
      case PageEncoding.Zero:
        return [new Uint8Array(now.length), 0]
      case PageEncoding.SameAs: {
        const other = reader.holds(view.getUint16(0, true), view.getUint32(4, true) + index)
        checkEqual('C5.34', other.length, now.length)
        return [reader.named('C5.35', other, view.getUint32(at, true)), 4]
      }
      case PageEncoding.Reference: {
        const slot = reader.slot(view.getUint32(at, true))
        return [reader.named('C5.16', slot, view.getUint32(at + 4, true)), 8]
      }
      case PageEncoding.Delta: {
        const base = reader.named('C5.17', now, view.getUint32(at, true))
        const length = view.getUint16(at + 4, true)
        return [applyDelta(base, this.#payload.subarray(at + 6, at + 6 + length)), 6 + length]
      }
      default: {
        const length = view.getUint16(at + 2, true)
        const other = reader.holds(view.getUint16(at, true), view.getUint32(at + 4, true))
        checkEqual('C5.34', other.length, now.length)
        const base = reader.named('C5.35', other, view.getUint32(at + 8, true))
        return [applyDelta(base, this.#payload.subarray(at + 12, at + 12 + length)), 12 + length]
      }
    }
  }
}
