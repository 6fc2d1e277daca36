/**
 * One data channel at the source: encodes batches into a few private slots and writes each slot
 * with one call. No promise, event or object per page; one promise per round.
 *
 * @module
 */
import type { Clock, GodwitError } from '@godwit/core'
import { CancelledError, PeerError, ProtocolError, TransportError } from '@godwit/core'
import type { ClosedBatch, EncodedBatch } from '@godwit/codec'
import { BatchEncoder, RichEncoder, emptyBatch, slotsPerStep } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { TokenBucket } from '@godwit/policy'
import { BreakEvenCompression, looksAtPages } from '@godwit/policy'
import type { Frame, Nak } from '@godwit/wire'
import { decodeMessage, errorCodeOf, u64ToBytes } from '@godwit/wire'
import { compressionOf } from './compression.ts'
import type { EncodingState } from './encoding-state.ts'
import { stateOf } from './encoding-state.ts'
import { PLAIN_SLOTS, needsRichLane, richBatchPages } from './lane-memory.ts'
import { type LaneOptions, sameOptions } from './lane-options.ts'
import type { RoundPieces } from './lane-pieces.ts'
import { Outgoing, type OutgoingOwner } from './outgoing.ts'
import type { PushPieces } from './push-pieces.ts'
import { Repairs } from './repairs.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import { addPlainBatch, emptyRound, sameShape } from './round-work.ts'
import { piecesOf } from './pieces-of.ts'

/** Steps of encoding without a batch to send before other work gets its turn. */
const emptyStepsMax = { plain: 4, rich: 64 } as const

interface RoundInProgress {
  readonly work: RoundWork
  readonly done: LaneRound
  readonly resolve: (done: LaneRound) => void
  readonly reject: (error: GodwitError) => void
  readonly pieces: RoundPieces
  /** The same, in post-copy. */
  readonly push: PushPieces | undefined
  encoded: boolean
  barrierSent: boolean
}

/** The source's end of one data channel. */
export class SourceLane implements LinkHandler, OutgoingOwner {
  readonly #link: Link
  readonly #clock: Clock
  readonly #options: LaneOptions
  readonly #pageBytes: number
  readonly #pacer: TokenBucket
  readonly #encoder: BatchEncoder
  readonly #rich: RichEncoder | undefined
  readonly #outgoing: Outgoing
  readonly #stepSlots: number
  /** Where compression is chosen by what is measured. */
  readonly #breakEven: BreakEvenCompression | undefined
  readonly #onClosed: (error: GodwitError | undefined) => void
  readonly #batch: EncodedBatch = emptyBatch()
  readonly #repairs: Repairs
  /** Pushing goes on by itself; this gives it up. */
  #cancelPush: (() => void) | undefined
  #isClosed = false
  #isPumping = false
  #goesOnSoon = false
  #current: RoundInProgress | undefined
  #work: RoundWork | undefined
  #done: LaneRound = emptyRound()

  constructor(
    link: Link,
    clock: Clock,
    given: LaneOptions,
    onClosed: (error: GodwitError | undefined) => void,
  ) {
    const options = sameOptions(given)
    const { pageBytes, slots, settings, creditBytes, pacer, roundTripMs, isLoopback } = options
    this.#link = link
    this.#clock = clock
    this.#options = options
    this.#pageBytes = pageBytes
    this.#pacer = pacer
    this.#onClosed = onClosed
    this.#encoder = new BatchEncoder({ ...options, raw: settings.raw })
    this.#rich = this.#createRich(options)
    this.#stepSlots = slotsPerStep(options.staticPages !== undefined)
    this.#repairs = new Repairs(options.sent, pageBytes)
    const compression = compressionOf(settings, options.compressors)
    const policy = compression?.policy
    this.#breakEven = policy instanceof BreakEvenCompression ? policy : undefined
    const frameBytesMax = slots[0]!.bytes.length
    const awaitsLink = isLoopback && this.#breakEven !== undefined
    const limits = { creditBytes, frameBytesMax, pacer, roundTripMs, isLoopback }
    this.#outgoing = new Outgoing(link, clock, { slots, compression, awaitsLink, ...limits }, this)
  }

  /** Progress of the round that is being sent, or what became of the last one. */
  get progress(): Readonly<LaneRound> {
    return this.#done
  }

