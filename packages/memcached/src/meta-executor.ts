/**
 * Executes meta commands: `mg`, `ms`, `md`, `ma`, `me`; each whole. What they tell and change of an
 * item beside its value is in guest memory, too (`Mark` of `layout.ts`).
 *
 * Source: memcached's `doc/protocol.txt`, "Meta Commands", and where that says nothing what
 * memcached 1.6 does. Flags are answered in the order in which they were given.
 *
 * @module
 */
import { ascii } from './ascii.ts'
import { decodeBase64 } from './base64.ts'
import type { Executor, Handler } from './executor.ts'
import { type Counter, Item, Mark } from './layout.ts'
import { CountMode, Flag, SetMode } from './meta-flags.ts'
import {
  Code,
  CRLF,
  tellAsked,
  tellCas,
  tellExpiry,
  tellHead,
  tellItemKey,
  tellKey,
  tellNumber,
  tellWithout,
} from './meta-replies.ts'
import type { Request } from './request.ts'
import type { Store } from './store.ts'

const ME = ascii('ME ')
const WON = ascii(' W')
const STALE = ascii(' X')
const ALREADY_WON = ascii(' Z')

const line = (text: string): Uint8Array => ascii(`${text}\r\n`)
const BAD_FORMAT = line('CLIENT_ERROR bad command line format')
const BAD_FLAGS = line('CLIENT_ERROR invalid or duplicate flag')
const BAD_CHUNK = line('CLIENT_ERROR bad data chunk')
const BAD_SET_MODE = line('CLIENT_ERROR invalid mode for ms M token')
const BAD_COUNT_MODE = line('CLIENT_ERROR invalid mode for ma M token')
const NOT_NUMERIC = line('CLIENT_ERROR cannot increment or decrement non-numeric value')
const TOO_LARGE = line('SERVER_ERROR object too large for cache')

/** Item with an empty value for a key that there is not. */
function vivify({ store, meta }: Executor, bytes: Uint8Array, request: Request): number {
  const value = { flags: 0, expiresAt: 0, source: bytes, from: 0, count: 0 }
  const ref = store.set(bytes, request.starts[1]!, request.lengths[1]!, 0, value)
  if (meta.isKeyBinary) store.setMarks(ref, Mark.BinaryKey)
  if (meta.newCas !== undefined) store.setCas(ref, meta.newCas)
  return ref
}

/** One that asks may store it anew. */
function winsRecache({ store, meta, writer }: Executor, ref: number): boolean {
  const expiresAt = store.expiresAt(ref)
  const isSoon = expiresAt !== 0 && expiresAt < writer.expiryOf(meta.recacheSeconds ?? 0)
  return isSoon && (store.marks(ref) & Mark.Won) === 0
}

/** Tells, and does, what the flags of `mg` say of an item. @returns whether this client has won */
function tellItem(
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
  { ref, isMade }: { readonly ref: number; readonly isMade: boolean },
): boolean {
  const { store, meta, writer } = executor
  let hasWon = false
  for (let token = 2; token < request.tokenCount; token++) {
    const flag = bytes[request.starts[token]!]!
    if (flag === Flag.T) store.expire(ref, writer.expiryOf(meta.expirySeconds!))
    else if (flag === Flag.N && isMade) {
      store.expire(ref, writer.expiryOf(meta.vivifySeconds!))
      hasWon = true
    } else if (flag === Flag.R) hasWon ||= !isMade && winsRecache(executor, ref)
    else if (flag === Flag.s) tellNumber(executor, flag, store.valueBytes(ref))
    else if (flag === Flag.t) tellExpiry(executor, ref)
    else if (flag === Flag.c) tellCas(executor, ref)
    else if (flag === Flag.f) tellNumber(executor, flag, store.flags(ref))
    else if (flag === Flag.l) tellNumber(executor, flag, store.idleSeconds(ref))
    else if (flag === Flag.h) tellNumber(executor, flag, store.isFetched(ref) ? 1 : 0)
    else if (flag === Flag.k) tellItemKey(executor, ref)
    else tellAsked(executor, bytes, request, token)
  }
  return hasWon
}

