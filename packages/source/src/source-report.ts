/**
 * The source's report: filled while the migration runs, complete when it ends.
 *
 * @module
 */
import type { FaultReport, GodwitError, Report, TakeoverReport } from '@godwit/core'
import {
  GodwitError as Failure,
  REPORT_SCHEMA,
  formatCount,
  formatDurationMs,
  StepMeter,
  hasRounds,
  mayPostCopy,
  toGodwitError,
  toHex,
} from '@godwit/core'
import type { EncodeSettings } from '@godwit/policy'
import { BANDWIDTH_DEFAULT, FETCH_DEFAULT, encoderNames, formatStop } from '@godwit/policy'
import type { SourceState, SourceTerms } from '@godwit/session'
import type { Usage, Verified } from '@godwit/wire'
import { encodingReport } from './encoding-report.ts'
import type { Audit } from './audit.ts'
import type { SourceOptions, SourceProgress } from './options.ts'
import type { RoundLog } from './round-log.ts'
import type { Rounds } from './rounds.ts'
import type { RoundsEndDecision } from './rounds-end.ts'

/** Moments of the migration by the source's clock, in milliseconds. */
export interface Moments {
  readonly askedMs: number
  helloMs?: number
  reservedMs?: number
  firstRoundMs?: number
  pauseMs?: number
  pausedMs?: number
  pagesSentMs?: number
  readyMs?: number
  runningMs?: number
  /** Post-copy: the last page was acknowledged. */
  filledMs?: number
  verifyMs?: number
  verifiedMs?: number
}

/** Collects the facts of one migration. */
export class SourceReport {
  readonly moments: Moments
  readonly #stepMeter: StepMeter
  readonly #options: SourceOptions
  readonly #rounds: Rounds
  readonly #report: Report
  #encode: EncodeSettings
  #usage: Usage | undefined
  #resumeError: GodwitError | undefined

