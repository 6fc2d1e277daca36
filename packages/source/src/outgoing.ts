/**
 * Batches on their way from the encoders to the socket: compressed on the way where that pays, in
 * order, as far as the destination's credit and the cap on bandwidth allow.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { BatchSlot, ClosedBatch, Compressor } from '@godwit/codec'
import { PageClass, sealBatch } from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { CompressionPolicy, ContentKind, TokenBucket } from '@godwit/policy'
import { LinkMeter } from '@godwit/policy'
import type { BatchCompression } from '@godwit/wire'
import { FrameType } from '@godwit/wire'
import type { LevelCounts } from './encoding-state.ts'

/** Compression that saves less is not worth what undoing it costs. */
const savedShareMin = 0.03
/** So little on its way, and no more is to be made ready than can go at once. */
const shortWindowBytes: number = 2 * MIB
/** How often it is looked whether the speed of the link is known now. */
const lookMs = 2
/** Windows of zstd for columns: as long as one of them, so that each has its own statistics. */
const columnWindowLogMin = 12
const columnWindowLogMax = 17

/** A frame that stands ready, or will when its batch was compressed. */
interface QueuedFrame {
  readonly slot: BatchSlot
  /** Undefined: it stands in the slot already. */
  readonly batch: ClosedBatch | undefined
  frameStart: number
  frameEnd: number
}

/** A compressor and when to use it. */
export interface Compression {
  readonly compressor: Compressor
  readonly code: BatchCompression
  readonly policy: CompressionPolicy
}

export interface OutgoingOptions {
  readonly slots: readonly BatchSlot[]
  readonly compression: Compression | undefined
  /** Whether nothing is encoded while the link is tried; elsewhere its speed is presumed then. */
  readonly awaitsLink: boolean
  /** Most bytes of page frames that the destination has not installed. */
  readonly creditBytes: number
  /** No frame is longer. */
  readonly frameBytesMax: number
  readonly pacer: TokenBucket
  /** To the destination and back, at most. */
  readonly roundTripMs: number
  /** The destination is on this machine, or somebody who passes on what comes. */
  readonly isLoopback: boolean
}

/** What the lane is told. */
export interface OutgoingOwner {
  /** A slot is free again, or the head of the queue may be sent: time to go on. */
  goOn(): void
  /** A batch was compressed: so many raw pages are compressed ones, and so much was saved. */
  compressed(batch: ClosedBatch): void
  /** A batch is sent. */
  sent(frameBytes: number): void
}

/** The queue of one data channel. */
export class Outgoing {
  readonly meter: LinkMeter
  /** Batches by the level they were compressed with; 0 for none. */
  readonly levels: LevelCounts = {}
  /** Batches of pages that nothing can make smaller. */
  randomBatches = 0
  readonly #link: Link
  readonly #clock: Clock
  readonly #options: OutgoingOptions
  readonly #owner: OutgoingOwner
  readonly #freeSlots: BatchSlot[]
  readonly #queue: QueuedFrame[] = []
  #jobs = 0
  #isGoingOn = false
  /** Bytes of page frames since the channel began: sent, and installed as far as is known. */
  #sentBytes = 0
  #installedBytes = 0
  /** The queue goes on when the cap allows it; this gives it up. */
  #cancelWait: (() => void) | undefined
  #cancelLook: (() => void) | undefined
  #isClosed = false
  /** Fewer bytes than credit allows may be on their way. */
  windowBytes: number = Infinity

  constructor(link: Link, clock: Clock, options: OutgoingOptions, owner: OutgoingOwner) {
    this.#link = link
    this.#clock = clock
    this.#options = options
    this.#owner = owner
    this.#freeSlots = [...options.slots]
    this.meter = new LinkMeter(options.roundTripMs, options.isLoopback)
  }

  get freeSlots(): number {
    return this.#freeSlots.length
  }

