/**
 * The urgent channel at the source: pages that the guest waits for at the destination leave here,
 * beside those that are pushed. Each page is sent once, by whoever takes it first.
 *
 * @module
 */
import type { GodwitError, PageHasher } from '@godwit/core'
import { CodecError, PageBitmap, PeerError, ProtocolError } from '@godwit/core'
import type { Primitives, SentPages } from '@godwit/codec'
import { BatchEncoder, BatchSlot, Workspace, batchSlotBytes, emptyBatch } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { Pivot } from '@godwit/policy'
import type { Frame, PageRequest } from '@godwit/wire'
import { FrameType, decodeMessage, errorCodeOf, u64ToBytes } from '@godwit/wire'
import type { LaneRound, PushWork } from './round-work.ts'
import { emptyRound } from './round-work.ts'

/** Pages on their way to the socket at once; others wait. */
const slotCount = 32
/** A slot has room for a page and for the one that ends a region. */
const slotPages = 2

/** What the urgent channel is made with. */
export interface UrgentOptions {
  readonly pageBytes: number
  readonly primitives: Primitives
  readonly createHasher: (workspace: Workspace) => PageHasher
  readonly sent: readonly SentPages[]
  readonly onLost: (error: GodwitError | undefined) => void
  /** On a thread of its own: has it hear now what it was told already. */
  readonly hearPosted?: () => void
}

/** The urgent channel as its migration sees it, whatever thread it is on. */
export interface UrgentChannel {
  /** A round before post-copy has nothing for this channel. */
  skip(round: number): void
  /** From here on pages may be asked for. */
  begin(round: number, known: boolean, push: PushWork): void
  /**
   * All pages of the round are taken.
   *
   * @param done - called when those that were taken here left, and the barrier, or when the channel
   *   is closed; with what was sent here
   */
  end(done: (round: LaneRound) => void): void
  close(): void
}

/** The source's end of one urgent channel. */
export class Urgent implements LinkHandler, UrgentChannel {
  readonly #link: Link
  readonly #options: UrgentOptions
  readonly #encoder: BatchEncoder
  readonly #freeSlots: BatchSlot[]
  readonly #one: readonly PageBitmap[]
  readonly #batch = emptyBatch()
  /** Taken, and waiting for a slot. */
  readonly #waiting: Pivot[] = []
  #push: PushWork | undefined
  #round = 0
  #done: LaneRound = emptyRound()
  #known = false
  /** Waits for what was taken here to leave. */
  #tellEnded: ((done: LaneRound) => void) | undefined
  #isClosed = false

  constructor(link: Link, options: UrgentOptions) {
    const { pageBytes, primitives, createHasher, sent } = options
    const slotBytes = batchSlotBytes(pageBytes, slotPages)
    const workspace = new Workspace(primitives, slotCount * slotBytes)
    const hasher = createHasher(workspace)
    this.#link = link
    this.#options = options
    this.#encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
    this.#freeSlots = Array.from({ length: slotCount }, () => {
      return new BatchSlot(workspace, pageBytes, slotPages)
    })
    this.#one = sent.map(({ fingerprints }) => new PageBitmap(fingerprints.entryCount))
  }

  skip(round: number): void {
    this.#round = round
    this.#done = emptyRound()
    this.#sendBarrier()
  }

  begin(round: number, known: boolean, push: PushWork): void {
    this.#round = round
    this.#known = known
    this.#done = emptyRound()
    this.#push = push
  }

  end(done: (round: LaneRound) => void): void {
    this.#push = { ...this.#push!, left: [] }
    this.#tellEnded = done
    if (this.#isClosed) this.#ended()
    else this.#sendWaiting()
  }

  frame(frame: Frame): void {
    const message = decodeMessage(frame.type, frame.body)
    switch (message.name) {
      case 'Error':
        throw new PeerError(errorCodeOf(message.body.code), message.body.text)
      case 'PageRequest':
        this.#ask(message.body)
        break
      case 'Credit':
        // What goes here is bounded by what is asked for.
        break
      default:
        throw new ProtocolError(
          'PROTOCOL_STATE',
          `${message.name} does not come from a destination on the urgent channel`,
        )
    }
  }

  closed(error: GodwitError | undefined): void {
    this.#isClosed = true
    this.#options.onLost(error)
    this.#ended()
  }

  close(): void {
    this.#isClosed = true
    this.#link.close()
    this.#ended()
  }

  #ended(): void {
    this.#tellEnded?.(this.#done)
    this.#tellEnded = undefined
  }

  #ask({ region: id, page }: PageRequest): void {
    // Who released the guest said so before it could ask.
    if (this.#push === undefined) this.#options.hearPosted?.()
    const push = this.#push
    const region = this.#options.sent.findIndex((one) => one.region.id === id)
    if (region < 0 || page >= this.#options.sent[region]!.fingerprints.entryCount) {
      throw new CodecError('CODEC_PAGE_RANGE', `Page ${page} of region ${id} is asked for`)
    }
    if (push === undefined) {
      throw new ProtocolError('PROTOCOL_STATE', 'A page is asked for before the guest was released')
    }
    const pivot = { region, page }
    push.board.add(pivot)
    // Else it was sent, or is about to be.
    if (push.left[region]?.claim(page) !== true) return
    this.#waiting.push(pivot)
    this.#sendWaiting()
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#freeSlots.length > 0) {
      this.#send(this.#waiting.shift()!, this.#freeSlots.pop()!)
    }
    if (this.#tellEnded === undefined || this.#waiting.length > 0) return
    this.#sendBarrier()
    this.#ended()
  }

  #send({ region, page }: Pivot, slot: BatchSlot): void {
    const dirty = this.#one[region]!
    const done = this.#done
    const batch = this.#batch
    const [round, sent, known] = [this.#round, this.#options.sent[region]!, this.#known]
    dirty.add(page)
    const work = { round, sent, dirty, known, postCopy: true }
    this.#encoder.encode(work, page, page + 1, slot, batch, 1)
    dirty.delete(page)
    const { frameStart, frameEnd } = batch
    done.batches++
    done.pages++
    done.rawPages += batch.rawPages
    done.zeroPages += batch.zeroPages
    done.zeroBytes += batch.zeroBytes
    done.payloadBytes += batch.payloadBytes
    done.frameBytes += frameEnd - frameStart
    done.digest = BigInt.asUintN(64, done.digest + batch.digest)
    this.#link.sendInPlace(FrameType.Pages, slot.bytes, frameStart, frameEnd, () => {
      this.#freeSlots.push(slot)
      this.#sendWaiting()
    })
  }

  #sendBarrier(): void {
    const { batches, pages, digest } = this.#done
    const body = { round: this.#round, batches, pages, digest: u64ToBytes(digest) }
    this.#link.sendMessage({ name: 'Barrier', body })
  }
}
