/**
 * The sending end of a data or urgent channel, with the totals of its round.
 *
 * @module
 */
import { FRAME_HEADER_BYTES, FrameType, u64ToBytes } from '@godwit/wire'
import type { BatchParts } from './batch.ts'
import { encodeBatch } from './batch.ts'
import type { Hashes } from './hashes.ts'
import type { RawChannel } from './raw-channel.ts'

interface Totals {
  readonly batches: number
  readonly pages: number
  readonly digest: Uint8Array
}

/** Of one channel. */
export class RoundLane {
  readonly channel: RawChannel
  readonly #hashes: Hashes
  batches = 0
  pages = 0
  digest = 0n
  /** Of PAGES frames, headers included. */
  sentBytes = 0

  constructor(channel: RawChannel, hashes: Hashes) {
    this.channel = channel
    this.#hashes = hashes
  }

  /** Sends a batch, which counts. */
  batch(parts: BatchParts): void {
    const { body, pages, digest } = encodeBatch(this.#hashes, parts)
    this.batches++
    this.pages += pages
    this.digest += digest
    this.#send(body, parts)
  }

  /** Sends one that does not: a repair. */
  repair(parts: BatchParts): void {
    this.#send(encodeBatch(this.#hashes, parts).body, parts)
  }

  #send(body: Uint8Array, { round, region, runs }: BatchParts): void {
    const shown = runs.map(({ firstPage, pageCount, encoding }) => {
      return `${firstPage}+${pageCount} encoding ${encoding}`
    })
    const what = `Pages round ${round}, region ${region} [${shown.join(', ')}]`
    this.sentBytes += FRAME_HEADER_BYTES + body.length
    this.channel.frame(FrameType.Pages, body, {}, what)
  }

  barrier(round: number): void {
    this.channel.send('Barrier', { round, ...RoundLane.totals([this]) })
  }

  /** The round is over. */
  forget(): void {
    this.batches = 0
    this.pages = 0
    this.digest = 0n
  }

  /** Of some channels together. */
  static totals(lanes: readonly RoundLane[]): Totals {
    const sum = (of: (lane: RoundLane) => number): number => {
      return lanes.reduce((all, lane) => all + of(lane), 0)
    }
    return {
      batches: sum((lane) => lane.batches),
      pages: sum((lane) => lane.pages),
      digest: u64ToBytes(lanes.reduce((all, lane) => all + lane.digest, 0n)),
    }
  }
}
