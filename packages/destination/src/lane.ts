/**
 * One data channel at the destination: batches are installed as they arrive, in the reader's own
 * memory, without a promise or an event per batch.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { MIB, PeerError, ProtocolError } from '@godwit/core'
import type { BatchDecoder, DecodedTotals } from '@godwit/codec'
import { emptyTotals } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { Barrier, Frame } from '@godwit/wire'
import {
  FRAME_HEADER_BYTES,
  FrameType,
  decodeMessage,
  errorCodeOf,
  u64FromBytes,
} from '@godwit/wire'

/** The credit window of a channel: more than is on its way at 1 Gbit/s and 100 ms of round trip. */
export const CREDIT_BYTES: number = 16 * MIB
const creditStepBytes = CREDIT_BYTES / 4

/** What a lane asks of its migration. */
export interface LaneOwner {
  /** The round that may be installed now: the one after the last acknowledged; 0 for none. */
  readonly installableRound: number
  /** Something arrived: the source is alive. */
  heard(): void
  /** All of `round` on this lane is installed. */
  barrier(round: number, totals: DecodedTotals): void
  laneClosed(error: GodwitError | undefined): void
}

/** A data channel as its migration sees it, whatever thread it is on. */
export interface Lane {
  /** Pages of the round that is arriving. */
  readonly pages: number
  /** Bytes of page frames so far. */
  readonly receivedBytes: number
  /** Flushes what was sent and ends the channel. Idempotent. */
  close(): void
}

/** The destination's end of one data channel. */
export class DestinationLane implements LinkHandler, Lane {
  readonly link: Link
  /** Frames are received and hashed here; in the decoder's workspace. */
  readonly buffer: Uint8Array
  readonly #decoder: BatchDecoder
  readonly #owner: LaneOwner
  #round = 1
  #totals: DecodedTotals = emptyTotals()
  #receivedBytes = 0
  #creditedBytes = 0

  constructor(link: Link, decoder: BatchDecoder, owner: LaneOwner, buffer: Uint8Array) {
    this.link = link
    this.buffer = buffer
    this.#decoder = decoder
    this.#owner = owner
  }

  get pages(): number {
    return this.#totals.pages
  }

  get receivedBytes(): number {
    return this.#receivedBytes
  }

  frame(frame: Frame): void {
    this.#owner.heard()
    if (frame.type === FrameType.Error) this.#peerError(frame)
    if (this.#round !== this.#owner.installableRound) {
      throw new ProtocolError('PROTOCOL_STATE', `Pages of round ${this.#round} came out of turn`)
    }
    if (frame.type === FrameType.Pages) {
      this.#receivedBytes += FRAME_HEADER_BYTES + frame.body.length
      this.#decoder.decode(frame.body, this.#round, this.#totals)
      this.#credit()
      return
    }
    const message = decodeMessage(frame.type, frame.body)
    if (message.name !== 'Barrier') {
      throw new ProtocolError('PROTOCOL_STATE', `${message.name} does not come from a source`)
    }
    this.#barrier(message.body)
  }

  /** Tells the source what was installed. */
  #credit(): void {
    if (this.#receivedBytes - this.#creditedBytes < creditStepBytes) return
    this.#creditedBytes = this.#receivedBytes
    this.link.sendMessage({ name: 'Credit', body: { bytes: this.#receivedBytes } })
  }

  close(): void {
    this.link.close()
  }

  closed(error: GodwitError | undefined): void {
    this.#owner.laneClosed(error)
  }

  #peerError(frame: Frame): never {
    const message = decodeMessage(frame.type, frame.body)
    if (message.name !== 'Error') throw new Error('not an ERROR frame')
    throw new PeerError(errorCodeOf(message.body.code), message.body.text)
  }

  #barrier(barrier: Barrier): void {
    const totals = this.#totals
    const right =
      barrier.round === this.#round &&
      barrier.batches === totals.batches &&
      barrier.pages === totals.pages &&
      u64FromBytes(barrier.digest) === totals.digest
    if (!right) {
      throw new ProtocolError(
        'PROTOCOL_TOTALS',
        `The source counts ${barrier.pages} pages in round ${barrier.round} of this channel; ` +
          `${totals.pages} arrived`,
      )
    }
    this.#round++
    this.#totals = emptyTotals()
    this.#owner.barrier(barrier.round, totals)
  }
}
