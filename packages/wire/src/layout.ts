/**
 * Every byte offset of the wire format, version 1. All integers are little-endian. The
 * specification for implementers is `docs/PROTOCOL.md`; a tidy test keeps its tables equal to this
 * file.
 * Preface: the first 32 bytes of every channel, in both directions.
 *
 *   offset bytes name       meaning
 *        0     8 magic      89 47 44 57 0D 0A 1A 0A
 *        8     2 version    layout of preface and frame headers: 1; bit 15 set: sealed
 *       10     1 role       1 control, 2 data, 3 urgent, 4 reverse
 *       11     1 index      the lane number for data; 0 for the others
 *       12     4 epoch      0 in a new session; one higher in each recovery
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
 *       12     1 compression    of the payload as a whole: 0 none, 1 zstd, 2 LZ4 (a block)
 *       13     1 stride         0: the payload is as the entries say; 3 to 6: it was transposed
 *                               with rows of 2^stride bytes before it was compressed
 *       14     2 reserved       zero
 *       16     4 decodedBytes   payload bytes after decompression; payloadBytes when not compressed
 *       20     4 reserved       zero
 *       24     8 digest         first 8 bytes of the digest of the fingerprints of all pages that
 *                               get content by the batch, zero pages apart, in table order; zero
 *                               when there are none
 *
 * Entry: a run of pages of one encoding.
 *
 *        0     4 firstPage
 *        4     2 pageCount      at least 1
 *        6     1 encoding       1 raw, 2 zero, 3 same-as, 4 reference, 5 delta, 7 static, 8 keep,
 *                               9 similar (6 mirror: reserved)
 *        7     1 reserved       zero
 *        8     4 payloadBytes   of this run, after decompression
 *
 * Payload of a run, by encoding. A check is the first four bytes of a page's fingerprint.
 *
 *   raw        the pages
 *   zero       nothing
 *   same-as    region u16, reserved u16, first page u32 of another run of pages that hold the same,
 *              then a check u32 of each of those
 *   reference  per page: slot u32 of the content store, check u32 of what it holds
 *   delta      per page: check u32 of what the page holds now, length u16, a delta of that length
 *   static     per page: entry u32 of the contents that both ends know, counted from the one behind
 *              the entry of the run's page before, modulo 2^32; in a run's first page from 0
 *   keep       per page: slot u32 that takes what the page holds now; gives the page no content
 *   similar    per page: region u16, length u16, page u32 of another page, check u32 of what that
 *              holds, a delta to it
 *
 * @module
 */

/** Not text in any encoding: high bit, CR LF, ^Z and LF catch every mangling on the way. */
export const MAGIC: Uint8Array = Uint8Array.of(0x89, 0x47, 0x44, 0x57, 0x0d, 0x0a, 0x1a, 0x0a)

export const WIRE_VERSION = 1
/** Of the version, in the preface of a channel that is sealed (package `seal`). */
export const SEALED_BIT = 0x8000

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
  stride: 13,
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
export const ChannelRole = { Invalid: 0, Control: 1, Data: 2, Urgent: 3, Reverse: 4 } as const
export type ChannelRole = (typeof ChannelRole)[keyof typeof ChannelRole]

/** SAME-AS: the other run. Checks follow. */
export const SAME_AS = { region: 0, reserved: 2, firstPage: 4 } as const
export const SAME_AS_BYTES = 8
export const CHECK_BYTES = 4
/** REFERENCE: one page. */
export const REFERENCE = { slot: 0, check: 4 } as const
export const REFERENCE_BYTES = 8
/** DELTA: in front of each delta. */
export const DELTA = { check: 0, length: 4 } as const
export const DELTA_BYTES = 6
/** STATIC: one page. */
export const STATIC_BYTES = 4
/** KEEP: one page. */
export const KEEP_BYTES = 4
/** SIMILAR: in front of each delta. */
export const SIMILAR = { region: 0, length: 2, page: 4, check: 8 } as const
export const SIMILAR_BYTES = 12

/** How a run of pages is encoded. Numbers are wire facts; reserved ones are for later. */
export const PageEncoding = {
  Invalid: 0,
  Raw: 1,
  Zero: 2,
  SameAs: 3,
  Reference: 4,
  Delta: 5,
  ReservedMirror: 6,
  Static: 7,
  Keep: 8,
  Similar: 9,
} as const
export type PageEncoding = (typeof PageEncoding)[keyof typeof PageEncoding]

/** How a batch's payload is compressed as a whole. */
export const BatchCompression = { None: 0, Zstd: 1, Lz4: 2 } as const
export type BatchCompression = (typeof BatchCompression)[keyof typeof BatchCompression]

/** Rows of a transposed payload: base-2 logarithms of the shortest and the longest, in bytes. */
export const STRIDE_MIN = 3
export const STRIDE_MAX = 6
