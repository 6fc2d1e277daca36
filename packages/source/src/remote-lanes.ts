/**
 * Lanes on threads of their own, one each: the control plane's end.
 *
 * @module
 */
import type { GodwitError as Failure, Thread } from '@godwit/core'
import type { StaticLookup } from '@godwit/codec'
import { CancelledError, GodwitError, errorOf } from '@godwit/core'
import type { EncodingState } from './encoding-state.ts'
import { sumOfStates } from './encoding-state.ts'
import type { LaneCommand, LaneReport } from './lane-messages.ts'
import type { LaneTerms, LanesOptions, SourceLanes } from './lanes.ts'
import type { LookWork, ScanJob } from './memory-scan.ts'
import { spansOfLook, spansOfScan, spansOfSent, spansOfWork } from './round-spans.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import { handledPages, sumOf } from './round-work.ts'

/** Starts a thread that serves one lane, see `serveLane`. */
export type StartLane = () => Thread<LaneCommand, LaneReport>

/** All lanes of one migration. */
export class RemoteLanes implements SourceLanes {
  readonly #options: LanesOptions
  readonly #start: StartLane
  readonly #lanes: RemoteLane[] = []

  constructor(options: LanesOptions, start: StartLane) {
    this.#options = options
    this.#start = start
  }

  get threads(): number {
    return this.#lanes.length
  }

  prepare(terms: LaneTerms): void {
    // One by one: when a thread cannot be had, those before it are known, and end.
    for (let index = 0; index < terms.count; index++) {
      this.#lanes.push(new RemoteLane(this.#start(), index, terms, this.#options))
    }
  }

  async open(staticPages?: StaticLookup): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.open(staticPages)))
  }

  async sendRound(work: RoundWork): Promise<LaneRound> {
    return sumOf(await Promise.all(this.#lanes.map((lane) => lane.sendRound(work))))
  }

  goOn(): void {
    for (const lane of this.#lanes) lane.goOn()
  }

  async scan(job: ScanJob): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.scan(job)))
  }

  look(work: LookWork): void {
    for (const lane of this.#lanes) lane.look(work)
  }

  get pagesDone(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.pagesDone, 0)
  }

  get wireBytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.wireBytes, 0)
  }

  get cpuSeconds(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.cpuSeconds, 0)
  }

  get encoding(): EncodingState | undefined {
    return sumOfStates(this.#lanes.flatMap(({ encoding }) => encoding ?? []))
  }

  pace(bytesPerSecond: number): void {
    for (const lane of this.#lanes) lane.pace(bytesPerSecond / this.#lanes.length)
  }

  close(): void {
    for (const lane of this.#lanes) lane.stop('close')
  }

  destroy(): void {
    for (const lane of this.#lanes) lane.stop('destroy')
  }

  async ended(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.ended))
  }
}

/** One lane and its thread, which ends with it. */
class RemoteLane {
  pagesDone = 0
  wireBytes = 0
  cpuSeconds = 0
  encoding: EncodingState | undefined
  /** Resolves when the thread is gone. */
  readonly ended: Promise<unknown>
  readonly #thread: Thread<LaneCommand, LaneReport>
  readonly #onLost: LanesOptions['onLost']
  readonly #onHungry: LanesOptions['onHungry']
  #isStopped = false
  /** Why the lane is of no use any more. */
  #failure: Failure | undefined
  #answer: PromiseWithResolvers<LaneReport> | undefined

  constructor(
    thread: Thread<LaneCommand, LaneReport>,
    index: number,
    terms: LaneTerms,
    options: LanesOptions,
  ) {
    const { dialler, seals, session, epoch, hash, seed, pageBytes, sent, scan, onLost } = options
    this.#thread = thread
    this.#onLost = onLost
    this.#onHungry = options.onHungry
    thread.listen((report) => this.#hear(report))
    this.ended = thread.ended.then((error) => {
      const gone = error ?? (this.#isStopped ? undefined : noReason())
      if (gone !== undefined) this.#fail(gone)
    })
    thread.post({
      do: 'prepare',
      index,
      address: dialler.address,
      session,
      epoch,
      secret: seals?.secret,
      hash,
      seed,
      pageBytes,
      sent: spansOfSent(sent),
      looks: scan !== undefined,
      terms: { ...terms, count: 1 },
    })
  }

  async open(staticPages: StaticLookup | undefined): Promise<void> {
    await this.#ask({ do: 'open', staticPages })
  }

  async sendRound(work: RoundWork): Promise<LaneRound> {
    this.pagesDone = 0
    const report = await this.#ask({ do: 'send-round', work: spansOfWork(work) })
    if (report.type !== 'sent') throw new Error(`a lane answered a round with ${report.type}`)
    this.pagesDone = handledPages(report.done)
    return report.done
  }

  goOn(): void {
    this.#thread.post({ do: 'go-on' })
  }

  async scan(job: ScanJob): Promise<void> {
    await this.#ask({ do: 'scan', job: spansOfScan(job) })
  }

  look(work: LookWork): void {
    this.#thread.post({ do: 'look', work: spansOfLook(work) })
  }

  pace(bytesPerSecond: number): void {
    this.#thread.post({ do: 'pace', bytesPerSecond })
  }

  stop(how: 'close' | 'destroy'): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#thread.post({ do: how })
    this.#answer?.reject(new CancelledError())
  }

  #ask(command: LaneCommand): Promise<LaneReport> {
    if (this.#isStopped) return Promise.reject(new CancelledError())
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#answer = Promise.withResolvers()
    this.#thread.post(command)
    return this.#answer.promise
  }

  #hear(report: LaneReport): void {
    if ('wireBytes' in report) this.wireBytes = report.wireBytes
    if ('encoding' in report) this.encoding = report.encoding ?? this.encoding
    switch (report.type) {
      case 'progress':
        this.pagesDone = report.pagesDone
        break
      case 'hungry':
        this.#onHungry()
        break
      case 'sent':
        this.cpuSeconds = report.cpuSeconds
        this.#answer?.resolve(report)
        break
      case 'opened':
      case 'scanned':
        this.#answer?.resolve(report)
        break
      case 'failed':
        this.#answer?.reject(errorOf(report.error))
        break
      case 'lost':
        this.#fail(errorOf(report.error))
        break
      case 'ended':
        this.#thread.end()
        break
    }
  }

  #fail(error: Failure): void {
    this.#failure ??= error
    this.#answer?.reject(error)
    if (!this.#isStopped) this.#onLost(error)
  }
}

function noReason(): GodwitError {
  return new GodwitError('INTERNAL', 'A lane ended by itself')
}
