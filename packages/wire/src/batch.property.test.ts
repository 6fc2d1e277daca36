import { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BatchHeader } from './batch.ts'
import {
  entryOffset,
  readBatchHeader,
  readEntryEncoding,
  writeBatchEntry,
  writeBatchHeader,
} from './batch.ts'
import {
  BATCH,
  BATCH_HEADER_BYTES,
  BatchCompression,
  DELTA,
  DELTA_BYTES,
  ENTRY,
  ENTRY_BYTES,
  PageEncoding,
  REFERENCE,
  REFERENCE_BYTES,
  SAME_AS,
  SAME_AS_BYTES,
  SIMILAR,
  SIMILAR_BYTES,
} from './layout.ts'
import { BATCH_ENTRIES_MAX, BATCH_PAYLOAD_BYTES_MAX } from './limits.ts'

const u16 = fc.nat(0xffff)
const u32 = fc.nat(0xffffffff)
const encodings = [1, 2, 3, 4, 5, 7, 8, 9]

/** A legal header with a payload that a test can afford. */
const anyHeader: fc.Arbitrary<BatchHeader> = fc
  .record({
    round: u32,
    region: u16,
    entryCount: fc.integer({ min: 1, max: 20 }),
    payloadBytes: fc.nat(500),
    compression: fc.constantFrom(...Object.values(BatchCompression)),
    stride: fc.constantFrom(0, 3, 4, 5, 6),
    decodedBytes: fc.nat(BATCH_PAYLOAD_BYTES_MAX),
    digest: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  })
  .map((header) =>
    header.compression === BatchCompression.None
      ? { ...header, decodedBytes: header.payloadBytes }
      : header,
  )

const plain: BatchHeader = {
  round: 1,
  region: 0,
  entryCount: 1,
  payloadBytes: 8,
  compression: BatchCompression.None,
  stride: 0,
  decodedBytes: 8,
  digest: 0n,
}

/** A body of this header, the table and the payload full of what must not matter. */
function bodyOf(header: BatchHeader): DataView {
  const { entryCount, payloadBytes } = header
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + entryCount * ENTRY_BYTES + payloadBytes)
  const view = new DataView(bytes.fill(0xff).buffer)
  writeBatchHeader(view, 0, header)
  return view
}

function errorOf(view: DataView): string | undefined {
  try {
    readBatchHeader(view)
    return undefined
  } catch (error) {
    if (error instanceof GodwitError) return error.code
    throw error
  }
}

/** What is said to `header` when its bytes are changed. */
function changed(header: Partial<BatchHeader>, change?: (view: DataView) => void): unknown {
  const view = bodyOf({ ...plain, ...header })
  change?.(view)
  return errorOf(view)
}