  /** Whether everything was handed to the socket, and taken. */
  get isIdle(): boolean {
    return this.#freeSlots.length === this.#options.slots.length
  }

  /** Whether something waits to be compressed or sent. */
  get isWaiting(): boolean {
    return this.#queue.length > 0
  }

  /** Whether other work is to get its turn before there is more to do. */
  get isGoingOn(): boolean {
    return this.#isGoingOn
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  /** As far as is known. */
  get installedBytes(): number {
    return this.#installedBytes
  }

  /** Sent, and not installed as far as is known. */
  get onTheWayBytes(): number {
    return this.#sentBytes - this.#installedBytes
  }

  /** Slots that are being filled or sent. */
  get usedSlots(): number {
    return this.#options.slots.length - this.#freeSlots.length
  }

  get isWindowShort(): boolean {
    return this.windowBytes < shortWindowBytes
  }

  takeSlot(): BatchSlot {
    return this.#freeSlots.pop()!
  }

  returnSlot(slot: BatchSlot): void {
    this.#freeSlots.push(slot)
  }

  /** A batch whose header is still to be written. */
  enqueue(batch: ClosedBatch): void {
    this.#queue.push({ slot: batch.slot, batch, frameStart: 0, frameEnd: 0 })
  }

  /** A frame that stands in its slot, but for the frame header. */
  enqueueFrame(slot: BatchSlot, frameStart: number, frameEnd: number): void {
    this.#queue.push({ slot, batch: undefined, frameStart, frameEnd })
  }

  /** The destination has installed so much since the channel began. */
  credit(bytes: number): boolean {
    if (bytes > this.#sentBytes || bytes < this.#installedBytes) return false
    this.#installedBytes = bytes
    this.meter.installed(bytes, this.#clock.nowMs())
    return true
  }

  close(): void {
    this.#isClosed = true
    this.stopWaiting()
    this.#cancelLook?.()
  }

  stopWaiting(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
  }

  /** Whether something new is to be encoded now rather than later: nothing is in front of it. */
  get mayEncode(): boolean {
    return this.#hasCredit && !this.#waits && !this.#awaitsLink
  }

  /** Starts what can be compressed and sends what can be sent. */
  pump(): void {
    this.#startJobs()
    for (;;) {
      const head = this.#queue[0]
      if (head === undefined || !this.#isReady(head)) return
      if (!this.#hasCredit || this.#waits) return
      this.#queue.shift()
      this.#send(head)
    }
  }

  #isReady({ batch }: QueuedFrame): boolean {
    return batch === undefined || batch.state === 'ready'
  }

  get #hasCredit(): boolean {
    const { onTheWayBytes } = this
    if (onTheWayBytes >= this.windowBytes) return false
    return onTheWayBytes + this.#options.frameBytesMax <= this.#options.creditBytes
  }

  /** Whether the cap on bandwidth says to wait; then it goes on by itself. */
  get #waits(): boolean {
    if (this.#cancelWait !== undefined) return true
    const waitMs = this.#options.pacer.waitMs(this.#clock.nowMs())
    if (waitMs === 0) return false
    this.#cancelWait = this.#clock.after(waitMs, () => {
      this.#cancelWait = undefined
      this.#owner.goOn()
    })
    return true
  }

  /** Whether it is still to be found out how fast the link is; then it goes on by itself. */
  get #awaitsLink(): boolean {
    if (!this.#options.awaitsLink || !this.meter.isTrying(this.#clock.nowMs())) return false
    this.#cancelLook ??= this.#clock.after(lookMs, () => {
      this.#cancelLook = undefined
      this.#owner.goOn()
    })
    return true
  }

  #startJobs(): void {
    const { compression } = this.#options
    const parallel = Math.max(1, compression?.compressor.parallel ?? 1)
    compression?.policy.at(this.#clock.nowMs())
    for (const { batch } of this.#queue) {
      if (batch === undefined || batch.state !== 'open') continue
      const level = this.#levelOf(batch)
      if (level === 0) {
        batch.state = 'ready'
        if (batch.class === PageClass.Random) this.randomBatches++
        else if (batch.class !== PageClass.Static) this.#countLevel(0)
        continue
      }
      // One at a time on this thread: others get their turn, and the socket its bytes.
      if (this.#jobs >= parallel || this.#isGoingOn) return
      this.#countLevel(level)
      this.#compress(batch, level, compression!)
      if (compression!.compressor.parallel === 0) this.#goOnSoon()
    }
  }

  #levelOf(batch: ClosedBatch): number {
    const { compression } = this.#options
    if (compression === undefined || batch.class === PageClass.Random) return 0
    if (batch.class === PageClass.Static) return 0
    // Nothing but pages that are zero.
    if (batch.decodedBytes === 0) return 0
    const { backlogMs, onTheWayMs } = this.meter
    return compression.policy.level(kindOf(batch), batch.decodedBytes, backlogMs, onTheWayMs)
  }

  #countLevel(level: number): void {
    this.levels[level] = (this.levels[level] ?? 0) + 1
  }

  #goOnSoon(): void {
    if (this.#isGoingOn) return
    this.#isGoingOn = true
    this.#clock.soon(() => {
      this.#isGoingOn = false
      this.#owner.goOn()
    })
  }

  #compress(batch: ClosedBatch, level: number, compression: Compression): void {
    const { compressor, policy, code } = compression
    const { slot, decodedBytes } = batch
    const input = slot.bytes.subarray(slot.payloadStart, slot.payloadStart + decodedBytes)
    const beginMs = this.#clock.nowMs()
    let isLater = false
    batch.state = 'compressing'
    this.#jobs++
    compressor.compress(input, { level, windowLog: windowLogOf(batch) }, (output) => {
      this.#jobs--
      const nowMs = this.#clock.nowMs()
      const outBytes = output.length
      policy.compressed(kindOf(batch), level, decodedBytes, outBytes, nowMs - beginMs, nowMs)
      if (outBytes <= decodedBytes * (1 - savedShareMin)) {
        slot.bytes.set(output, slot.payloadStart)
        batch.payloadBytes = outBytes
        batch.compression = code
        this.#owner.compressed(batch)
      }
      batch.state = 'ready'
      // Whoever called goes on by itself where it was over at once.
      if (isLater && !this.#isClosed) this.#owner.goOn()
    })
    isLater = true
  }

  /** A destination that gives no credit: what the socket has taken must do. */
  #installAsTaken(byteCount: number): void {
    this.#installedBytes += byteCount
    this.meter.installed(this.#installedBytes, this.#clock.nowMs())
  }

  #send(frame: QueuedFrame): void {
    if (this.#isClosed) return
    const { slot, batch } = frame
    if (batch !== undefined) Object.assign(frame, sealBatch(batch))
    const { frameStart, frameEnd } = frame
    const byteCount = frameEnd - frameStart
    this.#sentBytes += byteCount
    this.#options.pacer.spend(byteCount, this.#clock.nowMs())
    this.meter.sent(byteCount, this.#clock.nowMs())
    this.#owner.sent(byteCount)
    this.#link.sendInPlace(FrameType.Pages, slot.bytes, frameStart, frameEnd, () => {
      this.meter.taken(byteCount, this.#clock.nowMs())
      if (this.#options.creditBytes === Infinity) this.#installAsTaken(byteCount)
      this.#freeSlots.push(slot)
      this.#owner.goOn()
    })
  }
}

function kindOf(batch: ClosedBatch): ContentKind {
  return batch.class === PageClass.Records ? 'records' : 'plain'
}

function windowLogOf({ decodedBytes, stride }: ClosedBatch): number {
  if (stride === 0) return 0
  const log = Math.round(Math.log2(Math.max(1, decodedBytes >> stride)))
  return Math.min(columnWindowLogMax, Math.max(columnWindowLogMin, log))
}
