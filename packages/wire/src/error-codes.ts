/**
 * The numbers of error codes on the wire. A class without a number does not compile.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'

/** Wire facts: never renumbered. 0 is invalid. */
export const errorNumbers: Readonly<Record<ErrorCode, number>> = {
  INTERNAL: 1,
  CANCELLED: 2,
  TOO_LATE: 3,
  USAGE: 4,
  GUEST_UNKNOWN: 16,
  GUEST_OPTION: 17,
  GUEST_FAILED: 18,
  FILE_UNREADABLE: 19,
  FILE_UNWRITABLE: 20,
  INSECURE_ADDRESS: 21,
  POLICY_FAILED: 22,
  HOOK_FAILED: 23,
  ADDRESS_INVALID: 32,
  ADDRESS_UNRESOLVED: 33,
  CONNECTION_REFUSED: 34,
  CONNECTION_LOST: 35,
  CONNECTION_TIMEOUT: 36,
  ADDRESS_IN_USE: 37,
  ADDRESS_UNAVAILABLE: 38,
  PEER_SILENT: 39,
  WIRE_MAGIC: 48,
  WIRE_PREFACE: 49,
  WIRE_FRAME_TYPE: 50,
  WIRE_FRAME_LENGTH: 51,
  WIRE_FLAGS: 52,
  WIRE_SEQUENCE: 53,
  WIRE_CHECKSUM: 54,
  WIRE_BODY: 55,
  WIRE_TRUNCATED: 56,
  CODEC_BATCH: 64,
  CODEC_PAGE_RANGE: 65,
  CODEC_ENCODING: 66,
  CODEC_DIGEST: 67,
  CODEC_COMPRESSION: 68,
  PROTOCOL_VERSION: 80,
  PROTOCOL_CAPABILITY: 81,
  PROTOCOL_STATE: 82,
  PROTOCOL_TOTALS: 83,
  PAGE_SIZE_MISMATCH: 84,
  SESSION_UNKNOWN: 85,
  EPOCH_STALE: 86,
  LIMIT_EXCEEDED: 96,
  NO_ROOM: 97,
  VERIFY_FAILED: 112,
  VERIFY_INCOMPLETE: 113,
  OWNERSHIP_IN_DOUBT: 114,
  POST_COPY_LOST: 115,
  TAKEN_OVER: 116,
  LOST_WITH_HOST: 117,
  AUTH_REQUIRED: 128,
  AUTH_FAILED: 129,
  PEER_IDENTITY: 130,
  SEAL_BROKEN: 131,
  CATALOG_UNAVAILABLE: 144,
  CATALOG_VERSION: 145,
  CATALOG_ENTRY: 146,
  CATALOG_UNKNOWN: 147,
  CATALOG_CONFLICT: 148,
}

const names: ReadonlyMap<number, ErrorCode> = new Map(
  (Object.entries(errorNumbers) as [ErrorCode, number][]).map(([code, number]) => [number, code]),
)

/** The code of a wire number; numbers of newer peers read as `INTERNAL`. */
export function errorCodeOf(number: number): ErrorCode {
  return names.get(number) ?? 'INTERNAL'
}
