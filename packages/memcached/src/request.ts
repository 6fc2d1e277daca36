/**
 * Where a request begins and ends in a stream of bytes, and what it asks for. Whoever forwards
 * requests cuts the stream by the same rules as whoever executes them.
 *
 * Source: memcached's `doc/protocol.txt`, and for errors what memcached 1.6 does.
 *
 * @module
 */
import { ascii, CARRIAGE_RETURN, hasText, LINE_FEED, parseInteger, SPACE } from './ascii.ts'
import { type BinaryForm, BINARY_REQUEST, scanBinary } from './binary-request.ts'
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from './layout.ts'

/** Longest line of a request that asks for many keys, and of any other (as in memcached). */
export const KEYS_LINE_BYTES_MAX = 1_048_576
export const LINE_BYTES_MAX = 2048

/** What a request wants. */
export type Verb =
  | 'get'
  | 'gets'
  | 'gat'
  | 'gats'
  | 'set'
  | 'add'
  | 'replace'
  | 'append'
  | 'prepend'
  | 'cas'
  | 'incr'
  | 'decr'
  | 'touch'
  | 'delete'
  | 'flush_all'
  | 'stats'
  | 'version'
  | 'verbosity'
  | 'mg'
  | 'ms'
  | 'md'
  | 'ma'
  | 'me'
  | 'mn'
  | 'quit'
  | 'godwit'

/** How requests of a verb look; tokens with the verb itself. */
export interface Form {
  readonly verb: Verb
  readonly name: Uint8Array
  readonly tokensMin: number
  readonly tokensMax: number
  /** It has as many keys as one likes, from this token. */
  readonly keysFrom?: number
  /** A data block follows. */
  readonly hasData?: boolean
  /** Its second token is a key. */
  readonly hasKey?: boolean
  /** Flags follow. */
  readonly isMeta?: boolean
  /** `noreply` may be its last token, at this place or behind it. */
  readonly noreplyFrom?: number
}

type Shape = Omit<Form, 'verb' | 'name' | 'tokensMin' | 'tokensMax'>

function form(verb: Verb, tokensMin: number, tokensMax: number, shape: Shape = {}): Form {
  return { verb, name: ascii(verb), tokensMin, tokensMax, ...shape }
}

const store: Shape = { hasData: true, hasKey: true, noreplyFrom: 5 }
const meta: Shape = { hasKey: true, isMeta: true }
const forms: readonly Form[] = [
  form('get', 2, Infinity, { keysFrom: 1 }),
  form('gets', 2, Infinity, { keysFrom: 1 }),
  form('gat', 3, Infinity, { keysFrom: 2 }),
  form('gats', 3, Infinity, { keysFrom: 2 }),
  form('set', 5, 6, store),
  form('add', 5, 6, store),
  form('replace', 5, 6, store),
  form('append', 5, 6, store),
  form('prepend', 5, 6, store),
  form('cas', 6, 7, { ...store, noreplyFrom: 6 }),
  form('incr', 3, 4, { hasKey: true, noreplyFrom: 3 }),
  form('decr', 3, 4, { hasKey: true, noreplyFrom: 3 }),
  form('touch', 3, 4, { hasKey: true, noreplyFrom: 3 }),
  form('delete', 2, 4, { hasKey: true, noreplyFrom: 2 }),
  form('flush_all', 1, 3, { noreplyFrom: 1 }),
  form('stats', 1, 3),
  form('version', 1, Infinity),
  form('verbosity', 2, 3, { noreplyFrom: 1 }),
  form('mg', 2, Infinity, meta),
  form('ms', 2, Infinity, { ...meta, hasData: true }),
  form('md', 2, Infinity, meta),
  form('ma', 2, Infinity, meta),
  form('me', 1, Infinity, { hasKey: true }),
  form('mn', 1, Infinity),
  form('quit', 1, Infinity),
  form('godwit', 1, Infinity),
]

/** No two names have the same length and the same first three bytes. */
function nameIndex(bytes: Uint8Array, from: number, count: number): number {
  const third = count > 2 ? bytes[from + 2]! : 0
  return (count << 24) | (bytes[from]! << 16) | ((bytes[from + 1] ?? 0) << 8) | third
}

