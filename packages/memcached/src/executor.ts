/**
 * Executes requests on a store. A request is executed whole, or, where it asks for more than may be
 * kept for one connection, in pieces.
 *
 * Source: memcached's `doc/protocol.txt`; texts of errors are those of memcached 1.6.
 *
 * @module
 */
import { ascii, hasText, parseU64 } from './ascii.ts'
import { executeBinary } from './binary-executor.ts'
import { RELAY_HELLO } from './frame.ts'
import { ItemWriter } from './item-writer.ts'
import { type Counter, Item, KEY_BYTES_MAX } from './layout.ts'
import { metaArithmetic, metaDebug, metaDelete, metaGet, metaSet } from './meta-executor.ts'
import { MetaFlags } from './meta-flags.ts'
import type { Replies } from './replies.ts'
import type { Request, RequestFault, Verb } from './request.ts'
import { type HostFacts, writeStats } from './stats.ts'
import type { Store } from './store.ts'
import { VERSION_TEXT } from './version.ts'

/** Replies of one connection that are kept before they are written out: a `get` goes on later. */
export const REPLY_BYTES_HIGH: number = 1 << 20

const line = (text: string): Uint8Array => ascii(`${text}\r\n`)
const END = line('END')
const VALUE = ascii('VALUE ')
const CRLF = line('')
const STORED = line('STORED')
const NOT_STORED = line('NOT_STORED')
const EXISTS = line('EXISTS')
const NOT_FOUND = line('NOT_FOUND')
const DELETED = line('DELETED')
const TOUCHED = line('TOUCHED')
const OK = line('OK')
const MN = line('MN')
const RESET = line('RESET')
const VERSION = line(`VERSION ${VERSION_TEXT}`)
export const ERROR: Uint8Array = line('ERROR')
const BAD_FORMAT = line('CLIENT_ERROR bad command line format')
const BAD_DELTA = line('CLIENT_ERROR invalid numeric delta argument')
const BAD_EXPIRY = line('CLIENT_ERROR invalid exptime argument')
const NOT_NUMERIC = line('CLIENT_ERROR cannot increment or decrement non-numeric value')
const TOO_LARGE = line('SERVER_ERROR object too large for cache')
/** For a line whose end cannot be found; the connection ends. */
export const ENDLESS: Uint8Array = line('CLIENT_ERROR line too long')

const faults: Readonly<Record<RequestFault, Uint8Array>> = {
  unknown: ERROR,
  format: BAD_FORMAT,
  negative: line('CLIENT_ERROR bad data chunk'),
  chunk: line('CLIENT_ERROR bad data chunk'),
  large: TOO_LARGE,
  delete: line('CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]'),
  flags: line('CLIENT_ERROR options flags too long'),
}
const MANY_FLAGS_OF_GET = line('CLIENT_ERROR options flags are too long')

/**
 * `done`, `more` (call again with the cursor that is left), the client wants to go, or says that it
 * is a relay.
 */
export type Executed = 'done' | 'more' | 'quit' | 'relay'

/** Executes one request. */
export type Handler = (
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
) => 'quit' | 'relay' | void

/** One per store; requests of all connections, one after the other. */
export class Executor {
  readonly store: Store
  readonly facts: HostFacts
  /** Where replies go: the connection's whose request it is. */
  replies: Replies
  /** Of a `get` that goes on: where its next key is, counted from the request's first byte. */
  cursor = 0
  readonly writer: ItemWriter
  /** Of the meta request that is executed. */
  readonly meta: MetaFlags = new MetaFlags()

  constructor(store: Store, replies: Replies, facts: HostFacts) {
    this.store = store
    this.writer = new ItemWriter(store)
    this.replies = replies
    this.facts = facts
  }

  /** @param from - where the request begins in `bytes`; it was scanned and is complete */
  execute(bytes: Uint8Array, from: number, request: Request): Executed {
    if (request.isBinary) {
      return executeBinary(this, bytes, from, request) ? 'quit' : 'done'
    }
    const { replies } = this
    const before = replies.length
    const executed = this.#perform(bytes, from, request)
    if (request.isNoreply) replies.cut(before)
    return executed
  }

