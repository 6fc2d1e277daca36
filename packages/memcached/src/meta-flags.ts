/**
 * Flags of a meta request: single characters, some with a token right behind them.
 *
 * Source: memcached's `doc/protocol.txt`, "Meta Commands"; texts of errors are those of memcached
 * 1.6.
 *
 * @module
 */
import { ascii, parseInteger, parseU64 } from './ascii.ts'
import { decodeBase64 } from './base64.ts'
import type { Request } from './request.ts'

/** Longest opaque with its `O`. */
const opaqueBytesMax = 32

const line = (text: string): Uint8Array => ascii(`CLIENT_ERROR ${text}\r\n`)
const DUPLICATE = line('duplicate flag')
const INVALID = line('invalid flag')
const BAD_TOKEN = line('bad token in command line format')
const BAD_FORMAT = line('bad command line format')
const BAD_MODE = line('incorrect length for M token')
const BAD_INITIAL = line('invalid numeric initial value')
const BAD_DELTA = line('invalid numeric delta value')
const BAD_KEY = line('error decoding key')
const LONG_OPAQUE = line('opaque token too long')

/** Bytes of flags that are answered, or done in their turn. */
export const Flag = {
  b: 0x62,
  c: 0x63,
  f: 0x66,
  h: 0x68,
  k: 0x6b,
  l: 0x6c,
  s: 0x73,
  t: 0x74,
  N: 0x4e,
  O: 0x4f,
  R: 0x52,
  T: 0x54,
} as const

/** Bytes of the modes of `ms`. */
export const SetMode = { Add: 0x45, Append: 0x41, Prepend: 0x50, Replace: 0x52, Set: 0x53 } as const
/** Bytes of the modes of `ma`. */
export const CountMode = { Up: 0x49, Plus: 0x2b, Down: 0x44, Minus: 0x2d } as const

/** What the flags of one request say; used again for the next. */
export class MetaFlags {
  /** `q` */
  isQuiet = false
  /** `v` */
  isValue = false
  /** `u`: as if it had not been fetched. */
  isUnnoted = false
  /** `I` */
  isInvalidating = false
  /** `b` */
  isKeyBinary = false
  /** `T`, as a client says it; undefined where it is not given, as with those that follow. */
  expirySeconds: number | undefined
  /** `N` */
  vivifySeconds: number | undefined
  /** `R` */
  recacheSeconds: number | undefined
  /** `F` */
  clientFlags = 0
  /** `C` */
  expectedCas: bigint | undefined
  /** `E` */
  newCas: bigint | undefined
  /** `M`: the byte of the mode; 0 where there is none. */
  mode = 0
  /** `J` */
  initial = 0n
  /** `D` */
  delta = 1n
  /** What is wrong with `O`; told only where nothing else is wrong. */
  opaqueFault: Uint8Array | undefined
  readonly #seen = new Uint8Array(128)

  /**
   * Reads the tokens of a request from one on. With `b` its key is decoded in its place.
   *
   * @returns what to answer where one is wrong
   */
  read(bytes: Uint8Array, request: Request, firstToken: number): Uint8Array | undefined {
    this.#reset()
    let fault: Uint8Array | undefined
    for (let token = firstToken; token < request.tokenCount; token++) {
      const at = request.starts[token]!
      const flag = bytes[at]!
      if (flag >= 127 || this.#seen[flag] === 1) return DUPLICATE
      this.#seen[flag] = 1
      const reader = readers[flag]
      if (reader === undefined) return INVALID
      const wrong = reader(this, bytes, at + 1, request.lengths[token]! - 1, request)
      fault ??= wrong
    }
    return fault
  }

  #reset(): void {
    this.isQuiet = false
    this.isValue = false
    this.isUnnoted = false
    this.isInvalidating = false
    this.isKeyBinary = false
    this.expirySeconds = undefined
    this.vivifySeconds = undefined
    this.recacheSeconds = undefined
    this.clientFlags = 0
    this.expectedCas = undefined
    this.newCas = undefined
    this.mode = 0
    this.initial = 0n
    this.delta = 1n
    this.opaqueFault = undefined
    this.#seen.fill(0)
  }
}

/** @param at - of the token behind the flag */
type Reader = (
  flags: MetaFlags,
  bytes: Uint8Array,
  at: number,
  count: number,
  request: Request,
) => Uint8Array | undefined

function seconds(name: 'expirySeconds' | 'vivifySeconds' | 'recacheSeconds'): Reader {
  return (flags, bytes, at, count) => {
    const value = parseInteger(bytes, at, count)
    if (!(Math.abs(value) < 2 ** 31)) return BAD_TOKEN
    flags[name] = value
    return undefined
  }
}

function cas(name: 'expectedCas' | 'newCas'): Reader {
  return (flags, bytes, at, count) => {
    flags[name] = parseU64(bytes, at, count)
    return flags[name] === undefined ? BAD_TOKEN : undefined
  }
}

function u64(name: 'initial' | 'delta', fault: Uint8Array): Reader {
  return (flags, bytes, at, count) => {
    const value = parseU64(bytes, at, count)
    if (value === undefined) return fault
    flags[name] = value
    return undefined
  }
}

function setting(name: 'isQuiet' | 'isValue' | 'isUnnoted' | 'isInvalidating'): Reader {
  return (flags) => {
    flags[name] = true
    return undefined
  }
}

/** Those that ask for something to be told, and hints for proxies. */
const known: Reader = () => undefined

const byName: Readonly<Record<string, Reader>> = {
  b(flags, bytes, _at, _count, request) {
    flags.isKeyBinary = true
    request.lengths[1] = decodeBase64(bytes, request.starts[1]!, request.lengths[1]!)
    return request.lengths[1] === 0 ? BAD_KEY : undefined
  },
  c: known,
  f: known,
  h: known,
  k: known,
  l: known,
  q: setting('isQuiet'),
  s: known,
  t: known,
  u: setting('isUnnoted'),
  v: setting('isValue'),
  C: cas('expectedCas'),
  D: u64('delta', BAD_DELTA),
  E: cas('newCas'),
  F(flags, bytes, at, count) {
    const value = parseInteger(bytes, at, count)
    if (!(value >= 0 && value < 2 ** 32)) return BAD_FORMAT
    flags.clientFlags = value
    return undefined
  },
  I: setting('isInvalidating'),
  J: u64('initial', BAD_INITIAL),
  L: known,
  M(flags, bytes, at, count) {
    if (count !== 1) return BAD_MODE
    flags.mode = bytes[at]!
    return undefined
  },
  N: seconds('vivifySeconds'),
  O(flags, _bytes, _at, count) {
    if (count + 1 > opaqueBytesMax) flags.opaqueFault = LONG_OPAQUE
    return undefined
  },
  P: known,
  R: seconds('recacheSeconds'),
  T: seconds('expirySeconds'),
}

const readers: readonly (Reader | undefined)[] = Array.from(
  { length: 128 },
  (_, byte) => byName[String.fromCharCode(byte)],
)