const formOf: ReadonlyMap<number, Form> = new Map(
  forms.map((one) => [nameIndex(one.name, 0, one.name.length), one]),
)
const noreply = ascii('noreply')

/** What is wrong with a request; the reply is the protocol's. */
export type RequestFault =
  | 'unknown'
  | 'format'
  | 'negative'
  | 'large'
  | 'chunk'
  | 'delete'
  | 'flags'

/** Most tokens of a meta request (memcached's `MFLAG_MAX_OPT_LENGTH`, with an empty one behind). */
const metaTokensMax = 19
/** Tokens that have their places noted; those behind them are keys, or too many. */
const notedTokens = metaTokensMax + 1

/** What {@link Request.scan} found. */
export type Scanned = 'complete' | 'incomplete' | 'endless'

/** One request, read in place; used again for the next. Offsets are those of the bytes scanned. */
export class Request {
  /** Undefined where the verb is not known, or it is of the binary protocol. */
  form: Form | undefined
  /** Whether it is of the binary protocol: any request may be. */
  isBinary = false
  /** Of one that is, and has a known opcode. */
  binary: BinaryForm | undefined
  fault: RequestFault | undefined
  isNoreply = false
  /** At most 20 are noted. */
  tokenCount = 0
  readonly starts: Int32Array = new Int32Array(notedTokens)
  readonly lengths: Int32Array = new Int32Array(notedTokens)
  /** Behind the last byte of the line, without its end. */
  lineEnd = 0
  /** The data block, without its end. */
  dataFrom = 0
  dataBytes = 0
  /** Behind the request. */
  end = 0
  /** Bytes after {@link end} that belong to it and are of no use: too large a data block. */
  swallowBytes = 0
  /** Of an incomplete request: at least so many bytes, from its beginning, are needed. */
  needBytes = 0

  /**
   * Reads the request that begins at `from`, where there is at least one byte. `endless`: its line
   * is longer than may be; where it ends cannot be told.
   */
  scan(bytes: Uint8Array, from: number, to: number): Scanned {
    this.isBinary = bytes[from] === BINARY_REQUEST
    if (this.isBinary) return scanBinary(this, bytes, from, to)
    const searched = Math.min(to, from + KEYS_LINE_BYTES_MAX)
    // A view of `searched` bytes: the rest of a long buffer is not to be searched each time.
    const found = bytes.subarray(from, searched).indexOf(LINE_FEED)
    const lineBytes = found < 0 ? searched - from : found
    if (lineBytes > LINE_BYTES_MAX || (found < 0 && lineBytes === KEYS_LINE_BYTES_MAX)) {
      if (!this.#mayBeLong(bytes, from) || lineBytes === KEYS_LINE_BYTES_MAX) return 'endless'
    }
    if (found < 0) {
      this.needBytes = lineBytes + 1
      return 'incomplete'
    }
    const feed = from + found
    this.lineEnd = feed > from && bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed
    this.end = feed + 1
    this.swallowBytes = 0
    this.dataBytes = 0
    this.#readLine(bytes, from)
    const isWhole = this.form?.hasData !== true || this.fault !== undefined
    return isWhole ? 'complete' : this.#readData(bytes, from, to)
  }

  /** The client wants to go. */
  get isQuit(): boolean {
    return this.isBinary ? this.binary?.verb === 'quit' : this.form?.verb === 'quit'
  }

  /** Where the token behind the one that ends at `at` begins; `lineEnd` where there is none. */
  skipSpaces(bytes: Uint8Array, at: number): number {
    let next = at
    while (next < this.lineEnd && bytes[next] === SPACE) next++
    return next
  }

  tokenEnd(bytes: Uint8Array, at: number): number {
    let end = at
    while (end < this.lineEnd && bytes[end] !== SPACE) end++
    return end
  }

  /** The value of a token; NaN where it is no whole number, or there is no such token. */
  integer(bytes: Uint8Array, token: number): number {
    if (token >= this.tokenCount) return Number.NaN
    return parseInteger(bytes, this.starts[token]!, this.lengths[token]!)
  }

  #mayBeLong(bytes: Uint8Array, from: number): boolean {
    if (bytes[from] !== 0x67) return false
    const length = bytes.subarray(from, from + 5).indexOf(SPACE)
    return length > 0 && formOf.get(nameIndex(bytes, from, length))?.keysFrom !== undefined
  }