/** `mg` */
export const metaGet: Handler = (executor, bytes, request) => {
  const { meta, replies, store } = executor
  const fault = meta.read(bytes, request, 2) ?? meta.opaqueFault
  if (fault !== undefined) return replies.add(fault)
  let ref = executor.find(bytes, request)
  const isMade = ref === 0 && meta.vivifySeconds !== undefined
  if (isMade) ref = vivify(executor, bytes, request)
  executor.countRetrieval(meta.expirySeconds !== undefined, ref !== 0)
  if (ref === 0) {
    if (!meta.isQuiet) tellWithout(executor, bytes, request, Code.Missed)
    return
  }
  tellHead(executor, store.valueBytes(ref))
  let hasWon = tellItem(executor, bytes, request, { ref, isMade })
  const marks = store.marks(ref)
  const isTaken = (marks & Mark.Won) !== 0
  if (isTaken) replies.add(ALREADY_WON)
  if ((marks & Mark.Stale) !== 0) {
    replies.add(STALE)
    hasWon ||= !isTaken
  }
  if (hasWon) {
    replies.add(WON)
    store.setMarks(ref, marks | Mark.Won)
  }
  replies.add(CRLF)
  if (meta.isValue) {
    replies.add(store.memory.bytes, store.valueAt(ref), store.valueBytes(ref))
    replies.add(CRLF)
  }
  if (!meta.isUnnoted) store.fetch(ref)
}

/** What becomes of an `ms`: what is done, or the code of why not. */
type Decision = 'store' | 'store-stale' | 'extend' | 'NS' | 'NF' | 'EX'

function isExtending(mode: number): boolean {
  return mode === SetMode.Append || mode === SetMode.Prepend
}

function decide({ meta, store }: Executor, mode: number, found: number): Decision {
  const { expectedCas: expected } = meta
  if (found === 0) {
    if (mode === SetMode.Add) return 'store'
    if (isExtending(mode)) return meta.vivifySeconds === undefined ? 'NS' : 'store'
    if (expected !== undefined) return 'NF'
    return mode === SetMode.Set ? 'store' : 'NS'
  }
  if (mode === SetMode.Add) return 'NS'
  const held = store.cas(found)
  const isSame = expected === held && expected !== 0n
  if (isExtending(mode)) {
    return expected === undefined || expected === 0n || isSame ? 'extend' : 'EX'
  }
  if (expected === undefined || isSame) return 'store'
  const isOlder = meta.isInvalidating && expected !== 0n && expected < held
  return isOlder ? 'store-stale' : 'EX'
}

function countCas({ meta, store }: Executor, decision: Decision): void {
  const { mode, expectedCas } = meta
  if (expectedCas === undefined || mode === SetMode.Add || isExtending(mode)) return
  let outcome: Counter = 'cas_hits'
  if (decision === 'NF') outcome = 'cas_misses'
  else if (decision === 'EX') outcome = 'cas_badval'
  store.count(outcome)
}

/** Stores what was decided. @returns false when it would be too large */
function storeMeta(
  { meta, store, writer }: Executor,
  bytes: Uint8Array,
  request: Request,
  { mode, found, decision }: Decided,
): boolean {
  let marks = meta.isKeyBinary ? Mark.BinaryKey : 0
  if (decision === 'extend') {
    marks |= store.marks(found) & Mark.BinaryKey
    if (!writer.extend(bytes, request, found, mode === SetMode.Append)) return false
  } else {
    const isStale = decision === 'store-stale'
    if (isStale) marks |= Mark.Stale | (store.marks(found) & Mark.Won)
    const seconds = isExtending(mode) ? meta.vivifySeconds : meta.expirySeconds
    const expiresAt = isStale ? store.expiresAt(found) : writer.expiryOf(seconds ?? 0)
    writer.put(bytes, request, found, { flags: meta.clientFlags, expiresAt })
  }
  if (marks !== 0) store.setMarks(writer.written, marks)
  if (meta.newCas !== undefined) store.setCas(writer.written, meta.newCas)
  return true
}

interface Decided {
  readonly mode: number
  readonly found: number
  readonly decision: Decision
}

