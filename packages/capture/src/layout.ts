/**
 * Every byte offset of a capture file, version 1. All integers are little-endian. The specification
 * for other readers is `docs/CAPTURE.md`.
 *
 * File header, 32 bytes:
 *
 *   offset bytes name       meaning
 *        0     8 magic      89 47 57 43 0D 0A 1A 0A
 *        8     2 version    1
 *       10     1 side       who captured: 1 the source, 2 the destination
 *       11     5 reserved   zero
 *       16     8 startedUs  microseconds since 1970 (UTC)
 *       24     4 reserved   zero
 *       28     4 checksum   CRC-32 over header bytes 0..27
 *
 * Then chunks, each a header of 24 bytes and a payload:
 *
 *        0     4 channel    number of the channel in this file: 0, 1, 2 ... in the order of opening
 *        4     1 kind       1 opened, 2 bytes, 3 closed, 4 end
 *        5     1 direction  of bytes: 1 source to destination, 2 destination to source; others: 0
 *        6     2 reserved   zero
 *        8     8 timeUs     microseconds since the file was begun
 *       16     4 length     of the payload
 *       20     4 checksum   CRC-32 over header bytes 0..19 and the payload
 *
 * @module
 */
import { MIB } from '@godwit/core'

export const CAPTURE_VERSION = 1

/** 0x89 and line ends of all kinds: a transfer as text is noticed. */
export const CAPTURE_MAGIC: Uint8Array = Uint8Array.of(
  0x89,
  0x47,
  0x57,
  0x43,
  0x0d,
  0x0a,
  0x1a,
  0x0a,
)

export const FILE_HEADER_BYTES = 32
export const FILE_HEADER = {
  magic: 0,
  version: 8,
  side: 10,
  reserved11: 11,
  startedUs: 16,
  reserved24: 24,
  checksum: 28,
} as const

export const CHUNK_HEADER_BYTES = 24
export const CHUNK = {
  channel: 0,
  kind: 4,
  direction: 5,
  reserved: 6,
  timeUs: 8,
  length: 16,
  checksum: 20,
} as const

/** Wire facts of the file. */
export const ChunkKind = { Opened: 1, Bytes: 2, Closed: 3, End: 4 } as const

/** What a reader holds of a file at once: longer writes are cut. */
export const CHUNK_PAYLOAD_BYTES_MAX: number = MIB

/** Channels that are open at once in one file: a reader keeps a little of each. */
export const CHANNELS_OPEN_MAX = 4096

/** Of an address, or of a reason. */
export const CAPTURE_TEXT_BYTES_MAX = 1024

/** The side that says something, or that captured it. */
export type Side = 'source' | 'destination'

export const sideNumbers: Readonly<Record<Side, number>> = { source: 1, destination: 2 }

/** The side of a number, if there is one. */
export function sideOf(number: number): Side | undefined {
  if (number === sideNumbers.source) return 'source'
  return number === sideNumbers.destination ? 'destination' : undefined
}

/** In the place of a reason, where the capturing side dropped the channel itself. */
export const DROPPED = 'DROPPED'
