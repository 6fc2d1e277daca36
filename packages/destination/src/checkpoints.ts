/**
 * States of the guest that go back to the source while its pages still come: should this side die,
 * the source may go on from the last one. The guest stops only while what it changed is copied.
 *
 * @module
 */
import type {
  CheckpointReport,
  Clock,
  GodwitError,
  IncomingGuest,
  PageHasher,
  Region,
} from '@godwit/core'
import {
  CheckpointLog,
  FingerprintTable,
  PageBitmap,
  PeerError,
  ProtocolError,
  pagesCovering,
} from '@godwit/core'
import type { Primitives } from '@godwit/codec'
import { Workspace, shadowMemory } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { CheckpointAck, Frame } from '@godwit/wire'
import { decodeMessage, errorCodeOf } from '@godwit/wire'
import { CheckpointSender, checkpointSenderBytes } from './checkpoint-sender.ts'

export interface CheckpointsOptions {
  readonly clock: Clock
  readonly primitives: Primitives
  readonly pageBytes: number
  readonly everyMs: number
  readonly createHasher: (workspace: Workspace) => PageHasher
  readonly onLost: (error: GodwitError | undefined) => void
}

type Trackers = NonNullable<IncomingGuest['trackers']>
type TakeCheckpoint = NonNullable<IncomingGuest['checkpoint']>

/** A checkpoint that the source has not acknowledged. */
interface Unacknowledged {
  readonly number: number
  readonly pages: number
  readonly pauseMs: number
  bytes: number
  isSent: boolean
}

/** Of one guest, by whatever connection. */
export class Checkpoints implements LinkHandler {
  readonly #options: CheckpointsOptions
  readonly #regions: readonly Region[]
  readonly #trackers: Trackers
  readonly #take: TakeCheckpoint
  /** What was copied: as much memory as the guest stores to, and never more than it has. */
  readonly #shadow: readonly Region[]
  /** Pages that the source has not acknowledged as they are in the shadow. */
  readonly #dirty: readonly PageBitmap[]
  readonly #createSender: () => CheckpointSender
  #sender: CheckpointSender | undefined
  readonly #log = new CheckpointLog()
  #link: Link | undefined
  #isRunning = false
  #isTaking = false
  #number = 0
  #beganMs = 0
  #unacknowledged: Unacknowledged | undefined
  #cancelNext: () => void = () => {}
  #giveUp = new AbortController()