const codes: Readonly<Record<Decision, Uint8Array>> = {
  store: Code.Stored,
  'store-stale': Code.Stored,
  extend: Code.Stored,
  NS: Code.NotStored,
  NF: Code.NotFound,
  EX: Code.Exists,
}

const setModes: ReadonlySet<number> = new Set(Object.values(SetMode))

/** What is wrong with an `ms` whose data block was found. */
function faultOf({ meta }: Executor, bytes: Uint8Array, request: Request): Uint8Array | undefined {
  const fault = meta.read(bytes, request, 3)
  if (fault !== undefined) return fault
  if (meta.mode === 0) meta.mode = SetMode.Set
  return setModes.has(meta.mode) ? meta.opaqueFault : BAD_SET_MODE
}

/** `ms` */
export const metaSet: Handler = (executor, bytes, request) => {
  const { meta, replies, store, writer } = executor
  const fault = faultOf(executor, bytes, request)
  if (fault !== undefined) return replies.add(fault)
  if (request.fault === 'chunk') return replies.add(BAD_CHUNK)
  const found = executor.find(bytes, request)
  if (request.fault === 'large') {
    // The old value is not to be taken for the one that was meant.
    if (found !== 0) store.remove(found)
    return replies.add(TOO_LARGE)
  }
  store.count('cmd_set')
  const { mode } = meta
  const decision = decide(executor, mode, found)
  countCas(executor, decision)
  const code = codes[decision]
  if (code === Code.Stored) {
    const isStored = storeMeta(executor, bytes, request, { mode, found, decision })
    if (!isStored) return replies.add(TOO_LARGE)
    if (meta.isQuiet) return
  } else if (found !== 0 && mode === SetMode.Add) store.use(found)
  replies.add(code)
  for (let token = 3; token < request.tokenCount; token++) {
    const flag = bytes[request.starts[token]!]!
    if (flag === Flag.c && code === Code.Stored) tellCas(executor, writer.written)
    else if (flag === Flag.c) tellNumber(executor, flag, 0)
    else if (flag === Flag.s) {
      const held = code === Code.Stored ? store.valueBytes(writer.written) : request.dataBytes
      tellNumber(executor, flag, held)
    } else tellAsked(executor, bytes, request, token)
  }
  replies.add(CRLF)
}

/** Says of an item that it is out of date: one client is told to store it anew. */
function invalidate({ meta, store, writer }: Executor, ref: number): void {
  if (meta.expirySeconds !== undefined) store.expire(ref, writer.expiryOf(meta.expirySeconds))
  store.setMarks(ref, (store.marks(ref) | Mark.Stale) & ~Mark.Won)
  if (meta.newCas === undefined) store.renewCas(ref)
  else store.setCas(ref, meta.newCas)
}

/** `md` */
export const metaDelete: Handler = (executor, bytes, request) => {
  const { meta, replies, store } = executor
  if (meta.read(bytes, request, 2) !== undefined) return replies.add(BAD_FLAGS)
  if (meta.opaqueFault !== undefined) return replies.add(meta.opaqueFault)
  const found = executor.find(bytes, request)
  const { expectedCas } = meta
  const isSame = found !== 0 && (expectedCas === undefined || expectedCas === store.cas(found))
  if (!isSame) {
    store.count('delete_misses')
    return tellWithout(executor, bytes, request, found === 0 ? Code.NotFound : Code.Exists)
  }
  if (meta.isInvalidating) invalidate(executor, found)
  else {
    store.count('delete_hits')
    store.remove(found)
  }
  if (!meta.isQuiet) tellWithout(executor, bytes, request, Code.Stored)
}

/** What `ma` made of a number. */
interface Counted {
  readonly value: bigint
  readonly isMade: boolean
}

