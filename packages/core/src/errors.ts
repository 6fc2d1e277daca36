/**
 * Every error a user or a peer can cause. Programming mistakes are assertions, not among these.
 *
 * @module
 */

/** Stable, documented names; scripts and peers rely on them (`docs/ERRORS.md`). */
export type ErrorCode =
  // usage and environment
  | 'USAGE'
  | 'GUEST_UNKNOWN'
  | 'GUEST_OPTION'
  | 'GUEST_FAILED'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  | 'INSECURE_ADDRESS'
  | 'POLICY_FAILED'
  | 'HOOK_FAILED'
  // transport
  | 'ADDRESS_INVALID'
  | 'ADDRESS_UNRESOLVED'
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_LOST'
  | 'CONNECTION_TIMEOUT'
  | 'ADDRESS_IN_USE'
  | 'ADDRESS_UNAVAILABLE'
  | 'PEER_SILENT'
  // security: who is at the other end
  | 'AUTH_REQUIRED'
  | 'AUTH_FAILED'
  | 'PEER_IDENTITY'
  | 'SEAL_BROKEN'
  // wire: bytes break the format
  | 'WIRE_MAGIC'
  | 'WIRE_PREFACE'
  | 'WIRE_FRAME_TYPE'
  | 'WIRE_FRAME_LENGTH'
  | 'WIRE_FLAGS'
  | 'WIRE_SEQUENCE'
  | 'WIRE_CHECKSUM'
  | 'WIRE_BODY'
  | 'WIRE_TRUNCATED'
  // codec: a batch does not decode
  | 'CODEC_BATCH'
  | 'CODEC_PAGE_RANGE'
  | 'CODEC_ENCODING'
  | 'CODEC_DIGEST'
  | 'CODEC_COMPRESSION'
  // protocol: legal bytes, wrong state or terms
  | 'PROTOCOL_VERSION'
  | 'PROTOCOL_CAPABILITY'
  | 'PROTOCOL_STATE'
  | 'PROTOCOL_TOTALS'
  | 'PAGE_SIZE_MISMATCH'
  | 'SESSION_UNKNOWN'
  | 'EPOCH_STALE'
  // limits and resources
  | 'LIMIT_EXCEEDED'
  | 'NO_ROOM'
  // catalog: what a fleet knows of its guests
  | 'CATALOG_UNAVAILABLE'
  | 'CATALOG_VERSION'
  | 'CATALOG_ENTRY'
  | 'CATALOG_UNKNOWN'
  | 'CATALOG_CONFLICT'
  // outcome
  | 'CANCELLED'
  | 'TOO_LATE'
  | 'VERIFY_FAILED'
  | 'VERIFY_INCOMPLETE'
  | 'OWNERSHIP_IN_DOUBT'
  | 'POST_COPY_LOST'
  | 'TAKEN_OVER'
  | 'LOST_WITH_HOST'
  | 'INTERNAL'

/** Facts that some errors carry beside their text. */
export interface ErrorDetails {
  /** Where in the migration it happened (a stage name of the report). */
  phase?: string
  cause?: unknown
  /** Whether trying again, with nothing changed, may succeed. */
  retryable?: boolean
}

/** Base of all errors; `message` is one line for people and does not repeat the code. */
export class GodwitError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  phase: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.retryable = details.retryable ?? false
    this.phase = details.phase
  }
}

/** Bytes break the format: fatal for the connection. */
export class WireError extends GodwitError {}

/** Legal bytes in the wrong state or on terms that were not agreed: fatal for the session. */
export class ProtocolError extends GodwitError {}

/** A page batch does not decode: fatal for the session. */
export class CodecError extends GodwitError {}

/** Sockets: refused, lost, silent. Usually retryable. */
export class TransportError extends GodwitError {
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, { retryable: true, ...details })
  }
}

/** Something would pass a named limit. */
export class LimitError extends GodwitError {
  readonly limit: string
  readonly value: number
  readonly maximum: number

  constructor(
    code: 'LIMIT_EXCEEDED' | 'NO_ROOM' | 'WIRE_FRAME_LENGTH',
    message: string,
    facts: { limit: string; value: number; maximum: number },
    details: ErrorDetails = {},
  ) {
    super(code, message, details)
    this.limit = facts.limit
    this.value = facts.value
    this.maximum = facts.maximum
  }
}

/** The other side reported an error; `code` is its code, `message` its text. */
export class PeerError extends GodwitError {}

/** Somebody asked for it to stop. */
export class CancelledError extends GodwitError {
  constructor(message = 'The migration was cancelled', details: ErrorDetails = {}) {
    super('CANCELLED', message, details)
  }
}

/** Wraps anything thrown so that callers only ever meet {@link GodwitError}. */
export function toGodwitError(thrown: unknown, phase?: string): GodwitError {
  if (thrown instanceof GodwitError) {
    thrown.phase ??= phase
    return thrown
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new GodwitError('INTERNAL', message, {
    cause: thrown,
    ...(phase === undefined ? {} : { phase }),
  })
}

/** Marks code that the types say cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
