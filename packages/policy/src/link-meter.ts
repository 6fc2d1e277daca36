/**
 * How fast the link takes bytes, from what the destination says it has installed. What a socket
 * takes says little of that: the kernel's buffers swallow megabytes at once. But while they are
 * full, the link is what is waited for. Pure: times are parameters.
 *
 * @module
 */

/** What a measurement spans: receivers install in bursts. */
const windowMs = 100
/** The first ones: they span so much time, or so many bytes of a fast link. */
const firstWindowMs = 25
const firstWindowBytes = 1 << 20
/**
 * No slow link seems as fast as this, while a fast one may seem slow because code is cold: how fast
 * it is, only a whole window tells.
 */
const fastBytesPerMs = 600e3
/**
 * Within one machine it is the processors that are waited for, which compression would take as
 * well. Somebody who passes the bytes on to another machine is not so fast.
 */
const tunnelBytesPerMs = 100e3
/**
 * A slow link's bytes may be heard of in a burst, where somebody had no processor for a while, but
 * not sooner after they were handed to the socket than it can carry them: more than 1 Gbit/s.
 */
const slowBytesPerMs = 150e3
/** So long without a word is a measurement, too, of a slow link. */
const silenceMs = 25
/** So long without waiting for the link, it may be faster than is known. */
const idleMs = 10
/**
 * How long a measurement is believed although the link is not waited for any more: a first one,
 * four times as long each time it was tried again; one that is steady or over a whole window; and
 * one that says what the one before it said. To try costs pages that are not compressed.
 */
const trustMs = { first: 15, measured: 1000, confirmed: 4000, most: 16_000 }
/** Two measurements say the same: code that was cold is much faster when it is warm. */
const sameFactor = 3
/**
 * A link that is shaped, or as slow as its wire, takes each piece in the same time; whoever is slow
 * because code is cold, or shares a core, does not. The first pieces may find a bucket full. No
 * word comes earlier or later than that by more than a share of what a piece takes.
 */
const steady = { pieces: 4, share: 0.35 } as const
/** What is sent, before the speed is known, to find out. */
const trialBytes: number = 1 << 21
/** 1 Gbit/s: nobody who sends more than this knows how fast his link is, but by a measurement. */
const usualBytesPerMs = 120e3
/** So much on its way, beyond what a round trip has room for, means waiting for the link, too. */
const backlogBytes: number = 512 * 1024
/** A socket that takes longer has no room. */
const waitMs = 2
/** A link that had nothing to do for less than this has not been idle. */
const gapMs = 1
/** No measurement is exact to the microsecond. */
const leastMs = 0.2

/** What was known at one time. */
interface Mark {
  readonly ms: number
  readonly bytes: number
}

/** Of one data channel. */
export class LinkMeter {
  #rate: number | undefined
  /** Whether the link may be much faster than that: it only was so fast for a moment. */
  #isAtLeast = false
  #sentBytes = 0
  /** When bytes were handed to the socket that a measurement may be of, and what was before. */
  readonly #sends: Mark[] = []
  #takenBytes = 0
  #installedBytes = 0
  /** When the last word came, or the first byte was sent. */
  #heardMs = -Infinity
  /** Since when the link was waited for, word by word: at most a window and one more. */
  #marks: Mark[] = []
  /** Of what was sent before this the next measurement must not tell. */
  #measuredFromBytes = 0
  /** When the link was last waited for. */
  #busyAtMs = 0
  /** Since when there is something that the socket has not taken. */
  #waitingSinceMs = 0
  /** Until when the rate is believed, and how long the next one is. */
  #trustedUntilMs = 0
  #trustMs: number = trustMs.first
  /** The rate that is not believed any more, until there is another. */
  #doubted = 0
  readonly #roundTripMs: number
  readonly #isLoopback: boolean

  /**
   * @param roundTripMs - at most; what is on its way for so long waits for nothing
   * @param isLoopback - the other end is on this machine, or somebody who passes on what comes
   */
  constructor(roundTripMs: number, isLoopback = false) {
    this.#roundTripMs = roundTripMs
    this.#isLoopback = isLoopback
  }

