/**
 * QEMU's migration stream, as far as memory goes: numbers, limits, and what is said of bytes that
 * are none of it. All numbers in it are big-endian.
 *
 * ```
 * stream  = "QEVM" u32:3  07 config  section*  rest
 * config  = u32:length machine
 * section = 01 u32:id u8:length "ram" u32:instance u32:version  record*   footer    the first
 *         | 02 u32:id  record*  footer                                              more of it
 *         | 03 u32:id  record*  footer                                              the last
 * footer  = 7e u32:id
 * record  = u64: address and flags, then by the flag
 *   04 sizes  (u8:length name u64:bytes)*, as many as are the address's bytes together
 *   02 zero   [u8:length name] 00
 *   08 page   [u8:length name] 4096 bytes
 *   10 end of the section's records
 *   with 20: of the same block as the record before, without its name
 * rest    = device state, from the first 04 or 00 on: not looked at
 * ```
 *
 * After QEMU's `migration/savevm.c` and `migration/ram.c`, version 7.2.
 *
 * @module
 */
import { GodwitError, type LimitError } from '@godwit/core'

export const STREAM_MAGIC = 0x5145564d
export const STREAM_VERSION = 3
export const RAM_VERSION = 4

/** Of QEMU's x86 machines. */
export const STREAM_PAGE_BYTES = 4096

export const SectionType = {
  End: 0x00,
  First: 0x01,
  Part: 0x02,
  Last: 0x03,
  Full: 0x04,
  Subsection: 0x05,
  Description: 0x06,
  Configuration: 0x07,
  Command: 0x08,
  Footer: 0x7e,
} as const

/** In the low 12 bits of an address. */
export const RamFlag = {
  Zero: 0x02,
  Sizes: 0x04,
  Page: 0x08,
  End: 0x10,
  Continue: 0x20,
} as const

/** Kinds of records that memory may come in, too, by flag: what QEMU calls them. */
export const otherRecords: ReadonlyMap<number, string> = new Map([
  [0x01, 'full'],
  [0x40, 'xbzrle'],
  [0x80, 'hook (rdma)'],
  [0x100, 'compress'],
  [0x200, 'multifd-flush'],
])

/** A region of a guest has a name of at most as much. */
export const BLOCK_NAME_BYTES_MAX = 128
/** A guest has at most as many regions. */
export const BLOCKS_MAX = 1024
export const MACHINE_NAME_BYTES_MAX = 128

/** Bytes that are no stream, or one that is not understood: the VM stays where it is. */
export class StreamError extends GodwitError {
  /** What was found there. */
  readonly record: string
  /** Where it begins, in bytes from the start of the stream. */
  readonly at: number

  constructor(record: string, at: number, text: string) {
    super('GUEST_FAILED', `QEMU's stream, at byte ${at}: ${text}`)
    this.record = record
    this.at = at
  }
}

/** What reading a stream may throw. */
export type StreamFailure = StreamError | LimitError

/** A block of memory, as the stream's list has it. */
export interface StreamBlock {
  readonly name: string
  /** A multiple of {@link STREAM_PAGE_BYTES}. */
  readonly byteLength: number
}

/** What a stream says before memory comes. */
export interface StreamSetup {
  /** The type of the machine, with its version. */
  readonly machine: string
  readonly blocks: readonly StreamBlock[]
}

/** Memory of a block, or of a part of it, and what is noted of its pages: a byte each. */
export interface BlockMemory {
  readonly bytes: Uint8Array
  /** Not 0: something else than zero bytes was stored to the page. */
  readonly touched: Uint8Array
  /** Not 0: it was stored to, and nobody has taken notice. Set after the store. */
  readonly marks: Uint8Array
}

/** Of all blocks, in order: each in parts of whole pages, one after the other. */
export type BlockParts = readonly (readonly BlockMemory[])[]
