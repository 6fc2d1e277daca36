/**
 * Control bodies: one MessagePack map each. The bytes are walked before a library sees them, so
 * that no count or length a peer wrote is ever allocated from, and extension types never run code.
 *
 * @module
 */
import { WireError } from '@godwit/core'
import { Packr, Unpackr } from 'msgpackr'
import { MSGPACK_DEPTH_MAX, MSGPACK_VALUES_MAX } from './limits.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true })
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  copyBuffers: true,
  int64AsType: 'number',
})

/** Encodes a plain object as one map in memory of its own. Absent fields are left out. */
export function encodeMap(fields: object): Uint8Array {
  const present = Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  )
  return packr.pack(present)
}

/**
 * Decodes a body that must be exactly one map. Binary values are copies.
 *
 * @throws {WireError} `WIRE_BODY`
 */
export function decodeMap(body: Uint8Array): Record<string, unknown> {
  const isMap = body.length > 0 && (body[0]! >>> 4 === 0x8 || body[0] === 0xde || body[0] === 0xdf)
  if (!isMap || new Walk(body).value(0, 0) !== body.length)
    throw broken('is not one MessagePack map')
  try {
    return unpackr.unpack(body) as Record<string, unknown>
  } catch (error) {
    throw broken('does not decode', error)
  }
}

function broken(what: string, cause?: unknown): WireError {
  return new WireError('WIRE_BODY', `A control body ${what}`, { cause })
}

/** Walks a body before a library sees it; checks every byte it walks over. */
class Walk {
  readonly #bytes: Uint8Array
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Where the value at `at` ends. */
  value(at: number, depth: number): number {
    const bytes = this.#bytes
    if (depth > MSGPACK_DEPTH_MAX) throw broken('is nested too deeply')
    if (at >= bytes.length) throw broken('ends early')
    if (++this.#values > MSGPACK_VALUES_MAX) throw broken('has too many values')
    const tag = bytes[at]!
    if (tag <= 0x7f || tag >= 0xe0) return at + 1
    if (tag <= 0x8f) return this.#map(at + 1, tag & 0x0f, depth)
    if (tag <= 0x9f) return this.#array(at + 1, tag & 0x0f, depth)
    if (tag <= 0xbf) return within(bytes, at + 1 + (tag & 0x1f))
    const fixed = fixedBytes[tag]
    if (fixed !== undefined) return within(bytes, at + 1 + fixed)
    const lengthBytes = sizedBytes[tag]
    if (lengthBytes === undefined) throw broken(`uses MessagePack type 0x${tag.toString(16)}`)
    const start = within(bytes, at + 1 + lengthBytes)
    const count = bigEndian(bytes, at + 1, lengthBytes)
    if (tag <= 0xdb) return within(bytes, start + count)
    return tag >= 0xde ? this.#map(start, count, depth) : this.#array(start, count, depth)
  }

  #map(at: number, count: number, depth: number): number {
    within(this.#bytes, at + count * 2)
    let next = at
    for (let i = 0; i < count; i++) {
      if (!isStr(this.#bytes[next])) throw broken('has a key that is not a str')
      const keyEnd = this.value(next, depth + 1)
      if (endsWithProto(this.#bytes, next, keyEnd)) throw broken('has a key named __proto__')
      next = this.value(keyEnd, depth + 1)
    }
    return next
  }

  #array(at: number, count: number, depth: number): number {
    // Each item takes a byte at least, so a count beyond the body is refused before the loop.
    within(this.#bytes, at + count)
    let next = at
    for (let i = 0; i < count; i++) next = this.value(next, depth + 1)
    return next
  }
}

function isStr(tag: number | undefined): boolean {
  return tag !== undefined && ((tag >= 0xa0 && tag <= 0xbf) || (tag >= 0xd9 && tag <= 0xdb))
}

/** The name that objects of JavaScript give a meaning of its own; no message has it. */
const protoBytes = Uint8Array.from('__proto__', (char) => char.charCodeAt(0))

/** Whether the str in `bytes[start, end)` is `__proto__`, whatever the width of its length. */
function endsWithProto(bytes: Uint8Array, start: number, end: number): boolean {
  const at = end - protoBytes.length
  const headerBytes = at - start
  if (headerBytes !== strHeaderBytes(bytes[start]!)) return false
  return protoBytes.every((byte, index) => bytes[at + index] === byte)
}

function strHeaderBytes(tag: number): number {
  return tag <= 0xbf ? 1 : 1 + sizedBytes[tag]!
}

/** nil, false, true, float32, float64, uint8..64, int8..64. */
const fixedBytes: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
}

/** Bytes of the length of bin8..32, str8..32 (up to 0xdb), array16/32, map16/32. */
const sizedBytes: Readonly<Record<number, number>> = {
  0xc4: 1,
  0xc5: 2,
  0xc6: 4,
  0xd9: 1,
  0xda: 2,
  0xdb: 4,
  0xdc: 2,
  0xdd: 4,
  0xde: 2,
  0xdf: 4,
}

function within(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw broken('ends early')
  return end
}

function bigEndian(bytes: Uint8Array, at: number, byteCount: number): number {
  let value = 0
  for (let i = 0; i < byteCount; i++) value = value * 256 + bytes[at + i]!
  return value
}
