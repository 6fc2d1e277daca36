/**
 * Every byte offset of the wire format, version 1. All integers are little-endian. The
 * specification for implementers is `docs/PROTOCOL.md`; a tidy test keeps its tables equal to this
 * file.
 * Preface: the first 32 bytes of every channel, in both directions.
 *
 *   offset bytes name       meaning
 *        0     8 magic      89 47 44 57 0D 0A 1A 0A
 *        8     2 version    layout of preface and frame headers: 1
 *       10     1 role       1 control, 2 data (3 urgent: reserved)
 *       11     1 index      0 for control; the lane number for data
 *       12     4 epoch      0 in a new session; higher after each recovery
 *       16    16 session    random, chosen by the source
 *
 * Frame header: 16 bytes, then `length` bytes of body.
 *
 *        0     2 type       bit 15 set: optional, a receiver that does not know it skips it
 *        2     2 flags      reserved, zero
 *        4     4 length     of the body; bounded by type before a body byte is kept
 *        8     4 sequence   0, 1, 2 ... per channel and direction, modulo 2^32
 *       12     4 checksum   CRC-32 over header bytes 0..11 and the covered part of the body
 *
 * Covered part: the whole body; for PAGES only the batch header and the table of entries.
 *
 * PAGES body: batch header, entries, payload.
 *
 *        0     4 round
 *        4     2 region         region id
 *        6     2 entryCount     at least 1
 *        8     4 payloadBytes   after the table
 *       12     1 compression    0 none (1 zstd, 2 LZ4: reserved)
 *       13     3 reserved       zero
 *       16     4 decodedBytes   payload bytes after decompression; payloadBytes when not compressed
 *       20     4 reserved       zero
 *       24     8 digest         first 8 bytes of the digest of the fingerprints of all pages that
 *                               have payload, in table order; zero when there are none
 *
 * Entry: a run of pages of one encoding.
 *
 *        0     4 firstPage
 *        4     2 pageCount      at least 1
 *        6     1 encoding       1 raw, 2 zero (3 same-as, 4 reference, 5 delta, 6 mirror,
 *                               7 static: reserved)
 *        7     1 reserved       zero
 *        8     4 payloadBytes   of this run
 *
 * @module
 */

/** Not text in any encoding: high bit, CR LF, ^Z and LF catch every mangling on the way. */
export const MAGIC: Uint8Array = Uint8Array.of(0x89, 0x47, 0x44, 0x57, 0x0d, 0x0a, 0x1a, 0x0a)

export const WIRE_VERSION = 1

export const PREFACE_BYTES = 32
export const PREFACE = {
  magic: 0,
  version: 8,
  role: 10,
  index: 11,
  epoch: 12,
  session: 16,
} as const
export const SESSION_ID_BYTES = 16

export const FRAME_HEADER_BYTES = 16
export const FRAME = { type: 0, flags: 2, length: 4, sequence: 8, checksum: 12 } as const

export const BATCH_HEADER_BYTES = 32
export const BATCH = {
  round: 0,
  region: 4,
  entryCount: 6,
  payloadBytes: 8,
  compression: 12,
  reserved13: 13,
  reserved14: 14,
  decodedBytes: 16,
  reserved20: 20,
  digest: 24,
} as const

export const ENTRY_BYTES = 12
export const ENTRY = {
  firstPage: 0,
  pageCount: 4,
  encoding: 6,
  reserved: 7,
  payloadBytes: 8,
} as const

/** What a channel is for; announced in its preface. Numbers are wire facts. */
export const ChannelRole = { Invalid: 0, Control: 1, Data: 2, ReservedUrgent: 3 } as const
export type ChannelRole = (typeof ChannelRole)[keyof typeof ChannelRole]

/** How a run of pages is encoded. Numbers are wire facts; reserved ones are for later. */
export const PageEncoding = {
  Invalid: 0,
  Raw: 1,
  Zero: 2,
  ReservedSameAs: 3,
  ReservedReference: 4,
  ReservedDelta: 5,
  ReservedMirror: 6,
  ReservedStatic: 7,
} as const
export type PageEncoding = (typeof PageEncoding)[keyof typeof PageEncoding]

/** How a batch's payload is compressed as a whole. */
export const BatchCompression = { None: 0, ReservedZstd: 1, ReservedLz4: 2 } as const