  #perform(bytes: Uint8Array, from: number, request: Request): Executed {
    const { fault } = request
    const verb = request.form?.verb
    // Wrong flags of a meta request come before what is wrong with its data.
    const isDataWrong = fault === 'chunk' || fault === 'large'
    if (verb === undefined || (fault !== undefined && !(isDataWrong && verb === 'ms'))) {
      this.#refuse(bytes, request, fault ?? 'unknown')
      return 'done'
    }
    if (isRetrieval(verb)) return this.#retrieve(bytes, from, request)
    const executed = handlers[verb](this, bytes, request)
    return executed === 'quit' || executed === 'relay' ? executed : 'done'
  }

  #refuse(bytes: Uint8Array, request: Request, fault: RequestFault): void {
    const isGet = request.form?.verb === 'mg'
    this.replies.add(fault === 'flags' && isGet ? MANY_FLAGS_OF_GET : faults[fault])
    // The old value is not to be taken for the one that was meant.
    if (fault !== 'large' || request.form?.verb !== 'set') return
    const found = this.find(bytes, request)
    if (found !== 0) this.store.remove(found)
  }

  /** The item of a request's second token. */
  find(bytes: Uint8Array, request: Request): number {
    return this.store.find(bytes, request.starts[1]!, request.lengths[1]!)
  }

  /** `get`, `gets`, `gat`, `gats`. */
  #retrieve(bytes: Uint8Array, from: number, request: Request): Executed {
    const { verb, keysFrom } = request.form!
    const isTouch = verb === 'gat' || verb === 'gats'
    const isWithCas = verb === 'gets' || verb === 'gats'
    const expiry = isTouch ? request.integer(bytes, 1) : 0
    if (!(Math.abs(expiry) < 2 ** 31)) {
      this.replies.add(BAD_EXPIRY)
      return 'done'
    }
    let at = this.cursor === 0 ? request.starts[keysFrom!]! : from + this.cursor
    this.cursor = 0
    while (at < request.lineEnd) {
      if (this.replies.length >= REPLY_BYTES_HIGH) {
        this.cursor = at - from
        return 'more'
      }
      const end = request.tokenEnd(bytes, at)
      if (end - at > KEY_BYTES_MAX) {
        this.replies.add(BAD_FORMAT)
        return 'done'
      }
      const ref = this.store.find(bytes, at, end - at)
      this.countRetrieval(isTouch, ref !== 0)
      if (ref !== 0) {
        if (isTouch) this.store.touch(ref, this.writer.expiryOf(expiry))
        else this.store.fetch(ref)
        this.#addItem(ref, isWithCas)
      }
      at = request.skipSpaces(bytes, end)
    }
    this.replies.add(END)
    return 'done'
  }

  /** One key was asked for. */
  countRetrieval(isTouch: boolean, isHit: boolean): void {
    this.store.count(isTouch ? 'cmd_touch' : 'cmd_get')
    if (isTouch) this.store.count(isHit ? 'touch_hits' : 'touch_misses')
    this.store.count(isHit ? 'get_hits' : 'get_misses')
  }

  #addItem(ref: number, isWithCas: boolean): void {
    const { replies, store } = this
    const { bytes } = store.memory
    const valueBytes = store.valueBytes(ref)
    replies.add(VALUE)
    replies.add(bytes, ref * 8 + Item.Key, bytes[ref * 8 + Item.KeyBytes])
    replies.add(space)
    replies.addInteger(store.flags(ref))
    replies.add(space)
    replies.addInteger(valueBytes)
    if (isWithCas) {
      replies.add(space)
      this.addCas(ref)
    }
    replies.add(CRLF)
    replies.add(bytes, store.valueAt(ref), valueBytes)
    replies.add(CRLF)
  }

  /** Adds an item's CAS unique as text. */
  addCas(ref: number): void {
    const high = this.store.casHigh(ref)
    const isExact = high < 2 ** 21
    if (isExact) this.replies.addInteger(high * 2 ** 32 + this.store.casLow(ref))
    else this.replies.addText(String(this.store.cas(ref)))
  }

  /** `set`, `add`, `replace`, and `cas` that found what it expected. */
  put(bytes: Uint8Array, request: Request, found: number): void {
    const [flags, expirySeconds] = [request.integer(bytes, 2), request.integer(bytes, 3)]
    const expiresAt = this.writer.expiryOf(expirySeconds)
    this.writer.put(bytes, request, found, { flags, expiresAt })
    this.replies.add(STORED)
  }
}

const space = ascii(' ')

/** A request that counts as a store. */
function storing(
  perform: (executor: Executor, bytes: Uint8Array, request: Request, found: number) => void,
): Handler {
  return (executor, bytes, request) => {
    executor.store.count('cmd_set')
    perform(executor, bytes, request, executor.find(bytes, request))
  }
}

function cas(executor: Executor, bytes: Uint8Array, request: Request, found: number): void {
  const { store, replies } = executor
  let outcome: Counter = 'cas_misses'
  const expected = parseU64(bytes, request.starts[5]!, request.lengths[5]!)
  const isSame = found !== 0 && store.cas(found) === expected
  if (found !== 0) outcome = isSame ? 'cas_hits' : 'cas_badval'
  store.count(outcome)
  if (isSame) executor.put(bytes, request, found)
  else replies.add(found === 0 ? NOT_FOUND : EXISTS)
}

