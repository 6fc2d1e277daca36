/**
 * One direction of a link that is shaped without the kernel: pieces leave in the order in which
 * they came, each when a token bucket has paid for those before it.
 *
 * @module
 */
import { TokenBucket } from '@godwit/policy'

/** Of the bucket of `tc ... tbf`, with which this is compared. */
export const BURST_BYTES: number = 256 * 1024
/** Timers of a process are late by milliseconds; what they miss has to be caught up with. */
const burstMsMin = 4
/** A frame with its headers per payload: what `tbf` counts, as a full one of 1514 bytes has it. */
const wireShare = 1514 / 1448

interface Piece {
  readonly bytes: number
  readonly deliver: () => void
}

/** What a lane needs of time; handed in, so that tests need none. */
export interface LaneClock {
  nowMs(): number
  after(ms: number, then: () => void): void
}

export const laneClock: LaneClock = {
  nowMs: () => performance.now(),
  after: (ms, then) => void setTimeout(then, ms),
}

export class ShapedLane {
  readonly #clock: LaneClock
  readonly #queue: Piece[] = []
  #bucket: TokenBucket
  #isWaiting = false

  /** @param bytesPerSecond - headers included */
  constructor(bytesPerSecond: number, clock: LaneClock = laneClock) {
    this.#clock = clock
    this.#bucket = bucketOf(bytesPerSecond)
  }

  set rate(bytesPerSecond: number) {
    this.#bucket = bucketOf(bytesPerSecond)
  }

  /** @param deliver - called when it is the piece's turn, perhaps at once */
  send(bytes: number, deliver: () => void): void {
    this.#queue.push({ bytes, deliver })
    if (!this.#isWaiting) this.#drain()
  }

  #drain(): void {
    this.#isWaiting = false
    while (this.#queue.length > 0) {
      const waitMs = this.#bucket.waitMs(this.#clock.nowMs())
      if (waitMs > 0) {
        this.#isWaiting = true
        this.#clock.after(waitMs, () => this.#drain())
        return
      }
      const { bytes, deliver } = this.#queue.shift()!
      this.#bucket.spend(bytes * wireShare, this.#clock.nowMs())
      deliver()
    }
  }
}

function bucketOf(bytesPerSecond: number): TokenBucket {
  return new TokenBucket(bytesPerSecond, Math.max(burstMsMin, (1e3 * BURST_BYTES) / bytesPerSecond))
}
