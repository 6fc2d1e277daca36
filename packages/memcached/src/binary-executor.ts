/**
 * Executes requests of the binary protocol (`binary-request.ts`); each is executed whole.
 *
 * @module
 */
import { ascii } from './ascii.ts'
import type { BinaryForm, BinaryVerb } from './binary-request.ts'
import { BINARY_HEADER_BYTES, wordAt } from './binary-request.ts'
import type { Executor } from './executor.ts'
import { Replies } from './replies.ts'
import type { Request } from './request.ts'
import { writeStats } from './stats.ts'
import { VERSION_TEXT } from './version.ts'

const magic = 0x81

/** Statuses, and what is told of them. */
const Status = {
  Ok: 0x0000,
  NotFound: 0x0001,
  Exists: 0x0002,
  TooLarge: 0x0003,
  Invalid: 0x0004,
  NotStored: 0x0005,
  NotNumeric: 0x0006,
  Unknown: 0x0081,
} as const
type Status = (typeof Status)[keyof typeof Status]

const texts: Readonly<Record<number, Uint8Array>> = {
  [Status.NotFound]: ascii('Not found'),
  [Status.Exists]: ascii('Data exists for key.'),
  [Status.TooLarge]: ascii('Too large.'),
  [Status.Invalid]: ascii('Invalid arguments'),
  [Status.NotStored]: ascii('Not stored.'),
  [Status.NotNumeric]: ascii('Non-numeric server-side value for incr or decr'),
  [Status.Unknown]: ascii('Unknown command'),
}
const nothing = new Uint8Array(0)
const version = ascii(VERSION_TEXT)
/** Of `incr`, `decr`: a key that there is not is not made. */
const neverMade = 0xffffffff

/** One request that is being executed. */
interface Turn {
  readonly executor: Executor
  readonly bytes: Uint8Array
  /** Where it begins. */
  readonly from: number
  readonly request: Request
  readonly form: BinaryForm
}

type Handler = (turn: Turn) => Status

/** @returns whether the client wants to go */
export function executeBinary(
  executor: Executor,
  bytes: Uint8Array,
  from: number,
  request: Request,
): boolean {
  const { binary: form, fault } = request
  const turn = { executor, bytes, from, request, form: form ?? unknownForm }
  if (fault === 'large' && form?.verb === 'set') {
    // The old value is not to be taken for the one that was meant.
    const found = executor.find(bytes, request)
    if (found !== 0) executor.store.remove(found)
  }
  const status = fault === undefined ? handlers[turn.form.verb](turn) : faults[fault]
  const isMiss = turn.form.verb === 'get' || turn.form.verb === 'gat'
  const isQuiet = turn.form.isQuiet && isMiss && status === Status.NotFound
  if (status !== Status.Ok && !isQuiet) tellStatus(turn, status)
  return turn.form.verb === 'quit'
}

const unknownForm: BinaryForm = {
  verb: 'noop',
  isQuiet: false,
  tellsKey: false,
  extras: [],
  key: 'never',
  hasValue: false,
}
const faults: Readonly<Record<NonNullable<Request['fault']>, Status>> = {
  unknown: Status.Unknown,
  format: Status.Invalid,
  negative: Status.Invalid,
  chunk: Status.Invalid,
  delete: Status.Invalid,
  flags: Status.Invalid,
  large: Status.TooLarge,
}

function tellStatus(turn: Turn, status: Status): void {
  const { executor, bytes, request, form } = turn
  const text = texts[status]!
  const tellsKey = form.tellsKey && status === Status.NotFound
  const keyBytes = tellsKey ? request.lengths[1]! : 0
  const bodyBytes = tellsKey ? keyBytes : text.length
  head(turn, { status, extrasBytes: 0, keyBytes, bodyBytes, casOf: 0 })
  if (tellsKey) executor.replies.add(bytes, request.starts[1]!, keyBytes)
  else executor.replies.add(text)
}