  /** What encoding has come to so far. */
  get encoding(): EncodingState {
    const { levels, randomBatches } = this.#outgoing
    const own = { repairedPages: this.#repairs.pages, compression: this.#breakEven?.facts }
    return { ...stateOf(this.#rich), levels, randomBatches, ...own }
  }

  /**
   * Sends pieces of a round as long as there are any, and the barrier. Resolves when everything was
   * handed to the socket; rejects when the channel is lost.
   */
  sendRound(asked: RoundWork): Promise<LaneRound> {
    if (this.#isClosed) return Promise.reject(new CancelledError())
    return new Promise((resolve, reject) => {
      const work = sameShape(asked)
      const { pieces, push } = piecesOf(work, this.#options, this.#clock)
      const state = { pieces, push, encoded: false, barrierSent: false }
      this.#done = emptyRound()
      this.#work = push === undefined ? work : { ...work, dirty: push.taken }
      this.#repairs.beginRound()
      this.#current = { work, done: this.#done, resolve, reject, ...state }
      this.goOn()
    })
  }

  /** The cap on bandwidth has changed. */
  paceAgain(): void {
    this.#outgoing.stopWaiting()
    this.goOn()
  }

  /** Ends the channel after what was written; a round in progress rejects. */
  close(): void {
    this.#end()
    this.#link.close()
    this.#current?.reject(new CancelledError())
    this.#current = undefined
  }

  #end(): void {
    this.#isClosed = true
    this.#cancelPush?.()
    this.#outgoing.close()
  }

  /** Drops the channel at once: what is under way is of no use to anybody. */
  destroy(): void {
    this.#link.fail(new CancelledError())
  }

  frame(frame: Frame): void {
    const message = decodeMessage(frame.type, frame.body)
    switch (message.name) {
      case 'Error':
        throw new PeerError(errorCodeOf(message.body.code), message.body.text)
      case 'Credit':
        this.#credit(message.body.bytes)
        break
      case 'Nak':
        this.#nak(message.body)
        break
      default:
        throw unexpected(`${message.name} does not come from a destination on this channel`)
    }
    this.goOn()
  }

  closed(error: GodwitError | undefined): void {
    const lost =
      error ?? new TransportError('CONNECTION_LOST', 'The destination closed a data channel')
    this.#end()
    this.#current?.reject(lost)
    this.#current = undefined
    this.#onClosed(lost)
  }

  /** Fills free slots until none is left or the round is encoded, and sends what is ready. */
  goOn(): void {
    // A slot that is free at once, or a batch compressed at once, comes here from within.
    if (this.#isPumping || this.#isClosed) return
    this.#isPumping = true
    try {
      this.#pump()
    } finally {
      this.#isPumping = false
    }
  }

  /** When others have had their turn. */
  #goOnSoon(): void {
    if (this.#goesOnSoon) return
    this.#goesOnSoon = true
    this.#clock.soon(() => {
      this.#goesOnSoon = false
      this.goOn()
    })
  }

  compressed(batch: ClosedBatch): void {
    const done = this.#done
    done.rawPages -= batch.rawPages
    done.compressedPages += batch.rawPages
    done.compressedBytes += batch.decodedBytes - batch.payloadBytes
    done.payloadBytes -= batch.decodedBytes - batch.payloadBytes
  }

  sent(frameBytes: number): void {
    // What goes once more is no part of the round.
    if (this.#current?.barrierSent !== false) return
    this.#done.frameBytes += frameBytes
  }

  #createRich(options: LaneOptions): RichEncoder | undefined {
    if (!needsRichLane(options.settings, options.staticPages !== undefined)) return undefined
    return new RichEncoder(options, {
      takeSlot: () => this.#outgoing.takeSlot(),
      closed: (batch) => {
        const done = this.#done
        done.batches++
        done.payloadBytes += batch.decodedBytes
        done.digest = BigInt.asUintN(64, done.digest + batch.digest)
        this.#outgoing.enqueue(batch)
      },
    })
  }

  #credit(bytes: number): void {
    const { creditBytes } = this.#options
    if (creditBytes !== Infinity && this.#outgoing.credit(bytes)) return
    throw unexpected(`The destination has installed ${bytes} bytes of ${this.#outgoing.sentBytes}`)
  }

  /** The destination could not make sense of a batch: its pages go once more, as they are now. */
  #nak(nak: Nak): void {
    const { settings, staticPages } = this.#options
    const mayLack = settings.same || settings.delta || staticPages !== undefined
    if (nak.round === this.#work?.round && mayLack) return this.#repairs.add(nak, this.#work.dirty)
    throw unexpected(`The destination asks for pages of round ${nak.round} once more`)
  }

  #pump(): void {
    let steps = 0
    for (;;) {
      this.#outgoing.pump()
      if (this.#outgoing.isGoingOn) return
      const current = this.#current
      if (current === undefined || current.barrierSent) {
        if (!this.#repair()) break
        continue
      }
      if (current.encoded) {
        if (this.#outgoing.isWaiting) break
        this.#sendBarrier(current)
        continue
      }
      if (current.pieces.awaitsMore()) break
      const isPlain = this.#isPlain(current.work)
      if (!this.#mayStep(current, isPlain)) {
        if (current.pieces.lookAhead()) this.#goOnSoon()
        break
      }
      const hasBatch = this.#step(current, isPlain)
      if (hasBatch) steps = 0
      // The socket takes what is left of a batch between two turns only, and the link would idle.
      const isLong = hasBatch ? !isPlain : ++steps >= emptyStepsMax[isPlain ? 'plain' : 'rich']
      if (isLong) {
        this.#goOnSoon()
        return
      }
    }
    this.#finishRound()
  }

  /**
   * Whether pages go as they are: always, or as long as the link is faster than anything else, be
   * it a look at what the destination holds anyway.
   */
  #isPlain({ known, mayLack }: RoundWork): boolean {
    if (this.#rich === undefined) return true
    // There may be nothing to look for but pages that the destination holds anyway.
    if (!looksAtPages(this.#options.settings)) return known || !mayLack
    const breakEven = this.#breakEven
    if (breakEven === undefined) return false
    const nowMs = this.#clock.nowMs()
    const { meter } = this.#outgoing
    breakEven.linkIs(meter, nowMs)
    if (breakEven.isLinkFast) return true
    // A link that is even faster than known would change nothing before.
    meter.doubt(nowMs)
    breakEven.linkIs(meter, nowMs)
    return breakEven.isLinkFast
  }

  #mayStep(current: RoundInProgress, isPlain: boolean): boolean {
    const outgoing = this.#outgoing
    outgoing.windowBytes = current.pieces.windowBytes
    if (current.push !== undefined) return this.#mayPush(current.push)
    // What is ready and waits would be waited for, should the guest stop.
    if (outgoing.isWaiting && outgoing.isWindowShort) return false
    if (!isPlain) return outgoing.freeSlots >= 2 * this.#stepSlots
    // The barrier costs next to nothing, and in the pause everybody waits for it.
    if (!current.pieces.take()) return true
    const isSpare = outgoing.usedSlots < PLAIN_SLOTS
    return isSpare && !outgoing.isWaiting && outgoing.mayEncode
  }

  /** What was taken and waits here is what the guest would have to wait for. */
  #mayPush(push: PushPieces): boolean {
    const outgoing = this.#outgoing
    push.update(outgoing.installedBytes)
    const { waitMs } = push
    if (waitMs > 0) {
      this.#cancelPush ??= this.#clock.after(waitMs, () => {
        this.#cancelPush = undefined
        this.goOn()
      })
      return false
    }
    return !outgoing.isWaiting && outgoing.mayEncode && outgoing.freeSlots >= this.#stepSlots
  }

  /** @returns whether a batch is on its way */
  #step(current: RoundInProgress, isPlain: boolean): boolean {
    if (!current.pieces.take()) {
      this.#rich?.flush()
      current.done.heldPages += current.pieces.leftPages
      current.done.lookMs = current.pieces.lookMs
      current.encoded = true
      return true
    }
    const { pieces, push, work, done } = current
    const batchBytes = Math.min(this.#pacer.grainBytes, push?.window.chunkBytes ?? Infinity)
    const pagesMax = Math.max(1, Math.floor(batchBytes / this.#pageBytes))
    if (isPlain) {
      this.#rich?.flush()
      return this.#stepPlain(current, pagesMax)
    }
    const { page, endPage, regionIndex, region } = pieces
    const { batches } = done
    const usefulPages = richBatchPages(this.#pageBytes, this.#options.settings, batches)
    const rich = this.#rich!
    rich.limitBatches(Math.min(pagesMax, usefulPages))
    rich.keepVersions(this.#breakEven?.keepsVersions(this.#outgoing.meter.backlogMs) ?? true)
    const unnamed = work.arriving ? undefined : work.dirty
    pieces.page = rich.step(region!, regionIndex, unnamed, page, endPage, done)
    if (push !== undefined && pieces.page >= endPage) rich.flush()
    return done.batches > batches
  }

  #stepPlain(current: RoundInProgress, pagesMax: number): boolean {
    const slot = this.#outgoing.takeSlot()
    const batch = this.#batch
    const { region, page, endPage } = current.pieces
    const filled = this.#encoder.encode(region!, page, endPage, slot, batch, pagesMax)
    current.pieces.page = batch.nextPage
    addPlainBatch(current.done, batch)
    if (!filled) {
      this.#outgoing.returnSlot(slot)
      return false
    }
    current.done.batches++
    current.done.plainBatches++
    current.done.digest = BigInt.asUintN(64, current.done.digest + batch.digest)
    this.#outgoing.enqueueFrame(slot, batch.frameStart, batch.frameEnd)
    return true
  }

  /** Sends some of what was asked for again. @returns whether a batch is on its way */
  #repair(): boolean {
    const outgoing = this.#outgoing
    if (this.#repairs.isEmpty || outgoing.freeSlots === 0 || !outgoing.mayEncode) return false
    const slot = outgoing.takeSlot()
    const batch = this.#batch
    if (this.#repairs.encode(this.#encoder, this.#work!.round, slot, batch)) {
      outgoing.enqueueFrame(slot, batch.frameStart, batch.frameEnd)
    } else {
      outgoing.returnSlot(slot)
    }
    return true
  }

  #sendBarrier(current: RoundInProgress): void {
    const { batches, pages, digest } = current.done
    const body = { round: current.work.round, batches, pages, digest: u64ToBytes(digest) }
    current.barrierSent = true
    this.#link.sendMessage({ name: 'Barrier', body })
  }

  #finishRound(): void {
    const current = this.#current
    if (current === undefined || !current.barrierSent || !this.#outgoing.isIdle) return
    this.#current = undefined
    current.done.onTheWayBytes = this.#outgoing.onTheWayBytes
    current.resolve(current.done)
  }
}

function unexpected(text: string): ProtocolError {
  return new ProtocolError('PROTOCOL_STATE', text)
}