  #readLine(bytes: Uint8Array, from: number): void {
    this.tokenCount = 0
    let at = this.skipSpaces(bytes, from)
    while (at < this.lineEnd && this.tokenCount < notedTokens) {
      const end = this.tokenEnd(bytes, at)
      this.starts[this.tokenCount] = at
      this.lengths[this.tokenCount] = end - at
      this.tokenCount++
      at = this.skipSpaces(bytes, end)
    }
    this.isNoreply = false
    this.fault = undefined
    const nameBytes = this.lengths[0]!
    const nameAt = this.starts[0]!
    const known =
      this.tokenCount === 0 ? undefined : formOf.get(nameIndex(bytes, nameAt, nameBytes))
    this.form =
      known !== undefined && hasText(bytes, nameAt, nameBytes, known.name) ? known : undefined
    this.fault = this.form === undefined ? 'unknown' : this.#check(bytes, this.form)
  }

  #check(bytes: Uint8Array, of: Form): RequestFault | undefined {
    const count = this.tokenCount
    if (count < of.tokensMin || count > of.tokensMax) return 'unknown'
    const last = count - 1
    this.isNoreply =
      last >= (of.noreplyFrom ?? Infinity) &&
      hasText(bytes, this.starts[last]!, this.lengths[last]!, noreply)
    if (of.hasKey === true && count > 1 && this.lengths[1]! > KEY_BYTES_MAX) return 'format'
    if (of.isMeta === true) return this.#checkMeta(bytes, of)
    if (of.hasData === true) return this.#checkStore(bytes, of)
    // `delete KEY 0` is of old clients; other times are not known any more.
    const extra = count - (this.isNoreply ? 1 : 0)
    if (of.verb === 'delete' && (extra > 3 || (extra === 3 && this.integer(bytes, 2) !== 0))) {
      return 'delete'
    }
    return undefined
  }

  #checkMeta(bytes: Uint8Array, of: Form): RequestFault | undefined {
    const count = of.hasData === true ? this.integer(bytes, 2) : 0
    // An `ms` without the length of its data has none, and neither has one with a wrong length.
    if (of.hasData === true && this.tokenCount < 3) return 'format'
    if (this.tokenCount > metaTokensMax) return 'flags'
    if (!(count >= 0 && count < 2 ** 31 - 2)) return 'format'
    return this.#noteData(count)
  }

  #checkStore(bytes: Uint8Array, of: Form): RequestFault | undefined {
    const flags = this.integer(bytes, 2)
    const expiry = this.integer(bytes, 3)
    const count = this.integer(bytes, 4)
    if (!(flags >= 0 && flags < 2 ** 32) || !(Math.abs(expiry) < 2 ** 31)) return 'format'
    if (!(Math.abs(count) < 2 ** 31)) return 'format'
    if (of.verb === 'cas' && !(this.integer(bytes, 5) >= 0)) return 'format'
    return count < 0 ? 'negative' : this.#noteData(count)
  }

  #noteData(count: number): RequestFault | undefined {
    if (count <= VALUE_BYTES_MAX) {
      this.dataBytes = count
      return undefined
    }
    this.swallowBytes = count + 2
    return 'large'
  }

  #readData(bytes: Uint8Array, from: number, to: number): Scanned {
    this.dataFrom = this.end
    this.end += this.dataBytes + 2
    this.needBytes = this.end - from
    if (this.end > to) return 'incomplete'
    const isRight = bytes[this.end - 2] === CARRIAGE_RETURN && bytes[this.end - 1] === LINE_FEED
    if (!isRight) this.fault = 'chunk'
    return 'complete'
  }
}