  /**
   * @throws {ProtocolError} `PROTOCOL_CAPABILITY`: the guest cannot be stopped and looked at
   * @throws {LimitError} `NO_ROOM`
   */
  constructor(options: CheckpointsOptions, guest: IncomingGuest) {
    const { trackers, regions } = guest
    if (trackers === undefined || guest.checkpoint === undefined) {
      const text = 'A guest of this kind cannot have checkpoints: nobody marks its stores'
      throw new ProtocolError('PROTOCOL_CAPABILITY', text)
    }
    const { pageBytes, primitives, createHasher } = options
    this.#options = options
    this.#regions = regions
    this.#trackers = trackers
    this.#take = guest.checkpoint.bind(guest)
    this.#shadow = shadowMemory(regions)
    const pageCounts = regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))
    this.#dirty = pageCounts.map((count) => new PageBitmap(count))
    this.#createSender = () => {
      const workspace = new Workspace(primitives, checkpointSenderBytes(pageBytes))
      const hasher = createHasher(workspace)
      const pages = this.#shadow.map((region, index) => {
        const fingerprints = new FingerprintTable(pageCounts[index]!, hasher.entryBytes)
        return { sent: { region, fingerprints }, dirty: this.#dirty[index]! }
      })
      return new CheckpointSender({ pageBytes, workspace, hasher, pages })
    }
  }

  get isOpen(): boolean {
    return this.#link !== undefined
  }

  open(link: Link): LinkHandler {
    this.#link = link
    this.#sender = this.#createSender()
    this.#giveUp = new AbortController()
    this.#schedule()
    return this
  }

  /** The guest runs, and pages are still to come. */
  begin(): void {
    this.#isRunning = true
    this.#beganMs = this.#options.clock.nowMs()
    this.#schedule()
  }

  /** All pages are there. */
  end(): void {
    this.#isRunning = false
    this.#cancelNext()
    this.#giveUp.abort()
  }

  /** The connection is lost, or over: what it did not acknowledge goes by the next one. */
  close(): void {
    this.#cancelNext()
    this.#giveUp.abort()
    this.#link?.close()
    this.#link = undefined
    this.#sender = undefined
    this.#unacknowledged = undefined
  }

  get report(): CheckpointReport {
    return this.#log.report
  }

  frame(frame: Frame): void {
    const message = decodeMessage(frame.type, frame.body)
    if (message.name === 'Error') {
      throw new PeerError(errorCodeOf(message.body.code), message.body.text)
    }
    if (message.name !== 'CheckpointAck') {
      const text = `${message.name} does not come from a source on the reverse channel`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#acknowledged(message.body)
  }

  closed(error: GodwitError | undefined): void {
    this.#options.onLost(error)
  }

  #acknowledged({ number }: CheckpointAck): void {
    const one = this.#unacknowledged
    if (one?.number !== number || !one.isSent) {
      throw new ProtocolError('PROTOCOL_STATE', `Checkpoint ${number} was not sent`)
    }
    this.#unacknowledged = undefined
    for (const pages of this.#dirty) pages.clear()
    this.#log.add(one.pages, one.bytes, one.pauseMs)
    this.#schedule()
  }

  /** One at a time: the next is taken when the last one was acknowledged. */
  #schedule(): void {
    this.#cancelNext()
    const isBusy = this.#isTaking || this.#unacknowledged !== undefined
    if (!this.#isRunning || this.#link === undefined || isBusy) return
    const { clock, everyMs } = this.#options
    const waitMs = Math.max(0, this.#beganMs + everyMs - clock.nowMs())
    this.#cancelNext = clock.after(waitMs, () => void this.#takeNext())
  }

  /** Never rejects: a guest that fails tells so by itself. */
  async #takeNext(): Promise<void> {
    const { clock } = this.#options
    const link = this.#link!
    const beganMs = (this.#beganMs = clock.nowMs())
    this.#isTaking = true
    const taken = await this.#take((state) => {
      this.#copyChanged()
      this.#send(link, state, clock.nowMs() - beganMs)
    }, this.#giveUp.signal).catch(() => {
      this.#isRunning = false
    })
    this.#isTaking = false
    if (taken === true && this.#unacknowledged !== undefined) return
    this.#schedule()
  }

  /** The guest stands still. */
  #copyChanged(): void {
    const { pageBytes, primitives } = this.#options
    for (const [index, tracker] of this.#trackers.entries()) {
      const dirty = this.#dirty[index]!
      const step = tracker.collectPagesMax
      for (let page = 0; page < dirty.pageCount; page += step) tracker.collect(page, step, dirty)
      const from = this.#regions[index]!.bytes
      for (let first = dirty.nextSet(0); first < dirty.pageCount; ) {
        const end = dirty.nextClear(first)
        const start = first * pageBytes
        const stop = Math.min(end * pageBytes, from.length)
        primitives.copy(this.#shadow[index]!.bytes, start, from, start, stop)
        first = dirty.nextSet(end)
      }
    }
  }

  /** Frames leave later, while the guest goes on. */
  #send(link: Link, state: Uint8Array, pauseMs: number): void {
    const number = ++this.#number
    const pages = this.#dirty.reduce((sum, { size }) => sum + size, 0)
    const one = { number, pages, pauseMs, bytes: 0, isSent: false }
    this.#unacknowledged = one
    this.#options.clock.soon(() => {
      if (this.#unacknowledged !== one) return
      link.sendMessage({ name: 'CheckpointBegin', body: { number } })
      this.#sender!.send(link, number, ({ batches, digest, bytes }) => {
        if (this.#unacknowledged !== one) return
        one.bytes = bytes
        one.isSent = true
        const body = { number, batches, pages, digest, pauseMs, package: state }
        link.sendMessage({ name: 'CheckpointEnd', body })
      })
    })
  }
}