describe('the header of a batch', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(anyHeader, (header) => {
        expect(readBatchHeader(bodyOf(header))).toEqual(header)
      }),
    )
  })

  it('may have any bytes at all, and is then right or refused by a code', () => {
    const codes = ['CODEC_BATCH', 'CODEC_ENCODING', 'LIMIT_EXCEEDED', undefined]
    fc.assert(
      fc.property(anyHeader, fc.nat(BATCH_HEADER_BYTES - 1), fc.nat(255), (header, at, byte) => {
        const view = bodyOf(header)
        view.setUint8(at, byte)
        expect(codes).toContain(errorOf(view))
      }),
      { numRuns: 1000 },
    )
  })

  it('has one of three compressions', () => {
    const codes = Array.from({ length: 256 }, (_, compression) =>
      changed({ compression: compression as BatchCompression }),
    )
    expect(codes.slice(0, 3)).toEqual([undefined, undefined, undefined])
    expect(new Set(codes.slice(3))).toEqual(new Set(['CODEC_ENCODING']))
  })

  it('has one of four strides, or none, with and without compression', () => {
    for (const compression of Object.values(BatchCompression)) {
      const right = Array.from({ length: 256 }, (_, stride) => stride).filter(
        (stride) => changed({ compression, stride }) === undefined,
      )
      expect(right).toEqual([0, 3, 4, 5, 6])
      expect(changed({ compression, stride: 7 })).toBe('CODEC_BATCH')
    }
  })

  it('bounds what the payload is after decompression', () => {
    const decodedBytes = BATCH_PAYLOAD_BYTES_MAX
    const compression = BatchCompression.Lz4
    expect(changed({ compression, decodedBytes })).toBe(undefined)
    expect(changed({ compression, decodedBytes: decodedBytes + 1 })).toBe('LIMIT_EXCEEDED')
    expect(changed({ decodedBytes: decodedBytes + 1 })).toBe('LIMIT_EXCEEDED')
  })

  it('states one length twice where nothing is compressed', () => {
    expect(changed({ decodedBytes: 7 })).toBe('CODEC_BATCH')
    expect(changed({ decodedBytes: 7, stride: 3 })).toBe('CODEC_BATCH')
    expect(changed({ decodedBytes: 7, compression: BatchCompression.Zstd })).toBe(undefined)
  })

  it('has zero in its reserved bytes', () => {
    for (const at of [BATCH.reserved14, BATCH.reserved14 + 1, 20, 21, 22, 23]) {
      expect(changed({}, (view) => view.setUint8(at, 1))).toBe('CODEC_BATCH')
    }
  })

  it('is refused by its first fault', () => {
    const reserve = (view: DataView) => view.setUint8(BATCH.reserved14, 1)
    const unknown = 3 as BatchCompression
    const most = BATCH_PAYLOAD_BYTES_MAX + 1
    expect(changed({ compression: unknown, stride: 1 })).toBe('CODEC_ENCODING')
    expect(changed({ stride: 1, decodedBytes: most })).toBe('CODEC_BATCH')
    expect(changed({ decodedBytes: most }, reserve)).toBe('CODEC_BATCH')
    const count = (view: DataView) => {
      view.setUint16(BATCH.entryCount, BATCH_ENTRIES_MAX + 1, true)
    }
    expect(changed({ compression: unknown }, count)).toBe('LIMIT_EXCEEDED')
  })
})

describe('an entry of a batch', () => {
  it('comes out as it went in', () => {
    const encoding = fc.constantFrom(...encodings) as fc.Arbitrary<PageEncoding>
    fc.assert(
      fc.property(u32, u16, encoding, u32, fc.nat(19), (first, count, of, payload, index) => {
        const view = bodyOf({ ...plain, entryCount: 20 })
        writeBatchEntry(view, BATCH_HEADER_BYTES, index, first, count, of, payload)
        const at = entryOffset(index)
        expect(readEntryEncoding(view, at)).toBe(of)
        expect(view.getUint32(at + ENTRY.firstPage, true)).toBe(first)
        expect(view.getUint16(at + ENTRY.pageCount, true)).toBe(count)
        expect(view.getUint32(at + ENTRY.payloadBytes, true)).toBe(payload)
      }),
    )
  })

  it('has one of seven encodings, and zero in its reserved byte', () => {
    const view = new DataView(new ArrayBuffer(ENTRY_BYTES))
    const read = (encoding: number, reserved: number) => () => {
      view.setUint8(ENTRY.encoding, encoding)
      view.setUint8(ENTRY.reserved, reserved)
      return readEntryEncoding(view, 0)
    }
    for (const encoding of encodings) {
      expect(read(encoding, 0)()).toBe(encoding)
      expect(read(encoding, 1)).toThrow('A reserved byte of a batch entry is not zero')
    }
    const others = Array.from({ length: 256 }, (_, encoding) => encoding).filter(
      (encoding) => !encodings.includes(encoding),
    )
    for (const encoding of others) {
      expect(read(encoding, 1)).toThrow(`Page encoding ${encoding} is not known`)
    }
  })
})

describe('the layouts of payloads', () => {
  /** Fields in the order of their offsets, and the end, must not overlap. */
  const widths = (layout: Readonly<Record<string, number>>, end: number): readonly number[] => {
    const offsets = [...Object.values(layout), end]
    return offsets.slice(1).map((offset, index) => offset - offsets[index]!)
  }

  it('have fields of these widths, one behind the other', () => {
    expect(widths(SAME_AS, SAME_AS_BYTES)).toEqual([2, 2, 4])
    expect(widths(REFERENCE, REFERENCE_BYTES)).toEqual([4, 4])
    expect(widths(DELTA, DELTA_BYTES)).toEqual([4, 2])
    expect(widths(SIMILAR, SIMILAR_BYTES)).toEqual([2, 2, 4, 4])
  })
})