/** @returns a line where there is nothing to tell of an item */
function count(
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
  isUp: boolean,
): Counted | Uint8Array | 'not numeric' {
  const { meta, store, writer } = executor
  const found = executor.find(bytes, request)
  const counters = isUp ? (['incr_misses', 'incr_hits'] as const) : decrCounters
  if (found === 0) {
    if (meta.vivifySeconds === undefined) {
      store.count(counters[0])
      return Code.NotFound
    }
    writer.putNumber(bytes, request, meta.initial, 0)
    if (meta.isKeyBinary) store.setMarks(writer.written, Mark.BinaryKey)
    if (meta.newCas !== undefined) store.setCas(writer.written, meta.newCas)
    return { value: meta.initial, isMade: true }
  }
  if (store.valueBytes(found) === 0) return 'not numeric'
  const expected = meta.expectedCas ?? 0n
  if (expected !== 0n && expected !== store.cas(found)) return Code.Exists
  const value = writer.add(bytes, request, found, { delta: meta.delta, isUp })
  if (value === undefined) return 'not numeric'
  store.count(counters[1])
  if (meta.newCas !== undefined) store.setCas(writer.written, meta.newCas)
  return { value, isMade: false }
}

const decrCounters = ['decr_misses', 'decr_hits'] as const

function tellCounted(
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
  { value, isMade }: Counted,
): void {
  const { meta, replies, store, writer } = executor
  const ref = writer.written
  const text = String(value)
  const before = replies.length
  tellHead(executor, text.length)
  for (let token = 2; token < request.tokenCount; token++) {
    const flag = bytes[request.starts[token]!]!
    if (flag === Flag.c) tellCas(executor, ref)
    else if (flag === Flag.t) tellExpiry(executor, ref)
    else if (flag === Flag.T) store.expire(ref, writer.expiryOf(meta.expirySeconds!))
    else if (flag === Flag.N) {
      if (isMade) store.expire(ref, writer.expiryOf(meta.vivifySeconds!))
    } else tellAsked(executor, bytes, request, token)
  }
  replies.add(CRLF)
  if (meta.isValue) {
    replies.addText(text)
    replies.add(CRLF)
  }
  if (meta.isQuiet && !isMade) replies.cut(before)
}

/** `ma` */
export const metaArithmetic: Handler = (executor, bytes, request) => {
  const { meta, replies } = executor
  if (meta.read(bytes, request, 2) !== undefined) return replies.add(BAD_FLAGS)
  const { mode } = meta
  const isUp = mode === 0 || mode === CountMode.Up || mode === CountMode.Plus
  if (!isUp && mode !== CountMode.Down && mode !== CountMode.Minus)
    return replies.add(BAD_COUNT_MODE)
  if (meta.opaqueFault !== undefined) return replies.add(meta.opaqueFault)
  const counted = count(executor, bytes, request, isUp)
  if (counted === 'not numeric') return replies.add(NOT_NUMERIC)
  if (counted instanceof Uint8Array) return tellWithout(executor, bytes, request, counted)
  tellCounted(executor, bytes, request, counted)
}

/** What `me` tells of an item, behind its key. */
function describe(store: Store, ref: number): string {
  const { bytes } = store.memory
  const expiresAt = store.expiresAt(ref)
  const expiry = expiresAt === 0 ? -1 : expiresAt - store.now
  const isFetched = store.isFetched(ref)
  const itemBytes = Item.Key + bytes[ref * 8 + Item.KeyBytes]! + store.valueBytes(ref)
  const slabClass = bytes[ref * 8 + Item.Class]! + 1
  return (
    ` exp=${expiry} la=${store.idleSeconds(ref)} cas=${store.cas(ref)}` +
    ` fetch=${isFetched ? 'yes' : 'no'} cls=${slabClass} size=${itemBytes}\r\n`
  )
}

/** `me` */
export const metaDebug: Handler = (executor, bytes, request) => {
  const { replies, store } = executor
  const [, at = 0, flagAt = 0] = request.starts
  if (request.tokenCount < 2) return replies.add(BAD_FORMAT)
  if (request.tokenCount > 2 && request.lengths[2] === 1 && bytes[flagAt] === Flag.b) {
    request.lengths[1] = decodeBase64(bytes, at, request.lengths[1]!)
    if (request.lengths[1] === 0) return replies.add(BAD_FORMAT)
  }
  const ref = executor.find(bytes, request)
  if (ref === 0) {
    replies.add(Code.Missed)
    return replies.add(CRLF)
  }
  const isBinary = (store.marks(ref) & Mark.BinaryKey) !== 0
  replies.add(ME)
  tellKey(executor, bytes, at, request.lengths[1]!, isBinary)
  replies.addText(describe(store, ref))
}
