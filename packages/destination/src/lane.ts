/**
 * One data channel at the destination: batches are installed as they arrive, in the reader's own
 * memory, without a promise or an event per batch.
 *
 * @module
 */
import type { Clock, GodwitError } from '@godwit/core'
import { KIB, LimitError, MIB, PeerError, ProtocolError } from '@godwit/core'
import type { BatchDecoder, DecodedTotals } from '@godwit/codec'
import { LackingPages, emptyTotals } from '@godwit/codec'
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
/** Credit comes after so many bytes more, or after fewer when the last is some time ago. */
const creditStepBytes = CREDIT_BYTES / 4
const creditStepBytesMin = 128 * KIB
const creditStepMs = 4
/** So much at the beginning is told frame by frame: the source finds out how fast the link is. */
const creditAtOnceBytes = 8 * MIB

/** In post-copy little may be on its way, and a source that waits for credit sends nothing. */
const pushStepBytes = 32 * KIB

/**
 * A source that reads takes them off our hands long before there are so many. Where it may name
 * what is not here any more, one for every page may come at once, and the link bounds their bytes.
 */
const unwrittenNaksMax = 256

/** What a lane asks of its migration. */
export interface LaneOwner {
  /** The round that may be installed now: the one after the last acknowledged; 0 for none. */
  readonly installableRound: number
  /** Whether its pages come to a guest that runs already. */
  readonly isPostCopy: boolean
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

/** What a channel is for. */
interface ChannelOptions {
  /** What comes first. */
  readonly firstRound?: number
  /** Pages come that the guest waits for. */
  readonly isUrgent?: boolean
}

/** The destination's end of one data channel. */
export class DestinationLane implements LinkHandler, Lane {
  readonly link: Link
  /** Frames are received and hashed here; in the decoder's workspace. */
  readonly buffer: Uint8Array
  readonly #clock: Clock
  readonly #decoder: BatchDecoder
  readonly #owner: LaneOwner
  readonly #isUrgent: boolean
  #round: number
  #totals: DecodedTotals = emptyTotals()
  /** What was asked for once more. */
  readonly #lacking: LackingPages
  /** NAKs that the socket has not taken. */
  #unwrittenNaks = 0
  /** The round's totals, when its barrier came but pages are still lacking. */
  #passed: DecodedTotals | undefined
  #receivedBytes = 0
  /** Of what was received: pages that came once more, which are no part of a round. */
  #repairBytes = 0
  #creditedBytes = 0
  #creditedMs = -Infinity
  /** A credit is due soon; this gives it up. */
  #cancelCredit: (() => void) | undefined

  constructor(
    link: Link,
    clock: Clock,
    decoder: BatchDecoder,
    owner: LaneOwner,
    buffer: Uint8Array,
    { firstRound = 1, isUrgent = false }: ChannelOptions = {},
  ) {
    this.#round = firstRound
    this.#isUrgent = isUrgent
    this.link = link
    this.#clock = clock
    this.buffer = buffer
    this.#decoder = decoder
    this.#owner = owner
    const { mayOftenLack } = decoder
    this.#lacking = new LackingPages((region) => decoder.pageCountOf(region), mayOftenLack)
  }

  get pages(): number {
    return this.#totals.pages
  }

  get receivedBytes(): number {
    return this.#receivedBytes - this.#repairBytes
  }

  frame(frame: Frame): void {
    this.#owner.heard()
    if (frame.type === FrameType.Error) this.#peerError(frame)
    if (this.#round !== this.#owner.installableRound) {
      throw new ProtocolError('PROTOCOL_STATE', `Pages of round ${this.#round} came out of turn`)
    }
    if (frame.type === FrameType.Pages) {
      this.#receivedBytes += FRAME_HEADER_BYTES + frame.body.length
      if (this.#passed === undefined) this.#decode(frame)
      else this.#repair(frame, this.#passed)
      // What comes on the urgent channel is bounded by what is asked for.
      if (!this.#isUrgent) this.#credit()
      return
    }
    if (this.#passed !== undefined) {
      const text = 'Something else came where pages were asked for once more'
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    const message = decodeMessage(frame.type, frame.body)
    if (message.name !== 'Barrier') {
      throw new ProtocolError('PROTOCOL_STATE', `${message.name} does not come from a source`)
    }
    this.#barrier(message.body)
  }

  #decode(frame: Frame): void {
    const { isPostCopy } = this.#owner
    const nak = this.#decoder.decode(frame.body, this.#round, this.#totals, isPostCopy)
    if (nak === undefined) return
    this.#lacking.add(nak)
    const isBounded = !this.#decoder.mayOftenLack
    if (++this.#unwrittenNaks > unwrittenNaksMax && isBounded) throw unread(this.#unwrittenNaks)
    this.link.sendMessage({ name: 'Nak', body: nak }, () => this.#unwrittenNaks--)
  }

  /** Pages that were asked for once more; the barrier has passed when all of them are there. */
  #repair(frame: Frame, totals: DecodedTotals): void {
    this.#repairBytes += FRAME_HEADER_BYTES + frame.body.length
    this.#lacking.take(frame.body)
    const { isPostCopy } = this.#owner
    const nak = this.#decoder.decode(frame.body, this.#round, emptyTotals(), isPostCopy)
    if (nak !== undefined) throw new Error('a repair names nothing else')
    if (this.#lacking.isEmpty) this.#pass(totals)
  }

  /** Tells the source what was installed, now or soon. */
  #credit(): void {
    const bytes = this.#receivedBytes - this.#creditedBytes
    const isLate = this.#clock.nowMs() - this.#creditedMs >= creditStepMs
    const isBeginning = this.#receivedBytes <= creditAtOnceBytes
    const isUrgent = this.#owner.isPostCopy && bytes >= pushStepBytes
    const isEnough = isUrgent || (bytes >= creditStepBytesMin && (isLate || isBeginning))
    if (bytes >= creditStepBytes || isEnough) {
      this.#sendCredit()
    } else {
      this.#cancelCredit ??= this.#clock.after(creditStepMs, () => this.#sendCredit())
    }
  }

  #sendCredit(): void {
    this.#cancelCredit?.()
    this.#cancelCredit = undefined
    this.#creditedBytes = this.#receivedBytes
    this.#creditedMs = this.#clock.nowMs()
    this.link.sendMessage({ name: 'Credit', body: { bytes: this.#receivedBytes } })
  }

  close(): void {
    this.#cancelCredit?.()
    this.#decoder.close()
    this.link.close()
  }

  closed(error: GodwitError | undefined): void {
    this.#cancelCredit?.()
    this.#decoder.close()
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
    if (this.#lacking.isEmpty) this.#pass(totals)
    else this.#passed = totals
  }

  /** All of the round is here. */
  #pass(totals: DecodedTotals): void {
    const round = this.#round++
    this.#passed = undefined
    this.#totals = emptyTotals()
    this.#owner.barrier(round, totals)
  }
}

function unread(value: number): LimitError {
  const facts = { limit: 'unwrittenNaksMax', value, maximum: unwrittenNaksMax }
  return new LimitError('LIMIT_EXCEEDED', 'The source does not read what it is asked for', facts)
}