interface Head {
  readonly status: Status
  readonly extrasBytes: number
  readonly keyBytes: number
  /** Extras, key and value. */
  readonly bodyBytes: number
  /** Whose CAS unique it has; 0: none. */
  readonly casOf: number
}

function head({ executor, bytes, from }: Turn, one: Head): void {
  const { replies } = executor
  replies.addBinary(magic, 1)
  replies.add(bytes, from + 1, 1)
  replies.addBinary(one.keyBytes, 2)
  replies.addBinary(one.extrasBytes, 1)
  replies.addBinary(0, 1)
  replies.addBinary(one.status, 2)
  replies.addBinary(one.bodyBytes, 4)
  replies.add(bytes, from + 12, 4)
  const { store } = executor
  replies.addBinary(one.casOf === 0 ? 0 : store.casHigh(one.casOf), 4)
  replies.addBinary(one.casOf === 0 ? 0 : store.casLow(one.casOf), 4)
}

/** A reply that says that it is done; nothing where the client does not want to hear that. */
function done(turn: Turn, casOf = 0, value: Uint8Array = nothing): Status {
  if (turn.form.isQuiet) return Status.Ok
  head(turn, { status: Status.Ok, extrasBytes: 0, keyBytes: 0, bodyBytes: value.length, casOf })
  turn.executor.replies.add(value)
  return Status.Ok
}

function find({ executor, bytes, request }: Turn): number {
  return executor.find(bytes, request)
}

/** The unique that the client expects; 0: any. */
function expectedCas({ bytes, from }: Turn): bigint {
  return (BigInt(wordAt(bytes, from + 16)) << 32n) | BigInt(wordAt(bytes, from + 20))
}

/** A number of 4 bytes in the extras. */
function extra({ bytes, from }: Turn, offset: number): number {
  return wordAt(bytes, from + BINARY_HEADER_BYTES + offset)
}

function u64Extra(turn: Turn, offset: number): bigint {
  return (BigInt(extra(turn, offset)) << 32n) | BigInt(extra(turn, offset + 4))
}

/** Whether the client expects another value than there is. */
function differs(turn: Turn, found: number): boolean {
  const expected = expectedCas(turn)
  const { store } = turn.executor
  if (expected === 0n) return false
  const isSame = found !== 0 && store.cas(found) === expected
  store.count(found === 0 ? 'cas_misses' : isSame ? 'cas_hits' : 'cas_badval')
  return !isSame
}

function refusal(found: number): Status {
  return found === 0 ? Status.NotFound : Status.Exists
}

function retrieving(isTouch: boolean): Handler {
  return (turn) => {
    const { executor, request, form } = turn
    const { store, replies } = executor
    const ref = find(turn)
    executor.countRetrieval(isTouch, ref !== 0)
    if (ref === 0) return Status.NotFound
    if (isTouch) store.touch(ref, executor.writer.expiryOf(extra(turn, 0)))
    else store.fetch(ref)
    const keyBytes = form.tellsKey ? request.lengths[1]! : 0
    const valueBytes = store.valueBytes(ref)
    const bodyBytes = 4 + keyBytes + valueBytes
    head(turn, { status: Status.Ok, extrasBytes: 4, keyBytes, bodyBytes, casOf: ref })
    replies.addBinary(store.flags(ref), 4)
    if (form.tellsKey) replies.add(turn.bytes, request.starts[1]!, keyBytes)
    replies.add(store.memory.bytes, store.valueAt(ref), valueBytes)
    return Status.Ok
  }
}

/** `set`, `add`, `replace`. @param refuse - by what the key has */
function putting(refuse: (found: number) => Status): Handler {
  return (turn) => {
    const { executor, bytes, request } = turn
    executor.store.count('cmd_set')
    const found = find(turn)
    const refused = refuse(found)
    if (refused !== Status.Ok) return refused
    if (differs(turn, found)) return refusal(found)
    executor.writer.put(bytes, request, found, {
      flags: extra(turn, 0),
      expiresAt: executor.writer.expiryOf(extra(turn, 4) | 0),
    })
    return done(turn, executor.writer.written)
  }
}

