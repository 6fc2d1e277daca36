/**
 * One direction of a link that is shaped without the kernel, as `tc ... tbf` shapes one with it:
 * pieces leave in the order in which they came, each when a token bucket has paid for those before
 * it, and only so many wait.
 *
 * @module
 */
import { TokenBucket } from '@godwit/policy'

/** Bucket and queue are those of `namespaces.ts`. */
export const BURST_BYTES: number = 256 * 1024
const latencyMs = 20
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
  #bytesPerSecond: number
  #bucket: TokenBucket
  #waitingBytes = 0
  #isWaiting = false
  #whenRoom: (() => void)[] = []

  /** @param bytesPerSecond - headers included */
  constructor(bytesPerSecond: number, clock: LaneClock = laneClock) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#bucket = bucketOf(bytesPerSecond)
  }

  set rate(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
    this.#bucket = bucketOf(bytesPerSecond)
  }

  /** Whether more may be sent; a queue that is full takes pieces nevertheless. */
  get hasRoom(): boolean {
    return this.#waitingBytes < BURST_BYTES + (this.#bytesPerSecond * latencyMs) / 1e3
  }

  /** @param then - called once, when there is room again */
  whenRoom(then: () => void): void {
    this.#whenRoom.push(then)
  }

  /** @param deliver - called when it is the piece's turn, perhaps at once */
  send(bytes: number, deliver: () => void): void {
    this.#queue.push({ bytes, deliver })
    this.#waitingBytes += bytes
    if (!this.#isWaiting) this.#drain(this.#clock.nowMs())
  }

  /** @param dueMs - when the next piece was due: while pieces wait, a late timer costs no time */
  #drain(dueMs: number): void {
    this.#isWaiting = false
    for (let atMs = dueMs; this.#queue.length > 0; ) {
      const nextMs = atMs + this.#bucket.waitMs(atMs)
      const leftMs = nextMs - this.#clock.nowMs()
      if (leftMs > 0) {
        this.#isWaiting = true
        this.#clock.after(leftMs, () => this.#drain(nextMs))
        break
      }
      atMs = nextMs
      const { bytes, deliver } = this.#queue.shift()!
      this.#waitingBytes -= bytes
      this.#bucket.spend(bytes * wireShare, atMs)
      deliver()
    }
    if (this.hasRoom) for (const then of this.#whenRoom.splice(0)) then()
  }
}

function bucketOf(bytesPerSecond: number): TokenBucket {
  return new TokenBucket(bytesPerSecond, (1e3 * BURST_BYTES) / bytesPerSecond)
}