  constructor(
    options: SourceOptions,
    session: Uint8Array,
    rounds: Rounds,
    kernels: Report['kernels'],
  ) {
    const { guest, mode } = options
    this.#options = options
    this.#encode = options.encode
    this.#rounds = rounds
    this.moments = { askedMs: options.clock.nowMs() }
    this.#stepMeter = new StepMeter(options.clock, this.moments.askedMs)
    this.#report = {
      schema: REPORT_SCHEMA,
      role: 'source',
      sessionId: toHex(session),
      outcome: 'failed',
      mode,
      security: options.security?.method ?? 'none',
      guest: { kind: guest.identity.kind, options: { ...guest.identity.options } },
      memoryBytes: guest.regions.reduce((sum, region) => sum + region.bytes.length, 0),
      pageBytes: options.pageBytes,
      tracker: mode === 'stop-copy' ? 'none' : rounds.trackerName,
      ...(kernels === undefined ? {} : { kernels }),
      encoders: encoderNames(options.encode),
      policies: policiesOf(options, rounds.pages.selectText),
      stages: [],
      wireBytes: 0,
      rounds: [],
      ...(hasRounds(mode) ? {} : { stop: { rule: 'mode' } }),
    }
  }

  get memoryBytes(): number {
    return this.#report.memoryBytes!
  }

  /** The stage that is going on. */
  get stage(): string {
    return this.#report.stages.at(-1)?.name ?? 'preparation'
  }

  progress(wireBytes: number): SourceProgress {
    const { log } = this.#rounds
    return {
      stage: this.stage,
      ...this.#rounds.progress,
      wireBytes,
      dirtyRate: log.rounds.findLast((round) => round.dirtyRate !== undefined)?.dirtyRate,
      bandwidth: log.bandwidth,
      throttle: this.#rounds.steering.throttle,
      elapsedMs: this.#options.clock.nowMs() - this.moments.askedMs,
    }
  }

  /** The guest runs here: how fast is looked at until it stands still. */
  begin(): void {
    const { guest, usage } = this.#options
    this.reach('preparation')
    this.#stepMeter.begin(guest.steps && (() => guest.steps!()))
    usage?.start()
  }

  pauseBegins(): void {
    this.reach('stop-and-copy')
    this.moments.pauseMs ??= this.#options.clock.nowMs()
  }

  guestStands(): void {
    this.moments.pausedMs = this.#options.clock.nowMs()
    this.#stepMeter.end()
  }

  /** What was agreed of what was asked for. */
  agreed(encode: EncodeSettings): void {
    this.#encode = encode
    this.#report.encoders = encoderNames(encode)
  }

  /** A stage begins; whoever listens is told. */
  reach(name: string): void {
    if (this.#report.stages.some((stage) => stage.name === name)) return
    const stage = { name, atMs: this.#options.clock.nowMs() - this.moments.askedMs }
    this.#report.stages.push(stage)
    try {
      this.#options.onStage?.(stage)
    } catch {
      // Whoever listens must not decide who owns the guest.
    }
  }

  /** Rounds are over. A guest that stopped by itself stands since then. */
  stopped({ decision, stoodMs }: RoundsEndDecision): void {
    if (stoodMs !== undefined) this.moments.pauseMs = this.#options.clock.nowMs() - stoodMs
    this.#report.stop = { rule: decision.rule, ...decision.numbers }
  }

  /** The two digests of memory, and an error where they differ. */
  verified(sourceDigest: Uint8Array, answer: Verified): void {
    const source = toHex(sourceDigest)
    const destination = toHex(answer.digest)
    const equal = answer.equal && source === destination
    this.#report.memory = { sourceDigest: source, destinationDigest: destination, equal }
    if (equal) return
    const names = this.#options.guest.regions
      .filter(({ id }) => answer.differing.includes(id))
      .map(({ name }) => name)
    const text = `The destination's memory differs from the source's (regions: ${names.join(', ')})`
    this.#addError(new Failure('VERIFY_FAILED', text))
  }

  /** Where it can be told: whether the guest went on as it would have here. */
  async prove(audit: Audit): Promise<void> {
    this.readUsage()
    if (!audit.canProve || this.#report.memory?.equal === false) return
    this.reach('proof')
    const proof = await audit.prove()
    this.#report.guestProof = proof
    if (proof.continuous) return
    const text = 'The guest did not go on at the destination as it would have here'
    this.#addError(new Failure('VERIFY_FAILED', text))
  }

  /** The worst of a failed migration: the guest that should go on here does not. */
  notResumed(thrown: unknown): void {
    const { message } = toGodwitError(thrown)
    this.#resumeError = new Failure('GUEST_FAILED', `The guest could not be resumed: ${message}`)
  }

  tookOver(takeover: TakeoverReport): void {
    this.#report.takeover = takeover
  }

  /** What this side used; measured once, when everything that belongs to the migration is over. */
  readUsage(): Usage {
    if (this.#usage !== undefined) return this.#usage
    const { cpuSeconds, ...rest } = this.#options.usage?.read() ?? {}
    const all = cpuSeconds === undefined ? {} : { cpuSeconds: cpuSeconds + this.#rounds.cpuSeconds }
    this.#usage = { ...rest, ...all }
    return this.#usage
  }

  addDestinationUsage(destination: Usage): void {
    const source = this.readUsage()
    this.#report.cpu = present({
      sourceSeconds: source.cpuSeconds,
      destinationSeconds: destination.cpuSeconds,
    })
    this.#report.overheadBytes = present({
      source: source.overheadBytes,
      destination: destination.overheadBytes,
    })
  }

  addFaults(faults: FaultReport | undefined): void {
    if (faults !== undefined) this.#report.faults = faults
  }

  /** Outcome, times and counters; every field only when its facts are there. */
  finish(state: SourceState, terms: SourceTerms, log: RoundLog): Report {
    this.#addRounds(log)
    this.#addTimes()
    // What was to tell of stores may have turned out to be of no use.
    if (this.#report.tracker !== 'none') this.#report.tracker = this.#rounds.trackerName
    this.#stepMeter.end()
    const { samples } = this.#stepMeter
    if (samples.length > 0) this.#report.steps = [...samples]
    const { checkpoints } = this.#rounds
    if (checkpoints !== undefined) this.#report.checkpoints = checkpoints
    if (this.moments.runningMs !== undefined && this.#report.cpu === undefined) {
      this.addDestinationUsage({})
    }
    switch (state.name) {
      case 'completed':
        this.#report.outcome = 'completed'
        if (state.error !== undefined && !this.#isProven(terms)) {
          const text = `The guest runs there but was not verified: ${state.error.message}`
          this.#addError(new Failure('VERIFY_INCOMPLETE', text))
        }
        break
      case 'in-doubt': {
        const text =
          `The connection was lost after COMMIT (${state.error.message}). The guest stays ` +
          'stopped here; it runs there if COMMIT arrived: look there before starting it again'
        this.#addError(new Failure('OWNERSHIP_IN_DOUBT', text))
        break
      }
      case 'lost': {
        const text =
          "The guest was handed over and died with the destination's process " +
          `(${state.error.message}). The copy here is as old as the hand-over`
        this.#addError(new Failure('LOST_WITH_HOST', text))
        break
      }
      case 'stranded': {
        const text =
          `The connection was lost before all pages were there (${state.error.message}). The ` +
          'guest waits at the destination for pages that only this side has'
        this.#addError(new Failure('POST_COPY_LOST', text))
        break
      }
      case 'taken-over':
        this.#addError(this.#resumeError ?? takenOver(this.#report.takeover!, state.error))
        break
      case 'failed':
        this.#report.outcome = state.error.code === 'CANCELLED' ? 'cancelled' : 'failed'
        this.#addError(this.#resumeError ?? this.#rounds.steering.endError ?? state.error)
        break
      default:
        throw new Error(`finished in ${state.name}`)
    }
    return this.#report
  }

  /** Whether everything that was asked for after the hand-over is known. */
  #isProven(terms: SourceTerms): boolean {
    const verified = !terms.verify || this.#report.memory !== undefined
    return verified && (!terms.final || this.#report.guestProof !== undefined)
  }

  #addRounds(log: RoundLog): void {
    this.#report.rounds = log.rounds
    const { list } = this.#rounds.decisions
    if (list.length > 0) this.#report.decisions = list
    const { static: known, lanes, pages } = this.#rounds
    const staticReport = known.report(log.pages.static, lanes.encoding?.repairedPages ?? 0)
    if (staticReport !== undefined) this.#report.static = staticReport
    const { givenUp } = pages
    if (givenUp !== undefined) {
      this.#report.droppedPages = givenUp.reduce((sum, { size }) => sum + size, 0)
    }
    if (log.rounds.length === 0) return
    this.#report.pages = log.pages
    this.#report.sentBytes = log.sentBytes
    this.#report.resentBytes = log.resentBytes
    this.#report.savedBytes = log.savedBytes(this.#encode.compression)
    const encoding = encodingReport(this.#encode, lanes.encoding, log)
    if (encoding !== undefined) this.#report.encoding = encoding
  }

  #addTimes(): void {
    const { moments } = this
    const report = this.#report
    Object.assign(
      report,
      present({
        totalMs: this.#totalMs,
        reservationMs: between(moments.helloMs, moments.reservedMs),
        verifyMs: between(moments.verifyMs, moments.verifiedMs),
        downtimeMs: between(moments.pauseMs, moments.runningMs),
      }),
    )
    if (moments.runningMs === undefined) return
    report.downtime = {
      pauseMs: between(moments.pauseMs, moments.pausedMs)!,
      pagesMs: between(moments.pausedMs, moments.pagesSentMs)!,
      stateMs: between(moments.pagesSentMs, moments.readyMs)!,
      resumeMs: between(moments.readyMs, moments.runningMs)!,
    }
  }

  /**
   * From round 1 on, what it takes to find the working set included, or from the pause where that
   * came first, until all of it is there.
   */
  get #totalMs(): number | undefined {
    const { firstRoundMs, pauseMs, runningMs, filledMs } = this.moments
    const isPostCopy = this.#report.stages.some(({ name }) => name === 'post-copy')
    const begins = [firstRoundMs, pauseMs].filter((moment) => moment !== undefined)
    const fromMs = begins.length === 0 ? undefined : Math.min(...begins)
    return between(fromMs, isPostCopy ? filledMs : runningMs)
  }

  #addError(error: GodwitError): void {
    const phase = error.phase ?? this.stage
    this.#report.error = { code: error.code, text: error.message, phase }
  }
}

