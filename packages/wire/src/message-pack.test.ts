import { WireError } from '@godwit/core'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { MSGPACK_DEPTH_MAX, MSGPACK_VALUES_MAX } from './limits.ts'
import { decodeMap, encodeMap } from './message-pack.ts'

const key = fc.string({ minLength: 1, maxLength: 10 }).filter((one) => one !== '__proto__')
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.integer(),
    fc.maxSafeInteger(),
    // The writer makes an integer of -0.
    fc.double({ noNaN: true }).map((number) => number + 0),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    tie('map'),
  ),
  map: fc.dictionary(key, tie('value'), { maxKeys: 5 }),
}))
const map = fc.dictionary(fc.stringMatching(/^[a-z]{1,10}$/), value, { maxKeys: 6 })

/** As it arrives: without the `Buffer` that the writer makes in Node. */
function encoded(fields: object): Uint8Array {
  return new Uint8Array(encodeMap(fields))
}

function errorOf(bytes: Uint8Array): string {
  try {
    decodeMap(bytes)
    return 'none'
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
}

/** `{x: [[[...]]]}` whose innermost array is at `levels`. */
function nested(levels: number): Uint8Array {
  return Uint8Array.of(0x81, 0xa1, 0x78, ...Array.from({ length: levels - 1 }, () => 0x91), 0x90)
}

describe('encodeMap and decodeMap', () => {
  it('agree on everything that may stand in a body', () => {
    fc.assert(
      fc.property(map, (fields) => {
        expect(decodeMap(encoded(fields))).toEqual(fields)
      }),
      { numRuns: 300 },
    )
  })

  it('leave out what is not there', () => {
    expect(decodeMap(encoded({ a: undefined, b: null }))).toEqual({ b: null })
  })

  it('take no notice of what stands around the body', () => {
    const body = encoded({ a: [1, 'x'], b: Uint8Array.of(1, 2) })
    const around = new Uint8Array(body.length + 11).fill(0xc1)
    around.set(body, 7)
    expect(decodeMap(around.subarray(7, 7 + body.length))).toEqual(decodeMap(body))
  })

  it('give copies of binary values', () => {
    const body = encoded({ a: Uint8Array.of(1, 2, 3) })
    const { a } = decodeMap(body) as { a: Uint8Array }
    body.fill(0)
    expect([...a]).toEqual([1, 2, 3])
    expect(a.buffer.byteLength).toBeLessThan(9000)
  })
})

describe('decodeMap, the guard', () => {
  it('refuses every part of a body', () => {
    fc.assert(
      fc.property(map, fc.nat(), (fields, cut) => {
        const body = encoded(fields)
        expect(errorOf(body.subarray(0, cut % body.length))).toBe('WIRE_BODY')
        expect(errorOf(Uint8Array.of(...body, 0xc0))).toBe('WIRE_BODY')
      }),
    )
  })

  it('throws nothing but WIRE_BODY, whatever the bytes', () => {
    fc.assert(
      fc.property(map, fc.nat(), fc.nat(255), (fields, at, byte) => {
        const body = encoded(fields)
        body[at % body.length] = byte
        expect(['none', 'WIRE_BODY']).toContain(errorOf(body))
      }),
      { numRuns: 1000 },
    )
  })

  it('refuses extension types, dates and records', () => {
    const packr = new Packr({ useRecords: false, moreTypes: true })
    for (const item of [new Date(0), new Set([1]), /x/, new Error('x')]) {
      const inner = packr.pack(item)
      const body = Uint8Array.of(0x81, 0xa1, 0x78, ...inner)
      expect(errorOf(body)).toBe('WIRE_BODY')
    }
    const records = new Packr({ useRecords: true }).pack({ a: 1, b: { a: 2, b: 3 } })
    expect(errorOf(records)).toBe('WIRE_BODY')
  })

  it('bounds the nesting before it recurses', () => {
    expect(errorOf(nested(MSGPACK_DEPTH_MAX))).toBe('none')
    expect(errorOf(nested(MSGPACK_DEPTH_MAX + 1))).toBe('WIRE_BODY')
    expect(errorOf(nested(100_000))).toBe('WIRE_BODY')
  })

  it('never counts to what a peer only announces', () => {
    const most = [0xff, 0xff, 0xff, 0xff]
    for (const tag of [0xc6, 0xdb, 0xdd, 0xdf]) {
      expect(errorOf(Uint8Array.of(0x81, 0xa1, 0x78, tag, ...most, 0xc0))).toBe('WIRE_BODY')
    }
    expect(errorOf(Uint8Array.of(0xdf, ...most))).toBe('WIRE_BODY')
  })

  it('takes as many values as the limit says, and not one more', () => {
    // The map, the key and the array are three of them.
    const items = (count: number) => encoded({ x: Array.from({ length: count }, () => null) })
    expect(errorOf(items(MSGPACK_VALUES_MAX - 3))).toBe('none')
    expect(errorOf(items(MSGPACK_VALUES_MAX - 2))).toBe('WIRE_BODY')
  })

  it('refuses the key that objects give a meaning of its own, at any depth', () => {
    const nested = (name: string) => encoded({ x: [{ [name]: 1 }] })
    expect(errorOf(nested('__proto_'))).toBe('none')
    const bytes = nested('__proto_X')
    const at = bytes.findIndex((byte, index) => byte === 0x58 && bytes[index - 1] === 0x5f)
    bytes[at] = 0x5f
    expect(errorOf(bytes)).toBe('WIRE_BODY')
  })
})
