/**
 * Reads QEMU's migration stream: pages go to memory as they come, everything behind them is kept. A
 * machine over chunks that are cut anywhere. It keeps no more than a record's head between two of
 * them, and makes nothing per page.
 *
 * @module
 */
import { LimitError, formatBytes } from '@godwit/core'
import { address as addressAt, hex, textAt, u16, u32 } from './stream-bytes.ts'
import type { BlockMemory, BlockParts, StreamSetup } from './stream-format.ts'
import {
  MACHINE_NAME_BYTES_MAX,
  RAM_VERSION,
  RamFlag,
  SectionType,
  STREAM_MAGIC,
  STREAM_PAGE_BYTES,
  STREAM_VERSION,
  StreamError,
} from './stream-format.ts'
import { TOLD_BYTES_MAX } from './state-package.ts'
import { BlockList } from './stream-list.ts'
import { unknownRecord, wrongPage } from './stream-refusal.ts'

/** Longer than any record without its page, and than any section's head. */
const headBytesMax = 512
const pageMask = STREAM_PAGE_BYTES - 1
/** Of a head: it is not all there yet. */
const incomplete = -1

type Place = 'start' | 'configuration' | 'section' | 'footer' | 'records' | 'sizes' | 'rest'

/** One stream. Use once. */
export class StreamReader {
  /** Pages that are marked since somebody took this number down; to be set by whoever clears. */
  markedPages = 0
  /** Records of pages so far, those of zero bytes too. */
  pages = 0
  readonly #begin: (setup: StreamSetup) => BlockParts
  #place: Place = 'start'
  #machine = ''
  #sectionId = 0
  #isFirstSection = true
  #isLastSection = false
  readonly #list = new BlockList()
  #blocks: BlockParts = []
  /** Of the block that the last record was of. */
  #parts: readonly BlockMemory[] = []
  /** The one of them that a page went to last, and its address in the block. */
  #part: BlockMemory | undefined
  #partAt = 0
  /** Where in it bytes of a page that is cut go, and how many; 0: there is none. */
  #pageAt = 0
  #pageLeft = 0
  /** The start of a record that is cut. */
  readonly #held = new Uint8Array(headBytesMax)
  #heldBytes = 0
  /** Of the stream, up to the chunk that is being read. */
  #offset = 0
  readonly #rest: Uint8Array[] = []
  #restBytes = 0

  /** @param begin - hears what there is, once, and gives all blocks' memory: as long as said */
  constructor(begin: (setup: StreamSetup) => BlockParts) {
    this.#begin = begin
  }

