/**
 * The receiving end of a data or urgent channel.
 *
 * @module
 */
import { FRAME_HEADER_BYTES, u64FromBytes } from '@godwit/wire'
import type { ReadPage, Reading } from './batch-reader.ts'
import { BatchReader } from './batch-reader.ts'
import type { Exchange } from './exchange.ts'
import { describe } from './exchange.ts'
import { checkEqual, Failure } from './failure.ts'
import type { RawChannel } from './raw-channel.ts'

/** Of one channel. */
export class ReceivingLane {
  readonly channel: RawChannel
  readonly #reader: BatchReader
  readonly #exchange: Exchange
  batches = 0
  digest = 0n
  pages: ReadPage[] = []
  /** Of PAGES frames, headers included. */
  receivedBytes = 0

  constructor(channel: RawChannel, reading: Reading, exchange: Exchange) {
    this.channel = channel
    this.#reader = new BatchReader(reading)
    this.#exchange = exchange
  }

  /** Reads batches up to BARRIER, which tells their totals. */
  async collect(round: number): Promise<void> {
    while (await this.one(round));
  }

  /** Reads one frame. @returns false for BARRIER */
  async one(round: number): Promise<boolean> {
    const heard = await this.#exchange.next(this.channel, 'C6.13', 'PAGES or BARRIER')
    if (heard.kind === 'pages') {
      this.take(heard.body, round)
      return true
    }
    if (heard.kind !== 'message' || heard.message.name !== 'Barrier') {
      throw new Failure('C6.13', 'PAGES or BARRIER', describe(heard))
    }
    const { body } = heard.message
    checkEqual('C4.26', body.round, round)
    checkEqual('C4.26', body.batches, this.batches)
    checkEqual('C4.26', body.pages, this.pages.length)
    checkEqual('C4.26', u64FromBytes(body.digest), BigInt.asUintN(64, this.digest))
    return false
  }

  take(body: Uint8Array, round: number): readonly ReadPage[] {
    this.receivedBytes += FRAME_HEADER_BYTES + body.length
    const { pages, digest } = this.#reader.read(body, round)
    this.batches++
    this.pages.push(...pages)
    this.digest += digest
    return pages
  }

  forget(): void {
    this.batches = 0
    this.digest = 0n
    this.pages = []
  }
}
