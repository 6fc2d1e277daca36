import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkSegment,
  decodeAcknowledgement,
  decodeHello,
  encodeAcknowledgement,
  encodeHello,
  RecordReader,
  SEGMENT_RECORD_BYTES,
  StreamContent,
} from './stream.ts'
import { makePool } from './writer.ts'

const hello = {
  seed: 2 ** 52 + 7,
  bytesPerSecond: 1e6,
  acknowledged: 2 ** 40,
  first: 2 ** 40 + 256,
}

/** The bytes of `hello`, with a 32-bit word changed. */
function changed(at: number, value: number): Uint8Array {
  const bytes = encodeHello(hello)
  new DataView(bytes.buffer).setUint32(at, value, true)
  return bytes
}

describe('a hello', () => {
  it('says which stream, how fast, and from where on', () => {
    const bytes = encodeHello(hello)
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '47574e53' +
        '01000000' +
        '0700000000001000' +
        '40420f0000000000' +
        '0000000000010000' +
        '0001000000010000',
    )
    expect(decodeHello(bytes)).toEqual(hello)
  })

  it.each([
    ['of no guest', 0, 5, 'WIRE_MAGIC'],
    ['of another version', 4, 2, 'WIRE_MAGIC'],
    ['with a seed above 2^53', 12, 2 ** 21, 'WIRE_BODY'],
    ['of a stream that is too slow', 16, 999, 'WIRE_BODY'],
    ['of a stream that is too fast', 16, 1.25e9 + 1, 'WIRE_BODY'],
    ['that begins before what is acknowledged', 36, 255, 'WIRE_SEQUENCE'],
    ['that begins beyond the window', 32, 257, 'WIRE_SEQUENCE'],
  ])('is refused %s', (_what, at, value, code) => {
    expect(() => decodeHello(changed(at, value))).toThrow(expect.objectContaining({ code }))
  })
})

describe('an acknowledgement', () => {
  it.each([5, 6, 9])('may be of %d, of what was sent', (number) => {
    expect(decodeAcknowledgement(encodeAcknowledgement(number), 5, 9)).toBe(number)
  })

  it.each([4, 10, 2 ** 53 - 1])('may not be of %d', (number) => {
    const decode = (): number => decodeAcknowledgement(encodeAcknowledgement(number), 5, 9)
    expect(decode).toThrow(expect.objectContaining({ code: 'WIRE_SEQUENCE' }))
  })
})

describe('a segment', () => {
  it('has its number, and the words of the pool changed with every MiB', () => {
    const content = new StreamContent(9)
    const record = new Uint8Array(SEGMENT_RECORD_BYTES)
    content.writeRecord(256 + 3, record, 0)
    expect([...record.subarray(0, 8)]).toEqual([3, 1, 0, 0, 0, 0, 0, 0])
    const words = new Int32Array(record.slice(8).buffer)
    const pool = makePool(9).slice(3 * 1024, 4 * 1024)
    expect(words).toEqual(pool.map((word) => word ^ Math.imul(2, 0x9e3779b1)))
  })

  it('is the next one, or none', () => {
    const record = new Uint8Array(SEGMENT_RECORD_BYTES)
    new StreamContent(1).writeRecord(7, record, 0)
    checkSegment(record, 7)
    for (const expected of [6, 8]) {
      expect(() => checkSegment(record, expected)).toThrow(/Segment 7 came where/)
    }
  })
})

describe('a reader of records', () => {
  it('gives each record once and whole, however the bytes come', () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 17 }), cuts, check),
    )
    function check(bytes: Uint8Array, length: number, lengths: number[]): void {
      const reader = new RecordReader(length)
      const records: number[][] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const count = lengths[i % lengths.length]!
        reader.feed(bytes.slice(at, at + count), (record) => records.push([...record]))
        at += count
      }
      const whole = bytes.length - (bytes.length % length)
      expect(records.every((record) => record.length === length)).toBe(true)
      expect(records.flat()).toEqual([...bytes.subarray(0, whole)])
    }
  })
})