  /**
   * The next bytes. They are the caller's again when this returns.
   *
   * @throws {StreamError} `GUEST_FAILED`: it is no such stream, or has records that nobody knows
   * @throws {LimitError} `LIMIT_EXCEEDED`: more than this can keep
   */
  push(buffer: Uint8Array): void {
    // Views of a Buffer cost more than those of plain bytes.
    const chunk = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
    let at = 0
    while (at < chunk.length) {
      if (this.#pageLeft > 0) at = this.#goOnWithPage(chunk, at)
      else if (this.#place === 'rest') at = this.#keep(chunk, at)
      else if (this.#heldBytes > 0) at = this.#complete(chunk, at)
      else at = this.#readHeads(chunk, at)
    }
    this.#offset += chunk.length
  }

  /** The stream is over. @throws {StreamError} `GUEST_FAILED` when it lacks something */
  end(): void {
    if (this.#place === 'rest') return
    const text = `it ends before the memory of the machine does (${this.#place})`
    throw new StreamError('end', this.#offset, text)
  }

  /** All of memory has come; what follows is the state of devices. */
  get isPastMemory(): boolean {
    return this.#place === 'rest'
  }

  /** Everything behind the memory, so far, in pieces. */
  get rest(): readonly Uint8Array[] {
    return this.#rest
  }

  /** Reads records up to the end of the chunk, or of the last one that is complete. */
  #readHeads(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length && this.#pageLeft === 0 && this.#place !== 'rest') {
      const next = this.#head(chunk, at, chunk.length, this.#offset + at)
      if (next === incomplete) {
        this.#held.set(chunk.subarray(at))
        this.#heldBytes = chunk.length - at
        return chunk.length
      }
      at = next
    }
    return at
  }

  /** A record whose start came before. */
  #complete(chunk: Uint8Array, at: number): number {
    const before = this.#heldBytes
    const added = Math.min(chunk.length - at, headBytesMax - before)
    this.#held.set(chunk.subarray(at, at + added), before)
    const head = this.#held.subarray(0, before + added)
    const next = this.#head(head, 0, head.length, this.#offset + at - before, 1)
    if (next === incomplete) {
      this.#heldBytes = before + added
      return at + added
    }
    this.#heldBytes = 0
    return at + next - before
  }

  #goOnWithPage(chunk: Uint8Array, at: number): number {
    const count = Math.min(this.#pageLeft, chunk.length - at)
    // By the C library: the engine copies to shared memory word by word.
    Buffer.prototype.copy.call(chunk, this.#part!.bytes, this.#pageAt, at, at + count)
    this.#pageAt += count
    this.#pageLeft -= count
    if (this.#pageLeft === 0) this.#mark(this.#part!, this.#pageAt - STREAM_PAGE_BYTES)
    return at + count
  }

  #keep(chunk: Uint8Array, at: number): number {
    const count = chunk.length - at
    if (this.#restBytes + count > TOLD_BYTES_MAX) {
      const value = this.#restBytes + count
      throw new LimitError(
        'LIMIT_EXCEEDED',
        `The machine's devices have more than ${formatBytes(TOLD_BYTES_MAX)} of state`,
        { limit: 'deviceStateBytesMax', value, maximum: TOLD_BYTES_MAX },
      )
    }
    this.#rest.push(new Uint8Array(chunk.subarray(at)))
    this.#restBytes += count
    return chunk.length
  }

  /**
   * One head of `bytes[at, end)`; of RAM, one record with the page, if that is there as well.
   *
   * @param offset - of the head, in the stream
   * @param most - heads of RAM to read; all by default
   * @returns where the next one begins, or {@link incomplete}
   */
  #head(bytes: Uint8Array, at: number, end: number, offset: number, most = Infinity): number {
    switch (this.#place) {
      case 'start':
        return this.#start(bytes, at, end, offset)
      case 'configuration':
        return this.#configuration(bytes, at, end, offset)
      case 'section':
        return this.#section(bytes, at, end, offset)
      case 'footer':
        return this.#footer(bytes, at, end, offset)
      case 'sizes':
        return this.#size(bytes, at, end, offset)
      default:
        return this.#records(bytes, at, end, offset, most)
    }
  }

  #start(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (end - at < 8) return incomplete
    if (u32(bytes, at) !== STREAM_MAGIC) {
      throw new StreamError('magic', offset, 'it is no migration stream of QEMU')
    }
    const version = u32(bytes, at + 4)
    if (version !== STREAM_VERSION) {
      const text = `its version is ${version}, where ${STREAM_VERSION} is understood`
      throw new StreamError('version', offset + 4, text)
    }
    this.#place = 'configuration'
    return at + 8
  }

  #configuration(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (end - at < 5) return incomplete
    if (bytes[at] !== SectionType.Configuration) {
      const text = 'it has no configuration: machine types before 2.4 are not understood'
      throw new StreamError('configuration', offset, text)
    }
    const length = u32(bytes, at + 1)
    if (length === 0 || length > MACHINE_NAME_BYTES_MAX) {
      throw new StreamError('configuration', offset, `a machine's name of ${length} bytes`)
    }
    if (end - at < 5 + length) return incomplete
    this.#machine = textAt(bytes, at + 5, length)
    this.#place = 'section'
    return at + 5 + length
  }

