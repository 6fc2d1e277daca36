/**
 * A destination that installs whatever comes at once, in a time of its own: to the lane that sends
 * to it, its link is as slow as one that pages are compressed for.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { HollowChannel, openHollow } from '@godwit/link'
import { FrameType, FrameWriter, encodeMessage } from '@godwit/wire'
import type { LaneOptions } from './lane-options.ts'
import { SourceLane } from './lane.ts'

/** Half of 1 Gbit/s: what one of two lanes has. */
const linkBytesPerMs = 60_000

/** Of one lane. */
export class HollowDestination {
  readonly lane: SourceLane
  readonly #channel: HollowChannel
  readonly #writer = new FrameWriter()
  /** Of rounds that are over. */
  #sentBytes = 0
  #creditedBytes = 0

  constructor(clock: Clock, options: LaneOptions) {
    const own = new HollowClock(clock)
    this.#channel = new HollowChannel(own, (byteCount) => {
      own.goOn(byteCount / linkBytesPerMs)
      this.#credit()
    })
    this.lane = openHollow(this.#channel, own, (link) => {
      return new SourceLane(link, own, options, () => {})
    })
  }

  /** A round is over. */
  roundEnded(): void {
    this.#sentBytes += this.lane.progress.frameBytes
  }

  /** Between two rounds there is nothing to say. */
  #credit(): void {
    const bytes = this.#sentBytes + this.lane.progress.frameBytes
    if (bytes <= this.#creditedBytes) return
    this.#creditedBytes = bytes
    const body = encodeMessage({ name: 'Credit', body: { bytes } })
    this.#channel.feed(this.#writer.frame(FrameType.Credit, body))
  }
}

/** Goes on when it is told to, or when somebody waits: nobody really waits for it. */
class HollowClock implements Clock {
  readonly #clock: Clock
  #nowMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  goOn(ms: number): void {
    this.#nowMs += ms
  }

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    let isCancelled = false
    this.soon(() => {
      if (isCancelled) return
      this.goOn(delayMs)
      task()
    })
    return () => {
      isCancelled = true
    }
  }

  soon(task: () => void): void {
    this.#clock.soon(task)
  }
}