  /** Bytes were handed to the socket. */
  sent(bytes: number, nowMs: number): void {
    const isIdle = this.#sentBytes === this.#installedBytes
    if (isIdle && nowMs - this.#heardMs >= gapMs) {
      this.#heardMs = nowMs
      this.#marks = []
    }
    if (this.#takenBytes === this.#sentBytes) this.#waitingSinceMs = nowMs
    this.#sends.push({ ms: nowMs, bytes: this.#sentBytes })
    this.#sentBytes += bytes
  }

  /** The socket has taken bytes that were handed to it. */
  taken(bytes: number, nowMs: number): void {
    this.#takenBytes += bytes
    // What took long was waited for until now; what the kernel's buffers had room for was not.
    if (nowMs - this.#waitingSinceMs >= waitMs) this.#busyAtMs = nowMs
    this.#waitingSinceMs = nowMs
  }

  /** The destination has installed so many bytes since the channel began. */
  installed(bytes: number, nowMs: number): void {
    this.#installedBytes = bytes
    this.#heardMs = nowMs
    if (bytes < this.#measuredFromBytes) return
    this.#marks.push({ ms: nowMs, bytes })
    while (this.#marks.length > 2 && nowMs - this.#marks[1]!.ms >= windowMs) this.#marks.shift()
    const first = this.#marks[0]!
    while (this.#sends.length > 1 && this.#sends[1]!.bytes <= first.bytes) this.#sends.shift()
    const ms = nowMs - first.ms
    const rate = (bytes - first.bytes) / Math.max(leastMs, ms)
    if (this.#rate === undefined) {
      this.#isAtLeast = this.#seemsFast(bytes, nowMs)
      if (this.#isAtLeast) this.#learn(Math.max(fastBytesPerMs, rate), ms, nowMs)
      else if (rate > 0 && ms >= firstWindowMs) this.#learn(rate, ms, nowMs)
    } else if (ms >= windowMs) {
      // While it is not waited for, the link is only known to be no slower than this.
      if (this.#isWaitedFor) this.#isAtLeast = false
      if (this.#isWaitedFor || rate > this.#rate) this.#learn(rate, ms, nowMs)
    }
    if (!this.#isWaitedFor && this.#rate !== undefined) this.#marks = [{ ms: nowMs, bytes }]
  }

  /** Whether enough is on its way to find out how fast the link is, which is not known yet. */
  isTrying(nowMs: number): boolean {
    const fromBytes = Math.max(this.#installedBytes, this.#measuredFromBytes)
    const isOnItsWay = this.#sentBytes - fromBytes >= trialBytes
    return isOnItsWay && this.bytesPerMs(nowMs) === undefined
  }

  /** How long the link has something to do with what the socket has not taken yet. */
  get backlogMs(): number {
    return this.#rate === undefined ? 0 : (this.#sentBytes - this.#takenBytes) / this.#rate
  }

  /** How long the link has something to do with all that was sent and is not installed. */
  get onTheWayMs(): number {
    return this.#rate === undefined ? 0 : (this.#sentBytes - this.#installedBytes) / this.#rate
  }

  /**
   * Bytes per millisecond that are likely, where nothing is known and enough was sent to find out:
   * what the link took before a doubt, or a usual one takes. Not within one machine.
   */
  get presumedBytesPerMs(): number | undefined {
    const isTried = this.#sentBytes - this.#measuredFromBytes >= trialBytes
    if (this.#rate !== undefined || !isTried || this.#isLoopback) return undefined
    return this.#doubted > 0 ? this.#doubted : usualBytesPerMs
  }

  /** Whether the link is fast, and how fast is still to be measured. */
  get isAtLeast(): boolean {
    if (this.#rate === undefined) return false
    return this.#isAtLeast || (this.#isLoopback && this.#rate >= tunnelBytesPerMs)
  }

  /** Bytes per millisecond; undefined while nothing is known. */
  bytesPerMs(nowMs: number): number | undefined {
    if (this.#rate !== undefined) return this.#rate
    const ms = nowMs - this.#heardMs
    const outstandingBytes = this.#sentBytes - this.#installedBytes
    return ms < silenceMs || outstandingBytes === 0 ? undefined : outstandingBytes / ms
  }

  /** Forgets what is known when the link was not waited for for a while: it may be faster. */
  doubt(nowMs: number): void {
    if (this.#rate === undefined || this.#isAtLeast) return
    if (this.#isWaitedFor) this.#busyAtMs = nowMs
    if (nowMs - this.#busyAtMs < idleMs || nowMs < this.#trustedUntilMs) return
    this.#doubted = this.#rate
    this.#rate = undefined
    this.#marks = []
    this.#measuredFromBytes = this.#sentBytes
    this.#heardMs = nowMs
    // If it is found to be as slow as before, that is believed for longer.
    this.#trustMs = Math.min(trustMs.most, this.#trustMs * 4)
  }

  /** Whether the link was fast for a moment, between any two words so far. */
  #seemsFast(bytes: number, nowMs: number): boolean {
    const isBurst = this.#marks.some((mark) => {
      const ms = Math.max(leastMs, nowMs - mark.ms)
      return bytes - mark.bytes >= Math.max(firstWindowBytes, ms * fastBytesPerMs)
    })
    return (
      isBurst &&
      this.#sends.some((one) => {
        return bytes - one.bytes >= Math.max(firstWindowBytes, (nowMs - one.ms) * slowBytesPerMs)
      })
    )
  }

  /** Whether the last pieces took about the same time each. */
  get #isSteady(): boolean {
    const marks = this.#marks.slice(-1 - steady.pieces)
    const [first, last] = [marks[0]!, marks.at(-1)!]
    const [ms, bytes] = [last.ms - first.ms, last.bytes - first.bytes]
    const leewayMs = (ms / steady.pieces) * steady.share
    // The first of all is none of them.
    if (marks.length <= steady.pieces || first === this.#marks[0]) return false
    return marks.every((mark) => {
      const dueMs = first.ms + (ms * (mark.bytes - first.bytes)) / bytes
      return Math.abs(mark.ms - dueMs) <= leewayMs
    })
  }

  get #isWaitedFor(): boolean {
    if (this.#takenBytes < this.#sentBytes) return true
    if (this.#rate === undefined) return false
    const inFlightBytes = this.#rate * this.#roundTripMs
    return this.#sentBytes - this.#installedBytes >= backlogBytes + inFlightBytes
  }

  #learn(rate: number, ms: number, nowMs: number): void {
    // While it is being found out, raw pages wait for the link, and nothing else sets the pace.
    const isSteady = this.#rate === undefined && this.#isSteady
    const isConfirmed = this.#rate === undefined && isSame(rate, this.#doubted)
    this.#rate = rate
    const isSure = isSteady || (ms >= windowMs && this.#isWaitedFor)
    this.#busyAtMs = nowMs
    const surelyMs = isConfirmed ? trustMs.confirmed : isSure ? trustMs.measured : 0
    const untilMs = nowMs + Math.max(surelyMs, this.#trustMs)
    this.#trustedUntilMs = Math.max(this.#trustedUntilMs, untilMs)
  }
}

function isSame(rate: number, other: number): boolean {
  return rate <= other * sameFactor && other <= rate * sameFactor
}
