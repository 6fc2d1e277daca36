/**
 * One data channel at the source: encodes batches into a few private slots and writes each slot
 * with one call. No promise, event or object per page; one promise per round.
 *
 * @module
 */
import type { Clock, GodwitError, PageHasher } from '@godwit/core'
import { CancelledError, PeerError, ProtocolError, TransportError } from '@godwit/core'
import type { EncodedBatch, RegionRound, SentPages, Workspace } from '@godwit/codec'
import { BatchEncoder, BatchSlot, batchSlotBytes, emptyBatch } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { TokenBucket } from '@godwit/policy'
import type { Frame } from '@godwit/wire'
import { FrameType, decodeMessage, errorCodeOf, u64ToBytes } from '@godwit/wire'
import type { LaneRound, RoundWork } from './round-work.ts'
import { PIECE_WORDS, emptyRound } from './round-work.ts'

/** Batches on their way at once: enough to keep the socket busy while the next is encoded. */
const slotCount = 6
/** Batches without anything to send before other work gets its turn. */
const emptyBatchesMax = 4

/** What a lane takes of its workspace. */
export function laneBytes(pageBytes: number): number {
  return slotCount * batchSlotBytes(pageBytes)
}

export interface LaneOptions {
  readonly pageBytes: number
  /** With room for {@link laneBytes}. */
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly raw: boolean
  /** Per region: what was sent of it. Fingerprints are updated as pages are sent. */
  readonly sent: readonly SentPages[]
  /** Most bytes of page frames that the destination has not installed. */
  readonly creditBytes: number
  /** The cap on bandwidth; lanes of one thread share it. */
  readonly pacer: TokenBucket
}

interface RoundInProgress {
  readonly work: RoundWork
  readonly done: LaneRound
  readonly resolve: (done: LaneRound) => void
  readonly reject: (error: GodwitError) => void
  /** The piece that is being sent: undefined before the first. */
  region: RegionRound | undefined
  page: number
  endPage: number
  encoded: boolean
}

/** The source's end of one data channel. */
export class SourceLane implements LinkHandler {
  readonly #link: Link
  readonly #clock: Clock
  readonly #sent: readonly SentPages[]
  readonly #encoder: BatchEncoder
  readonly #freeSlots: BatchSlot[]
  readonly #pageBytes: number
  readonly #frameBytesMax: number
  readonly #creditBytes: number
  /** Bytes of page frames since the channel began: sent, and installed as far as is known. */
  #sentBytes = 0
  #installedBytes = 0
  readonly #pacer: TokenBucket
  /** A pump is due when the cap allows it; this gives it up. */
  #cancelWait: (() => void) | undefined
  #isClosed = false
  readonly #onClosed: (error: GodwitError | undefined) => void
  readonly #batch: EncodedBatch = emptyBatch()
  #current: RoundInProgress | undefined
  #done: LaneRound = emptyRound()

