/**
 * A guest's own time, which stands still while the guest is throttled: what takes a share of its
 * time away. Pure: the wall clock is a parameter.
 *
 * @module
 */

/** A throttled guest runs and stands still in turns of so long together. */
const turnMs = 10
/** No clock is more exact. */
const leastMs = 1e-6

/** Of one thread, from when it starts to run until it is parked. */
export class GuestTime {
  /** Wall-clock time but for what was taken. */
  nowMs = 0
  /** For how much longer the guest may run before something is taken again. */
  leftMs: number = Infinity
  #share = 0
  /** When {@link nowMs} was brought up to date. */
  #wallMs: number
  /** When the guest goes on, while it stands still. */
  #untilMs: number | undefined
  /** It stood still for so much longer than it should have: the next time it does for less. */
  #excessMs = 0

  /** @param wallMs - of any steady clock */
  constructor(wallMs: number) {
    this.#wallMs = wallMs
  }

  /**
   * Brings {@link nowMs} up to date.
   *
   * @param share - of its time that the guest loses, 0 to below 1
   * @returns for how long it must stand still from now on; 0 while it may run
   */
  take(wallMs: number, share: number): number {
    if (this.#untilMs === undefined) {
      const lateMs = this.#run(wallMs)
      if (share !== this.#share) this.#change(share)
      return this.leftMs > leastMs ? 0 : this.#standStill(wallMs, lateMs)
    }
    if (share === this.#share && wallMs < this.#untilMs) return this.#untilMs - wallMs
    this.#excessMs = Math.min(turnMs, Math.max(0, wallMs - this.#untilMs))
    this.#goOn(wallMs)
    if (share !== this.#share) this.#change(share)
    return 0
  }

  /** @returns by how much the turn's time was overrun, which counts as taken */
  #run(wallMs: number): number {
    const ranMs = wallMs - this.#wallMs
    const ownMs = Math.min(ranMs, this.leftMs)
    this.nowMs += ownMs
    this.leftMs -= ownMs
    this.#wallMs = wallMs
    return ranMs - ownMs
  }

  #standStill(wallMs: number, lateMs: number): number {
    const takenMs = turnMs * this.#share - this.#excessMs - lateMs
    this.#excessMs = Math.min(turnMs, Math.max(0, -takenMs))
    if (takenMs <= leastMs) {
      this.#goOn(wallMs)
      return 0
    }
    this.#untilMs = wallMs + takenMs
    return takenMs
  }

  #goOn(wallMs: number): void {
    this.#untilMs = undefined
    this.#wallMs = wallMs
    this.leftMs = this.#share === 0 ? Infinity : turnMs * (1 - this.#share)
  }

  #change(share: number): void {
    this.#share = share
    this.#excessMs = 0
    this.#goOn(this.#wallMs)
  }
}