  #section(bytes: Uint8Array, at: number, end: number, offset: number): number {
    const type = bytes[at]!
    switch (type) {
      case SectionType.First:
        return this.#firstSection(bytes, at, end, offset)
      case SectionType.Part:
      case SectionType.Last: {
        if (end - at < 5) return incomplete
        this.#checkId(u32(bytes, at + 1), offset)
        this.#isLastSection = type === SectionType.Last
        this.#place = 'records'
        return at + 5
      }
      case SectionType.Full:
      case SectionType.End:
        if (this.#isLastSection) {
          this.#place = 'rest'
          return at
        }
        return this.#earlySection(bytes, at, end, offset)
      case SectionType.Subsection:
        return this.#subsection(bytes, at, end, offset)
      case SectionType.Command: {
        if (end - at < 5) return incomplete
        const text = `command ${u16(bytes, at + 1)}, which nobody here answers`
        throw new StreamError('command', offset, `${text}: turn off return-path and postcopy-ram`)
      }
      default:
        throw new StreamError(`section ${hex(type)}`, offset, `a section of type ${hex(type)}`)
    }
  }

  #firstSection(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (end - at < 6) return incomplete
    const length = bytes[at + 5]!
    if (end - at < 14 + length) return incomplete
    const name = textAt(bytes, at + 6, length)
    const instance = u32(bytes, at + 6 + length)
    const version = u32(bytes, at + 10 + length)
    if (name !== 'ram' || !this.#isFirstSection || instance !== 0) {
      const text = `section "${name}" comes in parts, too; only memory can`
      throw new StreamError(name, offset, text)
    }
    if (version !== RAM_VERSION) {
      const text = `memory in version ${version}, where ${RAM_VERSION} is understood`
      throw new StreamError('ram', offset, text)
    }
    this.#isFirstSection = false
    this.#sectionId = u32(bytes, at + 1)
    this.#place = 'records'
    return at + 14 + length
  }

  #earlySection(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (bytes[at] === SectionType.End) {
      throw new StreamError('end', offset, 'it ends before the memory of the machine does')
    }
    if (end - at < 6 || end - at < 6 + bytes[at + 5]!) return incomplete
    const name = textAt(bytes, at + 6, bytes[at + 5]!)
    throw new StreamError(name, offset, `state of device "${name}" before the memory's end`)
  }

  #subsection(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (end - at < 2 || end - at < 2 + bytes[at + 1]!) return incomplete
    const name = textAt(bytes, at + 2, bytes[at + 1]!)
    throw new StreamError(name, offset, `the configuration has "${name}", which is not understood`)
  }

  #checkId(id: number, offset: number): void {
    if (!this.#isFirstSection && !this.#isLastSection && id === this.#sectionId) return
    throw new StreamError(`section ${id}`, offset, `a part of section ${id}, which is none of RAM`)
  }

  #footer(bytes: Uint8Array, at: number, end: number, offset: number): number {
    if (end - at < 5) return incomplete
    if (bytes[at] !== SectionType.Footer || u32(bytes, at + 1) !== this.#sectionId) {
      throw new StreamError('footer', offset, 'a section of memory has no footer')
    }
    this.#place = 'section'
    return at + 5
  }

  /** Records of pages, up to the end of the bytes or of the section. */
  #records(bytes: Uint8Array, from: number, end: number, offset: number, most: number): number {
    let at = from
    for (let count = 0; count < most; count++) {
      if (end - at < 8) return at === from ? incomplete : at
      const flags = u16(bytes, at + 6) & pageMask
      const address = addressAt(bytes, at)
      const kind = flags & ~RamFlag.Continue
      if (kind !== RamFlag.Page && kind !== RamFlag.Zero) {
        return this.#otherRecord(flags, address, at, offset + at - from)
      }
      let next = at + 8
      if ((flags & RamFlag.Continue) === 0) {
        if (end - next < 1 || end - next < 1 + bytes[next]!) return at === from ? incomplete : at
        this.#parts = this.#named(bytes, next, offset + at - from)
        this.#part = undefined
        next += 1 + bytes[next]!
      }
      let part = this.#part
      let pageAt = address - this.#partAt
      if (part === undefined || pageAt < 0 || pageAt > part.bytes.length - STREAM_PAGE_BYTES) {
        part = this.#partOf(address, offset + at - from)
        pageAt = address - this.#partAt
      }
      if (kind === RamFlag.Zero) {
        if (next === end) return at === from ? incomplete : at
        if (bytes[next] !== 0) {
          throw new StreamError('zero', offset + at - from, `a page of bytes ${bytes[next]!}`)
        }
        this.#clear(part, pageAt)
        this.pages++
        at = next + 1
        continue
      }
      this.#pageAt = pageAt
      this.#pageLeft = STREAM_PAGE_BYTES
      this.pages++
      at = this.#goOnWithPage(bytes, next)
      if (this.#pageLeft > 0) return at
    }
    return at
  }

  #otherRecord(flags: number, address: number, at: number, offset: number): number {
    if (flags === RamFlag.End) {
      if (this.#blocks.length === 0) {
        throw new StreamError('ram', offset, 'there is no list of blocks of memory')
      }
      this.#place = 'footer'
      return at + 8
    }
    if (flags === RamFlag.Sizes && this.#list.blocks.length === 0 && address > 0) {
      this.#list.begin(address)
      this.#place = 'sizes'
      return at + 8
    }
    throw unknownRecord(flags, offset)
  }

  /** One entry of the list of blocks. */
  #size(bytes: Uint8Array, at: number, end: number, offset: number): number {
    const next = this.#list.read(bytes, at, end, offset)
    if (next === undefined) return incomplete
    if (this.#list.isWhole) {
      this.#blocks = this.#begin({ machine: this.#machine, blocks: this.#list.blocks })
      this.#place = 'records'
    }
    return next
  }

  #named(bytes: Uint8Array, at: number, offset: number): readonly BlockMemory[] {
    const parts = this.#blocks[this.#list.indexAt(bytes, at)]
    if (parts !== undefined) return parts
    const name = textAt(bytes, at + 1, bytes[at]!)
    throw new StreamError('block', offset, `a page of block "${name}", which is not in the list`)
  }

  /** The part that has this page of the block, from now on {@link #part}. */
  #partOf(address: number, offset: number): BlockMemory {
    this.#partAt = 0
    for (const part of this.#parts) {
      if (address - this.#partAt < part.bytes.length) return (this.#part = part)
      this.#partAt += part.bytes.length
    }
    throw wrongPage(address, offset)
  }

  #clear(part: BlockMemory, pageAt: number): void {
    const page = pageAt / STREAM_PAGE_BYTES
    if (part.touched[page] === 0) return
    part.bytes.fill(0, pageAt, pageAt + STREAM_PAGE_BYTES)
    this.#note(part, page)
  }

  #mark(part: BlockMemory, pageAt: number): void {
    const page = pageAt / STREAM_PAGE_BYTES
    part.touched[page] = 1
    this.#note(part, page)
  }

  #note(part: BlockMemory, page: number): void {
    if (part.marks[page] === 0) this.markedPages++
    // Whoever collects marks does so on this thread: an atomic store would wait for the whole page.
    part.marks[page] = 1
  }
}
