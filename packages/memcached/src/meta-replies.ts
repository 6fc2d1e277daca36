/**
 * What answers to meta commands are made of.
 *
 * @module
 */
import { ascii } from './ascii.ts'
import { base64Bytes, encodeBase64 } from './base64.ts'
import type { Executor } from './executor.ts'
import { Item, Mark } from './layout.ts'
import { Flag } from './meta-flags.ts'
import type { Request } from './request.ts'

/** Codes that answers begin with. */
export const Code: Readonly<Record<Outcome, Uint8Array>> = {
  Stored: ascii('HD'),
  Missed: ascii('EN'),
  NotFound: ascii('NF'),
  NotStored: ascii('NS'),
  Exists: ascii('EX'),
}
type Outcome = 'Stored' | 'Missed' | 'NotFound' | 'NotStored' | 'Exists'

export const CRLF: Uint8Array = ascii('\r\n')
const VA = ascii('VA ')
const NEVER = ascii('-1')
const space = ascii(' ')
const isBase64 = ascii(' b')

// The length of a key in memory is one byte.
const scratch = new Uint8Array(base64Bytes(255))

/** Tells a key, as base64 where it is binary. */
export function tellKey(
  { replies }: Executor,
  bytes: Uint8Array,
  at: number,
  count: number,
  isBinary: boolean,
): void {
  if (!isBinary) return replies.add(bytes, at, count)
  replies.add(scratch, 0, encodeBase64(bytes, at, count, scratch))
}

/** Tells a key by `k`, and that it is base64 by `b`. */
function tellKeyFlag(
  executor: Executor,
  bytes: Uint8Array,
  at: number,
  count: number,
  isBinary: boolean,
): void {
  const { replies } = executor
  replies.add(space)
  replies.addBinary(Flag.k, 1)
  tellKey(executor, bytes, at, count, isBinary)
  if (isBinary) replies.add(isBase64)
}

/** Tells the key of an item, as it came. */
export function tellItemKey(executor: Executor, ref: number): void {
  const { store } = executor
  const { bytes } = store.memory
  const isBinary = (store.marks(ref) & Mark.BinaryKey) !== 0
  tellKeyFlag(executor, bytes, ref * 8 + Item.Key, bytes[ref * 8 + Item.KeyBytes]!, isBinary)
}

/** Tells a flag of the request with a number behind it. */
export function tellNumber({ replies }: Executor, flag: number, value: number): void {
  replies.add(space)
  replies.addBinary(flag, 1)
  replies.addInteger(value)
}

export function tellCas(executor: Executor, ref: number): void {
  const { replies } = executor
  replies.add(space)
  replies.addBinary(Flag.c, 1)
  executor.addCas(ref)
}

/** Seconds that are left; -1: for ever. */
export function tellExpiry(executor: Executor, ref: number): void {
  const { replies, store } = executor
  const expiresAt = store.expiresAt(ref)
  if (expiresAt !== 0) return tellNumber(executor, Flag.t, Math.max(0, expiresAt - store.now))
  replies.add(space)
  replies.addBinary(Flag.t, 1)
  replies.add(NEVER)
}

/** Tells what needs no item: the opaque, and the key as it was asked for. */
export function tellAsked(
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
  token: number,
): void {
  const { replies, meta } = executor
  const at = request.starts[token]!
  const flag = bytes[at]!
  if (flag === Flag.O) {
    replies.add(space)
    replies.add(bytes, at, request.lengths[token]!)
  } else if (flag === Flag.k) {
    tellKeyFlag(executor, bytes, request.starts[1]!, request.lengths[1]!, meta.isKeyBinary)
  }
}

/** A line without an item. */
export function tellWithout(
  executor: Executor,
  bytes: Uint8Array,
  request: Request,
  code: Uint8Array,
): void {
  const { replies } = executor
  replies.add(code)
  for (let token = 2; token < request.tokenCount; token++) {
    tellAsked(executor, bytes, request, token)
  }
  replies.add(CRLF)
}

/** `VA` with the number of bytes that follow, or `HD`. */
export function tellHead({ replies, meta }: Executor, valueBytes: number): void {
  if (!meta.isValue) return replies.add(Code.Stored)
  replies.add(VA)
  replies.addInteger(valueBytes)
}