  constructor(
    link: Link,
    clock: Clock,
    options: LaneOptions,
    onClosed: (error: GodwitError | undefined) => void,
  ) {
    this.#link = link
    this.#clock = clock
    this.#sent = options.sent
    this.#pageBytes = options.pageBytes
    this.#frameBytesMax = batchSlotBytes(options.pageBytes)
    this.#encoder = new BatchEncoder(options)
    this.#freeSlots = Array.from({ length: slotCount }, () => {
      return new BatchSlot(options.workspace, options.pageBytes)
    })
    this.#creditBytes = options.creditBytes
    this.#pacer = options.pacer
    this.#onClosed = onClosed
  }

  /** Progress of the round that is being sent, or what became of the last one. */
  get progress(): Readonly<LaneRound> {
    return this.#done
  }

  /**
   * Sends pieces of a round as long as there are any, and the barrier. Resolves when everything was
   * handed to the socket; rejects when the channel is lost.
   */
  sendRound(work: RoundWork): Promise<LaneRound> {
    if (this.#isClosed) return Promise.reject(new CancelledError())
    return new Promise((resolve, reject) => {
      const place = { region: undefined, page: 0, endPage: 0, encoded: false }
      this.#done = emptyRound()
      this.#current = { work, done: this.#done, resolve, reject, ...place }
      this.#pump()
    })
  }

  /** The cap on bandwidth has changed, or allows the next batch. */
  paceAgain(): void {
    this.#stopWaiting()
    this.#pump()
  }

  #stopWaiting(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
  }

  /** Ends the channel after what was written; a round in progress rejects. */
  close(): void {
    this.#isClosed = true
    this.#stopWaiting()
    this.#link.close()
    this.#current?.reject(new CancelledError())
    this.#current = undefined
  }

  /** Drops the channel at once: what is under way is of no use to anybody. */
  destroy(): void {
    this.#link.fail(new CancelledError())
  }

  frame(frame: Frame): void {
    const message = decodeMessage(frame.type, frame.body)
    if (message.name === 'Error') {
      throw new PeerError(errorCodeOf(message.body.code), message.body.text)
    }
    if (message.name !== 'Credit' || this.#creditBytes === Infinity) {
      const text = `${message.name} does not come from a destination on this channel`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#credit(message.body.bytes)
  }

  closed(error: GodwitError | undefined): void {
    const lost =
      error ?? new TransportError('CONNECTION_LOST', 'The destination closed a data channel')
    this.#isClosed = true
    this.#stopWaiting()
    this.#current?.reject(lost)
    this.#current = undefined
    this.#onClosed(lost)
  }

  /** The destination has installed more; the pump may have waited for that. */
  #credit(bytes: number): void {
    if (bytes > this.#sentBytes || bytes < this.#installedBytes) {
      const text = `The destination has installed ${bytes} bytes of ${this.#sentBytes}`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#installedBytes = bytes
    this.#pump()
  }

  /** Fills free slots until none is left or the round is encoded. */
  #pump(): void {
    let empty = 0
    while (this.#current !== undefined && !this.#current.encoded && this.#freeSlots.length > 0) {
      // The barrier costs next to nothing, and in the pause everybody waits for it.
      if (this.#takesPiece(this.#current) && (!this.#hasCredit() || this.#waits())) return
      if (!this.#encodeNext(this.#current) && ++empty >= emptyBatchesMax) {
        this.#clock.soon(() => this.#pump())
        return
      }
    }
    this.#finishRound()
  }

  #hasCredit(): boolean {
    const onTheirWay = this.#sentBytes - this.#installedBytes
    return onTheirWay + this.#frameBytesMax <= this.#creditBytes
  }

  /** @returns whether the cap on bandwidth says to wait; then the pump goes on by itself */
  #waits(): boolean {
    if (this.#cancelWait !== undefined) return true
    const waitMs = this.#pacer.waitMs(this.#clock.nowMs())
    if (waitMs === 0) return false
    this.#cancelWait = this.#clock.after(waitMs, () => this.paceAgain())
    return true
  }

  /** Goes on to another piece where one is done. @returns false when none is left */
  #takesPiece(current: RoundInProgress): boolean {
    if (current.page < current.endPage) return true
    const { round, known, dirty, untouched, pieces, taken } = current.work
    const piece = Atomics.add(taken, 0, 1) * PIECE_WORDS
    if (piece >= pieces.length) {
      current.region = undefined
      return false
    }
    const index = pieces[piece]!
    const sent = this.#sent[index]!
    current.region = { round, sent, dirty: dirty[index]!, untouched: untouched?.[index], known }
    current.page = pieces[piece + 1]!
    current.endPage = pieces[piece + 2]!
    return true
  }

  /** @returns whether a frame was sent */
  #encodeNext(current: RoundInProgress): boolean {
    if (current.region === undefined) {
      current.encoded = true
      this.#sendBarrier(current)
      return true
    }
    const slot = this.#freeSlots[this.#freeSlots.length - 1]!
    const batch = this.#batch
    const { region, page, endPage } = current
    const pagesMax = Math.max(1, Math.floor(this.#pacer.grainBytes / this.#pageBytes))
    const filled = this.#encoder.encode(region, page, endPage, slot, batch, pagesMax)
    current.page = batch.nextPage
    this.#count(current.done)
    if (filled) this.#sendSlot(current.done)
    return filled
  }

  #count(done: LaneRound): void {
    const batch = this.#batch
    done.rawPages += batch.rawPages
    done.zeroPages += batch.zeroPages
    done.pages += batch.rawPages + batch.zeroPages
    done.unchangedPages += batch.unchangedPages
    done.zeroBytes += batch.zeroBytes
    done.unchangedBytes += batch.unchangedBytes
    done.payloadBytes += batch.payloadBytes
  }

  #sendSlot(done: LaneRound): void {
    const slot = this.#freeSlots.pop()!
    const { frameStart, frameEnd, digest } = this.#batch
    done.batches++
    done.digest = BigInt.asUintN(64, done.digest + digest)
    done.frameBytes += frameEnd - frameStart
    this.#sentBytes += frameEnd - frameStart
    this.#pacer.spend(frameEnd - frameStart, this.#clock.nowMs())
    this.#link.sendInPlace(FrameType.Pages, slot.bytes, frameStart, frameEnd, () => {
      this.#freeSlots.push(slot)
      this.#pump()
    })
  }

  #sendBarrier({ work, done }: RoundInProgress): void {
    const { batches, pages, digest } = done
    const { round } = work
    this.#link.sendMessage({
      name: 'Barrier',
      body: { round, batches, pages, digest: u64ToBytes(digest) },
    })
  }

  #finishRound(): void {
    const current = this.#current
    if (current === undefined || !current.encoded || this.#freeSlots.length < slotCount) return
    this.#current = undefined
    current.resolve(current.done)
  }
}
