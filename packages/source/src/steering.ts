/**
 * What policies decide from round to round: the cap on bandwidth, and how much of its time the
 * guest loses. What the operator sets while the migration goes on has the last word.
 *
 * @module
 */
import type { RoundReport } from '@godwit/core'
import { GodwitError, checkRate, toGodwitError } from '@godwit/core'
import type { BandwidthPolicy } from '@godwit/policy'
import { parseBandwidth } from '@godwit/policy'
import type { SourceLanes } from './lanes.ts'
import type { SourceOptions } from './options.ts'
import type { RoundLog } from './round-log.ts'

/** What the guest's pages have a cap of their own for. */
export type Phase = 'rounds' | 'pause' | 'post-copy'

/** What is steered, and by what. */
export interface SteeringOwner {
  readonly log: RoundLog
  /** Everything on channels for pages so far. */
  readonly wireBytes: number
  /** Of the connection there is, or was last. */
  readonly lanes: Pick<SourceLanes, 'pace'>
}

/** Of one migration. */
export class Steering {
  /** Of the guest's time that is taken away, 0 to 1. */
  throttle = 0
  /** Why the guest may not have all of its time in the end. */
  endError: GodwitError | undefined
  readonly #options: SourceOptions
  readonly #owner: SteeringOwner
  readonly #policy: BandwidthPolicy
  #phase: Phase = 'rounds'
  /** What the policy says of this round. */
  #granted = Infinity
  /** When it was asked last. */
  #usedByOthers = 0
  /** What the operator says since. */
  #set: number | undefined

  /** @throws {GodwitError} `USAGE`: the guest cannot be throttled */
  constructor(options: SourceOptions, owner: SteeringOwner) {
    const { guest, throttle, bandwidth = parseBandwidth('fixed') } = options
    if (throttle !== undefined && guest.throttle === undefined) {
      const { kind } = guest.identity
      throw new GodwitError('USAGE', `throttle ${throttle.setting}: guest ${kind} has no throttle`)
    }
    this.#options = options
    this.#owner = owner
    this.#policy = bandwidth
  }

  /** A round is about to begin: the policies are asked, the cap is in force. */
  begin(round: number, phase: Phase): void {
    const { rounds } = this.#owner.log
    this.#phase = phase
    if (phase !== 'rounds') this.release()
    else if (round > 1) this.#throttle(rounds.at(-1))
    this.#usedByOthers = this.#measureOthers()
    this.#granted = this.#grant(round, phase !== 'rounds')
    this.pace()
  }

  /** What the pause would have if it came next; between rounds. */
  get pauseCap(): number {
    const { pauseBandwidth, maxBandwidth = Infinity } = this.#options
    if (pauseBandwidth !== undefined || this.#set !== undefined) {
      return pauseBandwidth ?? this.#set!
    }
    return Math.min(maxBandwidth, this.#grant(this.#owner.log.rounds.length + 1, true))
  }

  #grant(round: number, isLast: boolean): number {
    const dirtyRates = this.#owner.log.rounds.map(({ dirtyRate = 0 }) => dirtyRate)
    const usedByOthers = this.#usedByOthers
    return this.#policy.grant({ round, isLast, dirtyRates, usedByOthers })
  }

  /** Tells the lanes there are what the cap is. */
  pace(): void {
    this.#owner.lanes.pace(this.#cap)
  }

  /**
   * From now on, whatever the policy says; a pause and a post-copy may have caps of their own.
   *
   * @throws {GodwitError} `USAGE`: not above 0
   */
  set(bytesPerSecond: number): void {
    this.#set = checkRate(bytesPerSecond, 'A cap on bandwidth')
    this.pace()
  }

  /** The guest has all of its time again. @throws {GodwitError} `GUEST_FAILED` */
  release(): void {
    this.#take(0)
  }

  /** The same when the migration is over: all else of it ends in any case. */
  end(): void {
    try {
      this.release()
    } catch (thrown) {
      const { message } = toGodwitError(thrown)
      this.endError = new GodwitError('GUEST_FAILED', `The guest may still lose time: ${message}`)
    }
  }

  /** For the report of the round that has just been sent. */
  get facts(): Pick<RoundReport, 'grantedBandwidth' | 'throttle'> {
    const granted = Number.isFinite(this.#cap) ? { grantedBandwidth: this.#cap } : {}
    const { throttle } = this.#options
    const isRunning = throttle !== undefined && this.#phase === 'rounds'
    return isRunning ? { ...granted, throttle: this.throttle } : granted
  }

  get #cap(): number {
    const { maxBandwidth = Infinity, pauseBandwidth, postCopyBandwidth } = this.#options
    const ofAll = this.#set ?? Math.min(maxBandwidth, this.#granted)
    if (this.#phase === 'pause') return pauseBandwidth ?? ofAll
    return this.#phase === 'post-copy' ? (postCopyBandwidth ?? ofAll) : ofAll
  }

  #measureOthers(): number {
    if (!this.#policy.measuresLink) return 0
    return this.#options.linkUse?.usedByOthers(this.#owner.wireBytes) ?? 0
  }

  #throttle(last: RoundReport | undefined): void {
    const { throttle, pageBytes } = this.#options
    // A round of no pages is only a look at the guest's stores.
    if (throttle === undefined || last === undefined || last.pages === 0) return
    const { bytes: sentBytes, dirtyPages = 0, dirtyRate = 0, ms } = last
    const dirtyBytes = dirtyPages * pageBytes
    this.#take(throttle.next(this.throttle, { sentBytes, dirtyBytes, dirtyRate, ms }))
  }

  #take(share: number): void {
    if (share === this.throttle) return
    // Whatever comes of it: it is to be given back.
    if (share > 0) this.throttle = share
    try {
      this.#options.guest.throttle?.(share)
    } catch (cause) {
      const { message } = toGodwitError(cause)
      throw new GodwitError('GUEST_FAILED', `throttle ${share}: ${message}`, { cause })
    }
    this.throttle = share
  }
}
