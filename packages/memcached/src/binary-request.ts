/**
 * Requests of memcached's binary protocol: where one ends, and what it asks for. The client library
 * `memjs` speaks no other.
 *
 * Source: memcached's `protocol_binary.txt`. All numbers are big-endian:
 *
 * ```
 * 0   0x80         1  opcode       2  length of the key (2)
 * 4   length of the extras (1)     5  data type, 0 (1)       6  virtual bucket, 0 (2)
 * 8   length of extras, key and value (4)
 * 12  opaque, which the reply has, too (4)                   16  CAS unique (8)
 * 24  extras, key, value
 * ```
 *
 * @module
 */
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from './layout.ts'
import type { Request, Scanned } from './request.ts'

export const BINARY_REQUEST = 0x80
export const BINARY_HEADER_BYTES = 24
const extrasBytesMax = 20

/** What a binary request wants. */
export type BinaryVerb =
  | 'get'
  | 'set'
  | 'add'
  | 'replace'
  | 'delete'
  | 'incr'
  | 'decr'
  | 'quit'
  | 'flush'
  | 'noop'
  | 'version'
  | 'append'
  | 'prepend'
  | 'stat'
  | 'verbosity'
  | 'touch'
  | 'gat'

/** How requests with an opcode look. */
export interface BinaryForm {
  readonly verb: BinaryVerb
  /** What is as expected is not answered. */
  readonly isQuiet: boolean
  /** The reply has the key. */
  readonly tellsKey: boolean
  /** Lengths that the extras may have. */
  readonly extras: readonly number[]
  readonly key: 'never' | 'maybe' | 'always'
  readonly hasValue: boolean
}

function form(verb: BinaryVerb, rest: Partial<BinaryForm>): BinaryForm {
  const plain = { isQuiet: false, tellsKey: false, extras: [0], hasValue: false }
  return { verb, ...plain, key: 'always', ...rest }
}

const never = { key: 'never' } as const
const quiet = { isQuiet: true } as const
const told = { tellsKey: true } as const
const store = { extras: [8], hasValue: true } as const
const count = { extras: [20] } as const
const extend = { hasValue: true } as const
const touch = { extras: [4] } as const
const flush = { extras: [0, 4], key: 'never' } as const

/** By opcode. */
const forms: Readonly<Record<number, BinaryForm>> = {
  0x00: form('get', {}),
  0x01: form('set', store),
  0x02: form('add', store),
  0x03: form('replace', store),
  0x04: form('delete', {}),
  0x05: form('incr', count),
  0x06: form('decr', count),
  0x07: form('quit', never),
  0x08: form('flush', flush),
  0x09: form('get', quiet),
  0x0a: form('noop', never),
  0x0b: form('version', never),
  0x0c: form('get', told),
  0x0d: form('get', { ...quiet, ...told }),
  0x0e: form('append', extend),
  0x0f: form('prepend', extend),
  0x10: form('stat', { key: 'maybe' }),
  0x11: form('set', { ...store, ...quiet }),
  0x12: form('add', { ...store, ...quiet }),
  0x13: form('replace', { ...store, ...quiet }),
  0x14: form('delete', quiet),
  0x15: form('incr', { ...count, ...quiet }),
  0x16: form('decr', { ...count, ...quiet }),
  0x17: form('quit', { ...never, ...quiet }),
  0x18: form('flush', { ...flush, ...quiet }),
  0x19: form('append', { ...extend, ...quiet }),
  0x1a: form('prepend', { ...extend, ...quiet }),
  0x1b: form('verbosity', { extras: [4], key: 'never' }),
  0x1c: form('touch', touch),
  0x1d: form('gat', touch),
  0x1e: form('gat', { ...touch, ...quiet }),
  0x23: form('gat', { ...touch, ...told }),
  0x24: form('gat', { ...touch, ...told, ...quiet }),
}

/** A big-endian number of 4 bytes. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return halfAt(bytes, at) * 0x10000 + halfAt(bytes, at + 2)
}

function halfAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!
}

/** As {@link Request.scan}, for a request that begins with {@link BINARY_REQUEST}. */
export function scanBinary(request: Request, bytes: Uint8Array, from: number, to: number): Scanned {
  request.needBytes = BINARY_HEADER_BYTES
  if (to - from < BINARY_HEADER_BYTES) return 'incomplete'
  const keyBytes = halfAt(bytes, from + 2)
  const extrasBytes = bytes[from + 4]!
  const bodyBytes = wordAt(bytes, from + 8)
  const dataBytes = bodyBytes - extrasBytes - keyBytes
  // Where lengths do not fit each other, nobody can tell where the next request begins.
  if (dataBytes < 0) return 'endless'
  const bodyFrom = from + BINARY_HEADER_BYTES
  request.swallowBytes = 0
  request.form = undefined
  request.isNoreply = false
  request.binary = forms[bytes[from + 1]!]
  request.fault = faultOf(request.binary, { keyBytes, extrasBytes, dataBytes })
  request.starts[1] = bodyFrom + extrasBytes
  request.lengths[1] = keyBytes
  request.dataFrom = bodyFrom + extrasBytes + keyBytes
  request.dataBytes = dataBytes
  request.end = bodyFrom + bodyBytes
  if (bodyBytes > VALUE_BYTES_MAX + KEY_BYTES_MAX + extrasBytesMax) {
    request.fault = 'large'
    // The key, for what becomes of the value that it had.
    request.end = bodyFrom + extrasBytes + Math.min(keyBytes, KEY_BYTES_MAX)
    request.swallowBytes = bodyFrom + bodyBytes - request.end
  }
  request.needBytes = request.end - from
  return request.end > to ? 'incomplete' : 'complete'
}

interface Lengths {
  readonly keyBytes: number
  readonly extrasBytes: number
  readonly dataBytes: number
}

function faultOf(
  of: BinaryForm | undefined,
  { keyBytes, extrasBytes, dataBytes }: Lengths,
): Request['fault'] {
  if (of === undefined) return 'unknown'
  const isKeyRight = of.key === 'maybe' || keyBytes > 0 === (of.key === 'always')
  if (!isKeyRight || keyBytes > KEY_BYTES_MAX || !of.extras.includes(extrasBytes)) return 'format'
  if (dataBytes > 0 && !of.hasValue) return 'format'
  return dataBytes > VALUE_BYTES_MAX ? 'large' : undefined
}