function extending(isBehind: boolean): Handler {
  return (turn) => {
    const { executor, bytes, request } = turn
    executor.store.count('cmd_set')
    const found = find(turn)
    if (found === 0) return Status.NotStored
    if (differs(turn, found)) return Status.Exists
    if (!executor.writer.extend(bytes, request, found, isBehind)) return Status.TooLarge
    return done(turn, executor.writer.written)
  }
}

function adding(isUp: boolean): Handler {
  return (turn) => {
    const { executor, bytes, request } = turn
    const { store, writer } = executor
    const found = find(turn)
    const expirySeconds = extra(turn, 16)
    store.count(`${isUp ? 'incr' : 'decr'}_${found === 0 ? 'misses' : 'hits'}`)
    let value: bigint | undefined
    if (found === 0) {
      if (expirySeconds === neverMade) return Status.NotFound
      value = u64Extra(turn, 8)
      writer.putNumber(bytes, request, value, expirySeconds | 0)
    } else {
      if (differs(turn, found)) return Status.Exists
      value = writer.add(bytes, request, found, { delta: u64Extra(turn, 0), isUp })
      if (value === undefined) return Status.NotNumeric
    }
    const told = new Uint8Array(8)
    new DataView(told.buffer).setBigUint64(0, value)
    return done(turn, writer.written, told)
  }
}

const remove: Handler = (turn) => {
  const { store } = turn.executor
  const found = find(turn)
  store.count(found === 0 ? 'delete_misses' : 'delete_hits')
  if (found === 0) return Status.NotFound
  if (differs(turn, found)) return Status.Exists
  store.remove(found)
  return done(turn)
}

const touch: Handler = (turn) => {
  const { store, writer } = turn.executor
  const found = find(turn)
  store.count('cmd_touch')
  store.count(found === 0 ? 'touch_misses' : 'touch_hits')
  if (found === 0) return Status.NotFound
  store.touch(found, writer.expiryOf(extra(turn, 0)))
  return done(turn, found)
}

const flush: Handler = (turn) => {
  const { store, writer } = turn.executor
  const delay = turn.bytes[turn.from + 4] === 0 ? 0 : extra(turn, 0)
  store.count('cmd_flush')
  store.flush(delay === 0 ? 0 : writer.expiryOf(delay))
  return done(turn)
}

/** A reply for each, and an empty one behind them. */
const stat: Handler = (turn) => {
  const { executor, bytes, request } = turn
  const lines = new Replies()
  const [at, count] = [request.starts[1]!, request.lengths[1]!]
  if (!writeStats(bytes, at, count, executor.store, lines, executor.facts)) return Status.NotFound
  for (const line of new TextDecoder('latin1').decode(lines.take()).split('\r\n')) {
    const [, name, value] = /^STAT (\S+) (.*)$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    const bodyBytes = name.length + value.length
    head(turn, { status: Status.Ok, extrasBytes: 0, keyBytes: name.length, bodyBytes, casOf: 0 })
    executor.replies.addText(name + value)
  }
  return done(turn)
}

const handlers: Readonly<Record<BinaryVerb, Handler>> = {
  get: retrieving(false),
  gat: retrieving(true),
  set: putting(() => Status.Ok),
  add: putting((found) => (found === 0 ? Status.Ok : Status.Exists)),
  replace: putting((found) => (found === 0 ? Status.NotFound : Status.Ok)),
  append: extending(true),
  prepend: extending(false),
  incr: adding(true),
  decr: adding(false),
  delete: remove,
  touch,
  flush,
  stat,
  version: (turn) => done(turn, 0, version),
  // Nothing is logged, so there is nothing to be more or less of.
  verbosity: (turn) => done(turn),
  noop: (turn) => done(turn),
  quit: (turn) => done(turn),
}
