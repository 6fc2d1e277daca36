/**
 * The destination's report: the same shape as the source's, with the facts this side has.
 *
 * @module
 */
import type {
  CheckpointReport,
  DemandPager,
  GodwitError,
  IncomingGuest,
  Report,
  RoundReport,
  UsageMeter,
} from '@godwit/core'
import { GodwitError as Failure, REPORT_SCHEMA, StepMeter, toHex } from '@godwit/core'
import type { DecodedTotals } from '@godwit/codec'
import { emptyTotals, sumOfTotals } from '@godwit/codec'
import { Tally } from '@godwit/link'
import type { DestinationState } from '@godwit/session'
import type {
  EndAck,
  Hello,
  Reserve,
  RoundBegin,
  Usage,
  Verified,
  Verify,
  Welcome,
} from '@godwit/wire'
import type { DestinationOptions, DestinationProgress } from './options.ts'
import type { JoinedRound } from './lanes.ts'
import type { Rounds } from './rounds.ts'
import type { StaticAgreement } from './static-agreement.ts'

/** The stage that a round belongs to. */
const stages = {
  full: 'pre-copy',
  dirty: 'pre-copy',
  final: 'stop-and-copy',
  'post-copy': 'post-copy',
} as const

/** Collects the facts of one migration at the destination. */
export class DestinationReport {
  readonly channels: Tally = new Tally()
  readonly #options: DestinationOptions
  readonly #meter: UsageMeter | undefined
  readonly #stepMeter: StepMeter
  readonly #startMs: number
  readonly #report: Report
  #roundStartMs = 0
  #roundBytesBefore = 0
  #roundBegin: RoundBegin | undefined
  #totals: DecodedTotals = emptyTotals()
  #unchangedPages = 0
  #reservingMs = 0
  #commitMs = 0
  #sourceUsage: Usage = {}
  #usage: Usage | undefined
  /** From COMMIT to the guest's first step; undefined until it runs. */
  resumeMs: number | undefined
  /** Where the source offered something. */
  static: StaticAgreement | undefined