function takenOver(takeover: TakeoverReport, cause: GodwitError): GodwitError {
  const { checkpoint, steps, ageMs } = takeover
  const step = steps === undefined ? '' : `step ${formatCount(steps)}, `
  const from = checkpoint === 0 ? 'as it was handed over' : `checkpoint ${checkpoint}`
  const text =
    `The destination was lost after the hand-over (${cause.message}). The guest goes on here ` +
    `from ${step}${from}, ${formatDurationMs(ageMs)} old; what it did there since is lost`
  return new Failure('TAKEN_OVER', text)
}

function between(from: number | undefined, until: number | undefined): number | undefined {
  return from === undefined || until === undefined ? undefined : until - from
}

function present<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

/** What decides; all of it where a preset or a policy of the user's own has chosen some. */
function policiesOf(options: SourceOptions, select: string): Record<string, string> {
  const { mode, stop, fetch = FETCH_DEFAULT, bandwidth, throttle, chosenBy, auto } = options
  const chosen = {
    ...chosenBy,
    encode: options.encode.text,
    hash: options.hash,
    bandwidth: BANDWIDTH_DEFAULT,
    throttle: 'none',
  }
  const stops = [...(auto === undefined ? [] : [auto]), ...stop]
  return {
    ...(chosenBy === undefined ? {} : chosen),
    ...(hasRounds(mode) ? { stop: formatStop(stops) } : {}),
    ...(hasRounds(mode) || options.select !== undefined ? { select } : {}),
    ...(mayPostCopy(mode) ? { fetch } : {}),
    ...(bandwidth === undefined ? {} : { bandwidth: bandwidth.setting }),
    ...(throttle === undefined ? {} : { throttle: throttle.setting }),
  }
}
