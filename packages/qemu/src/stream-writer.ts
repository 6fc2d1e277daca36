/**
 * Writes QEMU's migration stream for the destination: its head, and the pages of blocks that QEMU
 * cannot be given in another way. Device state follows as it came. See `stream-format.ts`.
 *
 * @module
 */
import type { StreamSetup } from './stream-format.ts'
import {
  RAM_VERSION,
  RamFlag,
  SectionType,
  STREAM_MAGIC,
  STREAM_PAGE_BYTES,
  STREAM_VERSION,
} from './stream-format.ts'

/** Of the section that is memory; QEMU finds out from the section's first part which one it is. */
const ramSectionId = 2
const footerBytes = 5
const recordBytes = 8
/** Pages of one piece: 1 MiB. */
const piecePages = 256
const zeroPage = new Uint8Array(STREAM_PAGE_BYTES)

/** A block whose pages go into the stream. */
export interface FedBlock {
  readonly name: string
  readonly bytes: Uint8Array
}

/** Everything before the pages: whose memory it is, and of what blocks. */
export function writeHead({ machine, blocks }: StreamSetup): Uint8Array {
  const name = new TextEncoder().encode(machine)
  const entries = blocks.map((block) => new TextEncoder().encode(block.name))
  const listBytes = entries.reduce((sum, entry) => sum + 1 + entry.length + 8, 0)
  const firstBytes = 5 + 1 + 3 + 8
  const length = 8 + 5 + name.length + firstBytes + recordBytes * 2 + listBytes + footerBytes
  const out = new Output(length)
  out.u32(STREAM_MAGIC)
  out.u32(STREAM_VERSION)
  out.u8(SectionType.Configuration)
  out.u32(name.length)
  out.bytes(name)
  out.u8(SectionType.First)
  out.u32(ramSectionId)
  out.u8(3)
  out.bytes(new TextEncoder().encode('ram'))
  out.u32(0)
  out.u32(RAM_VERSION)
  const memoryBytes = blocks.reduce((sum, block) => sum + block.byteLength, 0)
  out.record(memoryBytes, RamFlag.Sizes)
  for (const [index, entry] of entries.entries()) {
    out.u8(entry.length)
    out.bytes(entry)
    out.record(blocks[index]!.byteLength, 0)
  }
  out.record(0, RamFlag.End)
  out.footer()
  return out.written
}

/**
 * The last part of memory, with every page of `blocks`, those of zero bytes as such: what QEMU has
 * there from its start (ROMs) is replaced.
 *
 * @returns pieces of about a mebibyte, each of memory of its own
 */
export function* writeMemory(blocks: readonly FedBlock[]): Generator<Uint8Array> {
  const begin = new Output(5)
  begin.u8(SectionType.Last)
  begin.u32(ramSectionId)
  yield begin.written
  for (const { name, bytes } of blocks) {
    const entry = new TextEncoder().encode(name)
    for (let first = 0; first < bytes.length; first += piecePages * STREAM_PAGE_BYTES) {
      const piece = bytes.subarray(first, first + piecePages * STREAM_PAGE_BYTES)
      yield writePages(entry, first, piece)
    }
  }
  const end = new Output(recordBytes + footerBytes)
  end.record(0, RamFlag.End)
  end.footer()
  yield end.written
}

/** Each piece names its block once. @param first - address of the first page, in bytes */
function writePages(name: Uint8Array, first: number, pages: Uint8Array): Uint8Array {
  const count = pages.length / STREAM_PAGE_BYTES
  const out = new Output(1 + name.length + count * (recordBytes + STREAM_PAGE_BYTES))
  for (let at = 0; at < pages.length; at += STREAM_PAGE_BYTES) {
    const page = pages.subarray(at, at + STREAM_PAGE_BYTES)
    const isZero = Buffer.compare(page, zeroPage) === 0
    const kind = isZero ? RamFlag.Zero : RamFlag.Page
    out.record(first + at, at === 0 ? kind : kind | RamFlag.Continue)
    if (at === 0) {
      out.u8(name.length)
      out.bytes(name)
    }
    if (isZero) out.u8(0)
    else out.bytes(page)
  }
  return out.written
}

/** Bytes one after the other, numbers big-endian. */
class Output {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  /** @param most - at most as many bytes */
  constructor(most: number) {
    this.#bytes = new Uint8Array(most)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value)
    this.#at += 1
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value)
    this.#at += 4
  }

  /** An address or a size, whose low 12 bits are free for flags. */
  record(address: number, flags: number): void {
    this.#view.setBigUint64(this.#at, BigInt(address + flags))
    this.#at += recordBytes
  }

  footer(): void {
    this.u8(SectionType.Footer)
    this.u32(ramSectionId)
  }

  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }
}