  constructor(options: DestinationOptions, sessionId: string) {
    this.#options = options
    this.#startMs = options.clock.nowMs()
    this.#stepMeter = new StepMeter(options.clock, this.#startMs)
    this.#meter = options.usage?.()
    this.#meter?.start()
    this.#report = {
      schema: REPORT_SCHEMA,
      role: 'destination',
      sessionId,
      outcome: 'failed',
      security: options.security?.method ?? 'none',
      stages: [],
      wireBytes: 0,
      rounds: [],
    }
    this.reach('preparation')
  }

  get stage(): string {
    return this.#report.stages.at(-1)?.name ?? 'preparation'
  }

  get memoryBytes(): number {
    return this.#report.memoryBytes ?? 0
  }

  get wireBytes(): number {
    return this.channels.wireBytes
  }

  get elapsedMs(): number {
    return this.#options.clock.nowMs() - this.#startMs
  }

  /** @param pages - of the round, so far */
  progress(round: RoundBegin | undefined, pages = 0): DestinationProgress {
    return {
      stage: this.stage,
      round: round?.round ?? 0,
      pagesDone: pages,
      // A round whose set was not known when it began may have more.
      pagesTotal: Math.max(round?.pages ?? 0, pages),
      wireBytes: this.wireBytes,
      elapsedMs: this.elapsedMs,
    }
  }

  /** As agreed, once it is. */
  get pageBytes(): number | undefined {
    return this.#report.pageBytes
  }

  /** Kind of the guest on its way, once known. */
  get guestKind(): string | undefined {
    return this.#report.guest?.kind
  }

  reach(name: string): void {
    if (this.#report.stages.some((stage) => stage.name === name)) return
    const stage = { name, atMs: this.elapsedMs }
    this.#report.stages.push(stage)
    try {
      this.#options.onStage?.(stage)
    } catch {
      // Whoever listens must not decide who owns the guest.
    }
  }

  greeted(hello: Hello, welcome: Welcome): void {
    this.#report.mode = hello.mode
    this.#report.pageBytes = welcome.pageBytes
  }

  reserving({ guest, regions }: Reserve): void {
    this.reach('reservation')
    this.#reservingMs = this.elapsedMs
    this.#report.guest = { kind: guest.kind, options: { ...guest.options } }
    this.#report.memoryBytes = regions.reduce((sum, region) => sum + region.byteLength, 0)
  }

  reserved(kernels: 'simd' | 'typescript'): void {
    this.#report.kernels = kernels
    this.#meter?.exclude(this.memoryBytes)
    this.#report.reservationMs = this.elapsedMs - this.#reservingMs
  }

  roundBegins(begin: RoundBegin): void {
    this.reach(stages[begin.kind])
    this.#roundBegin = begin
    this.#roundStartMs = this.elapsedMs
  }

  /** @param receivedBytes - of page frames since the first round */
  roundEnded({ totals, heldPages }: JoinedRound, receivedBytes: number): void {
    const begin = this.#roundBegin!
    const bytes = receivedBytes - this.#roundBytesBefore
    this.#roundBytesBefore = receivedBytes
    const ms = this.elapsedMs - this.#roundStartMs
    // What is announced of an open round is an estimate, and nothing in it is known not to be sent.
    const handledPages = begin.open === true ? totals.pages : begin.pages - heldPages
    const round: RoundReport = {
      round: begin.round,
      pages: handledPages,
      bytes,
      ms,
      bandwidth: ms > 0 ? (bytes / ms) * 1e3 : 0,
      paused: begin.kind === 'final',
    }
    this.#report.rounds.push(round)
    this.#totals = sumOfTotals([this.#totals, totals])
    // What the source announced and did not send is what it found unchanged.
    this.#unchangedPages += handledPages - totals.pages
    this.#report.pages = {
      raw: this.#totals.rawPages,
      zero: this.#totals.zeroPages,
      unchanged: this.#unchangedPages,
      same: this.#totals.samePages,
      reference: this.#totals.referencePages,
      delta: this.#totals.deltaPages,
      static: this.#totals.staticPages,
      compressed: this.#totals.compressedPages,
    }
  }

  committed(): void {
    this.#commitMs = this.elapsedMs
  }

  activated(): void {
    this.reach('activation')
    this.resumeMs = this.elapsedMs - this.#commitMs
  }

  /** How fast it is, from now on. */
  guestRuns(guest: IncomingGuest): void {
    this.#stepMeter.begin(guest.steps && (() => guest.steps!()))
  }

  guestStands(): void {
    this.#stepMeter.end()
  }

  /** What VERIFIED says: whether memory is what the source has. */
  compared(verify: Verify, rounds: Rounds): Verified {
    const verified = rounds.compare(verify)
    const { digest, equal } = verified
    this.reach('verification')
    const destinationDigest = toHex(digest)
    this.#report.memory = { sourceDigest: toHex(verify.digest), destinationDigest, equal }
    return verified
  }

  addSourceUsage(usage: Usage): void {
    this.#sourceUsage = usage
  }

  /** What this side used; measured once, when the last page has been compared. */
  readUsage(): Usage {
    if (this.#usage !== undefined) return this.#usage
    const usage = this.#meter?.read() ?? {}
    const { cpuSeconds } = usage
    const { cpuSeconds: laneSeconds } = this.channels
    const all = cpuSeconds === undefined ? {} : { cpuSeconds: cpuSeconds + laneSeconds }
    this.#usage = { ...usage, ...all }
    return this.#usage
  }

  /** What END_ACK says. @param pager - of a guest that could wait for pages */
  end(pager: DemandPager | undefined): EndAck {
    const usage = this.readUsage()
    if (pager === undefined) return { usage }
    const { faults } = pager
    this.#report.faults = faults
    return { usage, faults }
  }

  /** An error beside the outcome: the last one is kept. */
  note(error: GodwitError): void {
    const phase = error.phase ?? this.stage
    this.#report.error = { code: error.code, text: error.message, phase }
  }

  finish(state: DestinationState, checkpoints: CheckpointReport | undefined): Report {
    const report = this.#report
    if (checkpoints !== undefined) report.checkpoints = checkpoints
    report.wireBytes = this.wireBytes
    this.guestStands()
    const { samples } = this.#stepMeter
    if (samples.length > 0) report.steps = [...samples]
    if (this.static !== undefined) report.static = this.static.report(this.#totals.staticPages)
    if (state.name === 'completed') {
      report.outcome = 'completed'
      this.#addUsage()
      if (this.resumeMs === undefined) return this.#notStarted(state.error)
      if (report.memory?.equal === false) {
        this.note(new Failure('VERIFY_FAILED', "Memory differs from the source's"))
      } else if (state.error !== undefined) {
        const text = `The guest runs here; the source was lost too early: ${state.error.message}`
        this.note(new Failure('VERIFY_INCOMPLETE', text))
      }
    } else if (state.name === 'stranded') {
      const isStarted = this.resumeMs !== undefined || state.error.code !== 'GUEST_FAILED'
      if (!isStarted) return this.#notStarted(state.error)
      const text =
        `The connection was lost before all pages were here (${state.error.message}). The guest ` +
        'waits here for pages that only the source has'
      this.note(new Failure('POST_COPY_LOST', text))
    } else if (state.name === 'discarded') {
      report.outcome = state.error.code === 'CANCELLED' ? 'cancelled' : 'failed'
      this.note(state.error)
    }
    return report
  }

  /** COMMIT came, so nobody else may run it; but it does not run here either. */
  #notStarted(error: GodwitError | undefined): Report {
    const text = `The guest was handed over but could not be started: ${error?.message}`
    this.#report.outcome = 'failed'
    this.note(new Failure('GUEST_FAILED', text))
    return this.#report
  }

  #addUsage(): void {
    const own = this.readUsage()
    const source = this.#sourceUsage
    this.#report.cpu = {
      ...(source.cpuSeconds === undefined ? {} : { sourceSeconds: source.cpuSeconds }),
      ...(own.cpuSeconds === undefined ? {} : { destinationSeconds: own.cpuSeconds }),
    }
    this.#report.overheadBytes = {
      ...(source.overheadBytes === undefined ? {} : { source: source.overheadBytes }),
      ...(own.overheadBytes === undefined ? {} : { destination: own.overheadBytes }),
    }
  }
}