function extending(isBehind: boolean): Handler {
  return storing((executor, bytes, request, found) => {
    const { replies, writer } = executor
    if (found === 0) return replies.add(NOT_STORED)
    replies.add(writer.extend(bytes, request, found, isBehind) ? STORED : TOO_LARGE)
  })
}

function adding(isUp: boolean): Handler {
  return (executor, bytes, request) => {
    const { store, replies } = executor
    const delta = parseU64(bytes, request.starts[2]!, request.lengths[2]!)
    if (delta === undefined) return replies.add(BAD_DELTA)
    const found = executor.find(bytes, request)
    if (found === 0) {
      store.count(isUp ? 'incr_misses' : 'decr_misses')
      return replies.add(NOT_FOUND)
    }
    const value = executor.writer.add(bytes, request, found, { delta, isUp })
    if (value === undefined) return replies.add(NOT_NUMERIC)
    store.count(isUp ? 'incr_hits' : 'decr_hits')
    replies.addText(String(value))
    replies.add(CRLF)
  }
}

const remove: Handler = (executor, bytes, request) => {
  const { store, replies } = executor
  const found = executor.find(bytes, request)
  store.count(found === 0 ? 'delete_misses' : 'delete_hits')
  if (found !== 0) store.remove(found)
  replies.add(found === 0 ? NOT_FOUND : DELETED)
}

const touch: Handler = (executor, bytes, request) => {
  const { store, replies } = executor
  const expiry = request.integer(bytes, 2)
  if (!(Math.abs(expiry) < 2 ** 31)) return replies.add(BAD_EXPIRY)
  const found = executor.find(bytes, request)
  store.count('cmd_touch')
  store.count(found === 0 ? 'touch_misses' : 'touch_hits')
  if (found !== 0) store.touch(found, executor.writer.expiryOf(expiry))
  replies.add(found === 0 ? NOT_FOUND : TOUCHED)
}

const flushAll: Handler = (executor, bytes, request) => {
  const { store, replies } = executor
  const delayed = request.tokenCount - (request.isNoreply ? 1 : 0) > 1
  const delay = delayed ? request.integer(bytes, 1) : 0
  if (!(Math.abs(delay) < 2 ** 31)) return replies.add(BAD_FORMAT)
  store.count('cmd_flush')
  store.flush(delay <= 0 ? 0 : executor.writer.expiryOf(delay))
  replies.add(OK)
}

const reset = ascii('reset')
const stats: Handler = ({ store, replies, facts }, bytes, request) => {
  const [, at = 0] = request.starts
  const [, count = 0] = request.tokenCount > 1 ? request.lengths : []
  if (hasText(bytes, at, count, reset)) {
    store.resetCounters()
    replies.add(RESET)
  } else replies.add(writeStats(bytes, at, count, store, replies, facts) ? END : ERROR)
}

function replying(text: Uint8Array): Handler {
  return ({ replies }) => replies.add(text)
}

type Retrieval = 'get' | 'gets' | 'gat' | 'gats'

function isRetrieval(verb: Verb): verb is Retrieval {
  return verb === 'get' || verb === 'gets' || verb === 'gat' || verb === 'gats'
}

const handlers: Readonly<Record<Exclude<Verb, Retrieval>, Handler>> = {
  set: storing((executor, bytes, request, found) => executor.put(bytes, request, found)),
  add: storing((executor, bytes, request, found) => {
    if (found === 0) return executor.put(bytes, request, found)
    executor.store.use(found)
    executor.replies.add(NOT_STORED)
  }),
  replace: storing((executor, bytes, request, found) => {
    if (found !== 0) executor.put(bytes, request, found)
    else executor.replies.add(NOT_STORED)
  }),
  append: extending(true),
  prepend: extending(false),
  cas: storing(cas),
  incr: adding(true),
  decr: adding(false),
  touch,
  delete: remove,
  flush_all: flushAll,
  stats,
  version: replying(VERSION),
  // Nothing is logged, so there is nothing to be more or less of.
  verbosity: replying(OK),
  mg: metaGet,
  ms: metaSet,
  md: metaDelete,
  ma: metaArithmetic,
  me: metaDebug,
  mn: replying(MN),
  quit: () => 'quit',
  godwit: (executor, bytes, request) => {
    const at = request.starts[0]!
    const isRelay = hasText(bytes, at, request.end - at, RELAY_HELLO)
    return isRelay ? 'relay' : executor.replies.add(ERROR)
  },
}
