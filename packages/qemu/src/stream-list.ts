/**
 * The list of blocks of memory in QEMU's migration stream.
 *
 * @module
 */
import { formatBytes, LimitError } from '@godwit/core'
import { regionCount } from './block-regions.ts'
import { textAt, u64 } from './stream-bytes.ts'
import type { StreamBlock } from './stream-format.ts'
import {
  BLOCK_NAME_BYTES_MAX,
  BLOCKS_MAX,
  STREAM_PAGE_BYTES,
  StreamError,
} from './stream-format.ts'

/** Of one stream. */
export class BlockList {
  readonly blocks: StreamBlock[] = []
  /** Bytes of memory whose blocks are still to be named. */
  #left = 0
  /** That all blocks take so far. */
  #regions = 0

  /** @param memoryBytes - of all blocks together */
  begin(memoryBytes: number): void {
    this.#left = memoryBytes
  }

  get isWhole(): boolean {
    return this.#left === 0
  }

  /**
   * One block of `bytes[at, end)`.
   *
   * @param offset - of it, in the stream
   * @returns where the next one begins; undefined where this one is not all there
   * @throws {StreamError} `GUEST_FAILED`; {@link LimitError} `LIMIT_EXCEEDED`: all are too large
   */
  read(bytes: Uint8Array, at: number, end: number, offset: number): number | undefined {
    const length = bytes[at]!
    if (end - at < 9 + length) return undefined
    const name = textAt(bytes, at + 1, length)
    const byteLength = u64(bytes, at + 1 + length)
    if (length === 0 || length > BLOCK_NAME_BYTES_MAX || this.blocks.length >= BLOCKS_MAX) {
      throw new StreamError('sizes', offset, `block ${this.blocks.length} is called "${name}"`)
    }
    this.#regions += regionCount(byteLength)
    if (this.#regions > BLOCKS_MAX) {
      const text =
        `The machine's memory "${name}" has ${formatBytes(byteLength)}: all of its memory takes ` +
        `more than the ${BLOCKS_MAX} regions of up to 4 GiB that a guest may have`
      const facts = { limit: 'regionsMax', value: this.#regions, maximum: BLOCKS_MAX }
      throw new LimitError('LIMIT_EXCEEDED', text, facts)
    }
    const isTwice = this.blocks.some((block) => block.name === name)
    const isOfPages = byteLength > 0 && byteLength % STREAM_PAGE_BYTES === 0
    if (isTwice || !isOfPages || byteLength > this.#left) {
      throw new StreamError('sizes', offset, `block "${name}" with ${byteLength} bytes`)
    }
    this.blocks.push({ name, byteLength })
    this.#left -= byteLength
    return at + 9 + length
  }

  /** The number of the block whose name is at `at`, after its length; -1: there is none. */
  indexAt(bytes: Uint8Array, at: number): number {
    const name = textAt(bytes, at + 1, bytes[at]!)
    return this.blocks.findIndex((block) => block.name === name)
  }
}
