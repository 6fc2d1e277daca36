/**
 * The source's data plane seen from the control plane: sets of dirty pages, rounds of them, and
 * what the stop rules say. Page bytes pass through the lanes only.
 *
 * @module
 */
import type { CheckpointReport, PageBitmap, PageHasher } from '@godwit/core'
import { CancelledError, GodwitError, isShared } from '@godwit/core'
import { Tally } from '@godwit/link'
import type { StopDecision } from '@godwit/policy'
import { HybridSwitch, evaluateStop, looksAtPages } from '@godwit/policy'
import type { RoundKind } from '@godwit/session'
import type { Discard, RoundBegin, RoundEnd } from '@godwit/wire'
import { u64ToBytes } from '@godwit/wire'
import type { Channels } from './channels.ts'
import { DirtySet } from './dirty-set.ts'
import { EarlyEnd } from './early-end.ts'
import type { LaneTerms, LanesOptions, SourceLanes } from './lanes.ts'
import { LocalLanes } from './local-lanes.ts'
import type { SourceOptions, SourceProgress } from './options.ts'
import { createPostCopy } from './post-copy-parts.ts'
import type { PostCopy } from './post-copy.ts'
import { RemoteLanes } from './remote-lanes.ts'
import type { Reverse } from './reverse.ts'
import { RoundLog } from './round-log.ts'
import type { LaneRound } from './round-work.ts'
import { cutPieces } from './round-work.ts'
import { StaticAgreement } from './static-agreement.ts'
import { Steering } from './steering.ts'
import type { Checkpoint } from './take-over.ts'
import { trackPages } from './tracked-pages.ts'
import { Watch } from './watch.ts'

/** How often stores are collected while round 1 goes on. */
const collectMeanwhileMs = 50

/** What lanes need to know of what was agreed. */
export type AgreedTerms = Omit<LaneTerms, 'count' | 'memoryBytes'>

/** What comes after the rounds of pre-copy. */
export type NextAfterRounds = 'switch-over' | 'post-copy'

/** All rounds of one migration. */
export class Rounds {
  readonly log: RoundLog
  readonly trackerName: string
  /** Of the connection there is, or was last. */
  lanes: SourceLanes
  /** As agreed with the destination. */
  terms: AgreedTerms
  readonly static: StaticAgreement
  readonly #options: SourceOptions
  /** Of page fingerprints. */
  readonly #seed: Uint8Array
  readonly #createLanes: (epoch: number) => SourceLanes
  /** Lanes of earlier connections. */
  readonly #lost = new Tally()
  readonly #dirty: DirtySet
  /** Where the mode has it. */
  readonly #postCopy: PostCopy | undefined
  readonly #reverse: Reverse | undefined
  readonly #switch: HybridSwitch
  readonly #earlyEnd: EarlyEnd
  /** The round in progress, or the last one. */
  #round = 0
  #pages = 0
  #startMs = 0
  #firstMs = 0
  #lastSent: LaneRound | undefined
  /** Since when stores count for the next collect. */
  #collectedAtMs = 0
  #collectMs = 0
  readonly steering: Steering
  #isSending = false
  readonly #watch = new Watch()

