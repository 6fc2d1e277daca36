/**
 * What agents need to use several threads: memory that all of them see, and messages between two.
 * The threads themselves are handed in, since only the runtime can start them.
 *
 * @module
 */
import type { ErrorCode } from './errors.ts'
import {
  CancelledError,
  CodecError,
  GodwitError,
  LimitError,
  PeerError,
  ProtocolError,
  TransportError,
  WireError,
} from './errors.ts'

/** Zeros that other threads may see, too, where the runtime has such memory. */
export function allocateShared(byteLength: number): Uint8Array {
  const isThere = typeof SharedArrayBuffer !== 'undefined'
  return new Uint8Array(isThere ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength))
}

/** Whether other threads can be given these bytes. */
export function isShared(bytes: Uint8Array): boolean {
  const isThere = typeof SharedArrayBuffer !== 'undefined'
  return isThere && bytes.buffer instanceof SharedArrayBuffer
}

/**
 * `Atomics.wait` for memory whose page may be missing. V8 looks at the word under a lock that all
 * waiting and notifying of the process takes; a fault there would hold up even those who bring the
 * page. Here the fault comes before. The same goes for `Atomics.waitAsync` and wasm's
 * `memory.atomic.wait`: load first.
 */
export function loadAndWait(
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs?: number,
): 'ok' | 'not-equal' | 'timed-out' {
  Atomics.load(words, index)
  return Atomics.wait(words, index, value, timeoutMs)
}

/** One end of a line between two threads. Messages are cloned; shared memory stays shared. */
export interface Port<Sent, Received> {
  post(message: Sent): void
  /** Sets who hears; messages that came before are kept for him. Once. */
  listen(hear: (message: Received) => void): void
}

/** A thread that was started for a piece of work, seen from whoever started it. */
export interface Thread<Sent, Received> extends Port<Sent, Received> {
  /** Resolves when the thread is gone, with the reason where nobody ended it. Never rejects. */
  readonly ended: Promise<GodwitError | undefined>
  /** Ends it at once. Idempotent. */
  end(): void
}

/** A view as it travels between threads. */
export interface Span {
  readonly buffer: ArrayBufferLike
  readonly byteOffset: number
  readonly byteLength: number
}

/**
 * Takes a view apart for the way to another thread: a view of exactly 4 GiB would arrive empty,
 * since its length travels as 32 bits. Buffers themselves arrive whole.
 */
export function spanOf({ buffer, byteOffset, byteLength }: Uint8Array): Span {
  return { buffer, byteOffset, byteLength }
}

/** The other end of {@link spanOf}. */
export function bytesOf({ buffer, byteOffset, byteLength }: Span): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** A {@link GodwitError} as it travels between threads, which lose what class a thing is of. */
export interface ErrorParts {
  readonly name: string
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly phase: string | undefined
  readonly facts: { limit: string; value: number; maximum: number } | undefined
}

const classes = { WireError, ProtocolError, CodecError, TransportError, PeerError, GodwitError }

export function errorParts(error: GodwitError): ErrorParts {
  const { name, code, message, retryable, phase } = error
  const isLimit = error instanceof LimitError
  const facts = isLimit
    ? { limit: error.limit, value: error.value, maximum: error.maximum }
    : undefined
  return { name, code, message, retryable, phase, facts }
}

/** The other end of {@link errorParts}: of the same class, with all but the cause. */
export function errorOf({ name, code, message, retryable, phase, facts }: ErrorParts): GodwitError {
  const details = phase === undefined ? { retryable } : { retryable, phase }
  if (name === 'CancelledError') return new CancelledError(message, details)
  if (facts !== undefined)
    return new LimitError(code as LimitError['code'] & 'NO_ROOM', message, facts, details)
  const Class = classes[name as keyof typeof classes] ?? GodwitError
  return new Class(code, message, details)
}
