/**
 * How fast the link takes bytes, from what the destination says it has installed. What a socket
 * takes says little: the kernel's buffers swallow megabytes at once. Pure: times are parameters.
 *
 * @module
 */

/** So much on its way means that the link, not the encoder, is what is waited for. */
const backlogBytes = 256 * 1024
/** What a measurement spans: receivers install in bursts. */
const windowMs = 100
/** The first ones, so that something is known soon. */
const firstWindowMs = 3
/** So long without a word is a measurement, too, of a slow link. */
const silenceMs = 8

/** What was known at one time. */
interface Mark {
  readonly ms: number
  readonly bytes: number
}

/** Of one data channel. */
export class LinkMeter {
  #rate: number | undefined
  #sentBytes = 0
  #installedBytes = 0
  /** When the last word came, or the first byte was sent. */
  #heardMs = 0
  /** Since when there has been a backlog, word by word: at most a window and one more. */
  #marks: Mark[] = []

  /** Bytes were handed to the socket. */
  sent(bytes: number, nowMs: number): void {
    if (this.#sentBytes === this.#installedBytes) {
      this.#heardMs = nowMs
      this.#marks = [{ ms: nowMs, bytes: this.#installedBytes }]
    }
    this.#sentBytes += bytes
  }

  /** The destination has installed so many bytes since the channel began. */
  installed(bytes: number, nowMs: number): void {
    const isBacklogged = this.#sentBytes - bytes >= backlogBytes
    this.#installedBytes = bytes
    this.#heardMs = nowMs
    this.#marks.push({ ms: nowMs, bytes })
    while (this.#marks.length > 2 && nowMs - this.#marks[1]!.ms >= windowMs) this.#marks.shift()
    const first = this.#marks[0]!
    const ms = nowMs - first.ms
    const rate = (bytes - first.bytes) / ms
    if (ms >= (this.#rate === undefined ? firstWindowMs : windowMs)) {
      // Without a backlog the link is only known to be no slower than this.
      if (isBacklogged || rate > (this.#rate ?? 0)) this.#rate = rate
    }
    if (!isBacklogged && this.#rate !== undefined) this.#marks = [{ ms: nowMs, bytes }]
  }

  /** Bytes on their way, as far as is known. */
  get outstandingBytes(): number {
    return this.#sentBytes - this.#installedBytes
  }

  /** How long the link has something to do, if nothing more is sent. */
  backlogMs(nowMs: number): number {
    const rate = this.bytesPerMs(nowMs)
    if (rate === undefined) return 0
    return Math.max(0, this.outstandingBytes / rate - (nowMs - this.#heardMs))
  }

  /** Bytes per millisecond; undefined while nothing is known. */
  bytesPerMs(nowMs: number): number | undefined {
    if (this.#rate !== undefined) return this.#rate
    const ms = nowMs - this.#heardMs
    return ms < silenceMs || this.outstandingBytes === 0 ? undefined : this.outstandingBytes / ms
  }
}