  /**
   * @param hasher - for trackers that compare memory with what was sent
   * @throws {GodwitError} `USAGE`: stores that make up the working set cannot be seen, or what is
   *   to be offered is not usable
   */
  constructor(
    options: SourceOptions,
    hasher: PageHasher,
    session: Pick<LanesOptions, 'session' | 'seals' | 'tap' | 'seed' | 'onLost'>,
  ) {
    const { guest, pageBytes, clock, dialler, primitives, hash, encode, startLane } = options
    this.#options = options
    this.static = new StaticAgreement(options, session.session)
    this.#seed = session.seed
    const { sent, trackers } = trackPages(options, hasher)
    this.trackerName = trackers[0]?.name ?? 'none'
    this.#dirty = new DirtySet(guest.regions, trackers, pageBytes, clock)
    this.log = new RoundLog(pageBytes)
    this.terms = {
      lanes: 1,
      creditBytes: Infinity,
      settings: encode,
      storeBytes: 0,
      findsStatic: false,
    }
    this.steering = new Steering(options, this)
    const lanes = { ...session, dialler, clock, primitives, hash, pageBytes, sent }
    const { hybrid = {} } = options
    const areShared = sent.every(({ region }) => isShared(region.bytes))
    const { postCopy, reverse } = createPostCopy(options, session, sent)
    this.#postCopy = postCopy
    this.#reverse = reverse
    this.#earlyEnd = new EarlyEnd(sent)
    this.#switch = new HybridSwitch(hybrid)
    if (hybrid.workingSetMs !== undefined && !this.#dirty.canCollectMeanwhile) {
      const text = `the ${this.trackerName} tracker sees no stores to pages that were not sent yet`
      throw new GodwitError('USAGE', `working-set: ${text}; there are barrier and pagemap`)
    }
    this.#createLanes = (epoch) => {
      const isRemote = startLane !== undefined && areShared
      const ofEpoch = { ...lanes, epoch }
      return isRemote ? new RemoteLanes(ofEpoch, startLane) : new LocalLanes(ofEpoch)
    }
    this.lanes = this.#createLanes(0)
  }

  /** Makes ready to send, while the destination reserves memory. */
  prepare(memoryBytes: number): void {
    this.lanes.prepare({ ...this.terms, count: this.terms.lanes, memoryBytes })
    this.steering.pace()
    this.#postCopy?.prepare(memoryBytes)
    if (this.terms.findsStatic) this.static.lookAhead(this.#dirty.findUntouched(), this.#seed)
  }

  /** Dials all channels for pages. */
  async open(channels: Channels): Promise<void> {
    await this.lanes.open(this.static.lookup)
    await this.#postCopy?.open(channels)
  }

  /** Makes ready for post-copy without rounds: in the pause there is no time to look at pages. */
  addTouched(): void {
    this.#dirty.addTouched()
  }

  /** The connection is lost, and the guest is the destination's as far as is known. */
  suspend(): void {
    this.lanes.destroy()
    this.#postCopy?.close()
  }

  /** There is another connection, and the destination lacks these pages, which go as `round`. */
  resume(epoch: number, round: number, lacking: readonly PageBitmap[]): void {
    this.#forget(this.lanes)
    this.lanes = this.#createLanes(epoch)
    this.static.end()
    this.terms = { ...this.terms, findsStatic: false }
    this.prepare(this.#options.guest.regions.reduce((sum, { bytes }) => sum + bytes.length, 0))
    this.#round = round
    this.#pages = lacking.reduce((sum, { size }) => sum + size, 0)
    this.#postCopy!.resume(round, lacking)
  }

  /** What they cost is kept; all else is not. */
  #forget(lanes: SourceLanes): void {
    this.#lost.add({
      get wireBytes() {
        return lanes.wireBytes
      },
      get cpuSeconds() {
        return lanes.cpuSeconds
      },
      ended: lanes.ended(),
    })
  }

  /** The guest is about to be paused, for post-copy: what is lacking anyway is told by then. */
  async announce(send: (body: Discard) => void): Promise<void> {
    if (this.#dirty.canCollectMeanwhile) await this.#collect()
    this.#dirty.addAside()
    this.#postCopy!.announce(this.#dirty.pending, send)
  }

  /** The guest is paused, for post-copy: tells which pages the destination lacks beside those. */
  async discard(round: number, send: (body: Discard) => void): Promise<void> {
    if (round > 1 || this.#dirty.canCollectMeanwhile) await this.#collect()
    this.#round = round
    this.#pages = this.#dirty.pages
    this.#postCopy!.discard(round, this.#dirty.take(), send)
  }

  /** The guest is the destination's. */
  release(): void {
    this.#postCopy?.release()
  }

  /** Sends what was discarded; resolves when it was handed to the sockets. */
  async push(announce: (body: RoundBegin) => void): Promise<void> {
    this.steering.begin(this.#round, 'post-copy')
    this.#startMs = this.#options.clock.nowMs()
    announce({ round: this.#round, kind: 'post-copy', pages: this.#pages })
    this.#isSending = true
    this.#lastSent = await this.#postCopy!.send(this.lanes)
    this.#isSending = false
  }

  /** The last state of the guest that is known here. */
  lastCheckpoint(handedOverMs: number): Checkpoint {
    return this.#reverse?.last ?? { number: 0, atMs: handedOverMs }
  }

  /** Brings the guest's memory there. */
  restoreMemory(): void {
    this.#reverse?.restore()
  }

  /** Of the guest at the destination; absent where none were asked for. */
  get checkpoints(): CheckpointReport | undefined {
    return this.#reverse?.report
  }

  /** The destination has all pages of a guest that runs there. */
  filled(): void {
    this.#reverse?.finish()
  }

  /** Post-copy is wanted as soon as the round has ended. */
  askForPostCopy(by?: StopDecision): void {
    this.#switch.ask(by)
  }

  /** No further round: what the one that is going on has not sent yet goes in the pause. */
  endNow(by: StopDecision): void {
    this.#watch.end()
    this.#earlyEnd.now(by)
  }

  /** @param isCompleted - everything that was sent is of use: it is flushed */
  close(isCompleted: boolean): void {
    this.steering.release()
    this.#watch.end(new CancelledError())
    this.static.end()
    this.#postCopy?.close()
    if (isCompleted) this.lanes.close()
    else this.lanes.destroy()
  }

  /** Everything on channels for pages so far, of all connections, both ways. */
  get wireBytes(): number {
    return this.#lost.wireBytes + this.lanes.wireBytes + (this.#postCopy?.wireBytes ?? 0)
  }

  /** CPU time of threads of their own. */
  get cpuSeconds(): number {
    return this.#lost.cpuSeconds + this.lanes.cpuSeconds + (this.#postCopy?.cpuSeconds ?? 0)
  }

  /** Resolves when every channel for pages is closed in both directions. */
  async ended(): Promise<void> {
    await Promise.all([this.lanes.ended(), this.#lost.ended(), this.#postCopy?.ended()])
  }

  get progress(): Pick<SourceProgress, 'round' | 'pagesDone' | 'pagesTotal' | 'checkpoint'> {
    const pagesDone = this.#isSending ? this.lanes.pagesDone : this.#pages
    const checkpoint = this.#reverse?.last?.number
    return { round: this.#round, pagesDone, pagesTotal: this.#pages, checkpoint }
  }

  /**
   * Sends one round; resolves when it was handed to the socket.
   *
   * @param announce - sends ROUND_BEGIN
   */
  async send(round: number, kind: RoundKind, announce: (body: RoundBegin) => void): Promise<void> {
    const { clock, hybrid } = this.#options
    const isOfAll = round === 1 && hybrid?.workingSetMs === undefined
    if (round === 1) {
      if (isOfAll) this.#dirty.addAll()
      else await this.#findWorkingSet(hybrid!.workingSetMs!)
      this.#firstMs = clock.nowMs()
      this.#collectedAtMs = this.#firstMs
    } else if (kind === 'final') {
      await this.#collect()
    }
    this.steering.begin(round, kind === 'final' ? 'pause' : 'rounds')
    this.#round = round
    this.#pages = this.#dirty.pages
    this.#startMs = clock.nowMs()
    announce({ round, kind, pages: this.#pages })
    const untouched = isOfAll ? this.#dirty.untouched : undefined
    const dirty = this.#dirty.take()
    const { lanes, settings } = this.terms
    // Versions and stores are a lane's own: pages come back to the lane that has them.
    const pieces = cutPieces(dirty, lanes, round > 1 && looksAtPages(settings))
    this.#postCopy?.skip(round)
    const meanwhile = kind === 'full' ? this.#collectMeanwhile() : undefined
    const again = meanwhile && this.#dirty.pending
    const marks = { untouched, again, left: kind === 'final' ? undefined : this.#earlyEnd.left }
    const known = round > 1
    const mayLack = kind !== 'final'
    const work = { round, known, mayLack, dirty, ...marks, ...pieces, push: undefined }
    if (kind !== 'final') this.#earlyEnd.begin(work)
    this.#isSending = true
    try {
      this.#lastSent = await this.lanes.sendRound(work)
    } finally {
      await meanwhile?.()
    }
    const sent = this.#lastSent
    this.#isSending = false
    this.#pages -= sent.heldPages
    this.#dirty.add(work.left ?? [])
    if (kind === 'final') this.#addToLog(sent, true)
  }

  /**
   * Watches the guest's stores; the pages that they are to are pending then, and the rest is kept
   * back. Ends early when the time is over and, by an error, when all is.
   */
  async #findWorkingSet(ms: number): Promise<void> {
    this.#dirty.addTouched()
    this.#dirty.setAside()
    await this.#watch.wait(this.#options.clock, ms)
    await this.#collect()
  }

  /**
   * Collects stores now and then while a round goes on, so that lanes know which pages are dirty
   * again. @returns what ends it; undefined where it is of no use
   */
  #collectMeanwhile(): (() => Promise<void>) | undefined {
    const { hold, admit, delta } = this.terms.settings
    const isOfUse = hold || (delta && admit === 'marked')
    if (!isOfUse || !this.#dirty.canCollectMeanwhile) return undefined
    return this.#dirty.collectEvery(collectMeanwhileMs)
  }

  /** What ROUND_END says of the round that was just sent. */
  get totals(): RoundEnd {
    const { batches, pages, digest, heldPages } = this.#lastSent!
    const held = heldPages === 0 ? {} : { held: heldPages }
    return { round: this.#round, batches, pages, digest: u64ToBytes(digest), ...held }
  }

  /** The destination acknowledged the round. */
  acknowledged(): void {
    this.#addToLog(this.#lastSent!, false)
  }

  /**
   * Counts what became dirty and asks the stop rules.
   *
   * @returns the rule that fired and what is next; undefined to go on with another round
   */
  async decide(
    roundTripMs: number,
  ): Promise<{ readonly decision: StopDecision; readonly next: NextAfterRounds } | undefined> {
    const pages = await this.#collect()
    const nowMs = this.#options.clock.nowMs()
    this.log.addDirty(pages, nowMs - this.#collectedAtMs)
    this.#collectedAtMs = nowMs
    const overheadMs = this.#collectMs + 2 * roundTripMs
    const statistics = this.log.statistics(pages, overheadMs)
    const early = this.#earlyEnd.decision
    if (early !== undefined) {
      this.#dirty.addAside()
      return { decision: early, next: 'switch-over' }
    }
    const stop = evaluateStop(this.#options.stop, statistics)
    // What was kept back must not travel in the pause.
    const next = this.#dirty.hasAside ? 'post-copy' : 'switch-over'
    if (stop !== undefined) return { decision: stop, next }
    if (this.#options.mode !== 'hybrid') return undefined
    const decision = this.#switch.decide(statistics, nowMs - this.#firstMs)
    return decision && { decision, next: 'post-copy' }
  }

  async #collect(): Promise<number> {
    const { clock } = this.#options
    const startMs = clock.nowMs()
    const pages = await this.#dirty.collect()
    this.#collectMs = clock.nowMs() - startMs
    return pages
  }

  #addToLog(sent: LaneRound, paused: boolean): void {
    const ms = this.#options.clock.nowMs() - this.#startMs
    this.log.add(this.#round, this.#pages, sent, { ms, paused, ...this.steering.facts })
  }
}
