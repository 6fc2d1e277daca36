/**
 * The source's data plane seen from the control plane: sets of dirty pages, rounds of them, and
 * what the stop rules say. Page bytes pass through the lanes only.
 *
 * @module
 */
import type { CheckpointReport, PageBitmap, PageHasher } from '@godwit/core'
import { CancelledError, isShared } from '@godwit/core'
import { Tally } from '@godwit/link'
import { looksAtPages, type StopDecision } from '@godwit/policy'
import type { RoundKind } from '@godwit/session'
import type { Discard, RoundBegin, RoundEnd } from '@godwit/wire'
import { u64ToBytes } from '@godwit/wire'
import type { Channels } from './channels.ts'
import { DecisionLog } from './decision-log.ts'
import { EarlyEnd } from './early-end.ts'
import type { LaneTerms, LanesOptions, SourceLanes } from './lanes.ts'
import { LocalLanes } from './local-lanes.ts'
import type { MemoryScan } from './memory-scan.ts'
import { memoryBytesOf, type SourceOptions, type SourceProgress } from './options.ts'
import { OpenRounds } from './open-rounds.ts'
import { createPostCopy } from './post-copy-parts.ts'
import type { PostCopy } from './post-copy.ts'
import { RemoteLanes } from './remote-lanes.ts'
import type { Reverse } from './reverse.ts'
import { Review } from './review.ts'
import { RoundLog } from './round-log.ts'
import { RoundPages, type RoundSet } from './round-pages.ts'
import type { LaneRound } from './round-work.ts'
import type { RoundsEndDecision } from './rounds-end.ts'
import { StaticAgreement } from './static-agreement.ts'
import { Steering } from './steering.ts'
import type { Checkpoint } from './take-over.ts'
import { trackPages } from './tracked-pages.ts'
import { Watch } from './watch.ts'

/** What lanes need to know of what was agreed. */
export type AgreedTerms = Omit<LaneTerms, 'count' | 'memoryBytes'>

/** All rounds of one migration. */
export class Rounds {
  readonly log: RoundLog
  readonly #trackerName: string
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
  readonly pages: RoundPages
  /** Where the mode has it. */
  readonly #postCopy: PostCopy | undefined
  readonly #reverse: Reverse | undefined
  readonly #review: Review
  readonly #earlyEnd: EarlyEnd
  /** The round in progress, or the last one. */
  #round = 0
  #pages = 0
  readonly #open: OpenRounds
  readonly steering: Steering
  readonly decisions: DecisionLog
  #isSending = false
  /** Of the last round, where somebody looks for its pages before it begins. */
  #lastSet: RoundSet | undefined
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
    const { pageBytes, clock, dialler, primitives, hash, encode, startLane } = options
    this.#options = options
    this.static = new StaticAgreement(options, session.session)
    this.#seed = session.seed
    const { sent, trackers, scan } = trackPages(options, hasher, session.seed)
    this.#trackerName = trackers[0]?.name ?? 'none'
    this.pages = new RoundPages(options, trackers, scan && ((into) => this.#share(scan, into)))
    const memoryBytes = memoryBytesOf(options)
    this.#open = new OpenRounds(options, this.pages.areAllDirty, trackers, scan)
    this.log = new RoundLog(pageBytes, memoryBytes)
    this.terms = {
      lanes: 1,
      creditBytes: Infinity,
      settings: encode,
      storeBytes: 0,
      findsStatic: false,
    }
    this.steering = new Steering(options, this)
    this.decisions = new DecisionLog(clock, options.onDecision)
    const memory = { pageBytes, sent, scan: scan && ((): MemoryScan => scan) }
    const onHungry = (): void => this.#open.hungry()
    const lanes = { ...session, dialler, clock, primitives, hash, ...memory, onHungry }
    const areShared = sent.every(({ region }) => isShared(region.bytes))
    const { postCopy, reverse } = createPostCopy(options, session, sent)
    this.#postCopy = postCopy
    this.#reverse = reverse
    this.#earlyEnd = new EarlyEnd(sent)
    const { log, pages, steering, decisions } = this
    const parts = { log, pages, steering, decisions, earlyEnd: this.#earlyEnd }
    this.#review = new Review(options, { ...parts, sweeps: this.#open.sweeps, watch: this.#watch })
    this.#createLanes = (epoch) => {
      const isRemote = startLane !== undefined && areShared
      const ofEpoch = { ...lanes, epoch }
      return isRemote ? new RemoteLanes(ofEpoch, startLane) : new LocalLanes(ofEpoch)
    }
    this.lanes = this.#createLanes(0)
  }

  /** How stores are found. */
  get trackerName(): string {
    return this.#open.marksName ?? this.#trackerName
  }

  /** Makes ready to send, while the destination reserves memory. */
  prepare(memoryBytes: number): void {
    this.lanes.prepare({ ...this.terms, count: this.terms.lanes, memoryBytes })
    this.steering.pace()
    this.#postCopy?.prepare(memoryBytes)
    this.#open.prepare()
    if (this.terms.findsStatic) this.static.lookAhead(this.pages.findUntouched(), this.#seed)
  }

  /** Dials all channels for pages. */
  async open(channels: Channels): Promise<void> {
    await this.lanes.open(this.terms.findsStatic ? this.static.lookup : undefined)
    await this.#postCopy?.open(channels)
  }

  /** Makes ready for post-copy without rounds: in the pause there is no time to look at pages. */
  addTouched(): void {
    this.pages.addTouched()
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
    this.terms = { ...this.terms, findsStatic: false }
    this.prepare(memoryBytesOf(this.#options))
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
    this.#postCopy!.announce(await this.pages.announce(), send)
  }

  /** The guest is paused, for post-copy: tells which pages the destination lacks beside those. */
  async discard(round: number, send: (body: Discard) => void): Promise<void> {
    this.#open.sweeps?.end()
    const lacking = await this.pages.takeLacking(round === 1)
    // Policies are asked while the guest is still the source's, whatever comes of it.
    this.steering.begin(round, 'post-copy')
    this.#round = round
    this.#pages = lacking.reduce((sum, { size }) => sum + size, 0)
    this.#postCopy!.discard(round, lacking, send)
  }

  /** The guest is the destination's. */
  release(): void {
    this.#postCopy?.release()
  }

  /** Sends what was discarded; resolves when it was handed to the sockets. */
  async push(announce: (body: RoundBegin) => void): Promise<void> {
    this.steering.pace()
    const startMs = this.#options.clock.nowMs()
    announce({ round: this.#round, kind: 'post-copy', pages: this.#pages })
    this.#isSending = true
    const sent = await this.#postCopy!.send(this.lanes)
    this.#isSending = false
    this.#review.sent({ round: this.#round, pages: this.#pages, heldPages: 0, startMs, sent })
  }

  /** The last state of the guest that is known here. */
  lastCheckpoint(handedOverMs: number): Checkpoint {
    return this.#reverse?.last ?? { number: 0, atMs: handedOverMs }
  }

  /** Pages that the guest has given up are zero here, too: it goes on here after all. */
  clearGivenUp(): void {
    this.pages.clearGivenUp()
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
    this.#review.askForPostCopy(by)
  }

  /** No further round: what the one that is going on has not sent yet goes in the pause. */
  endNow(by: StopDecision): void {
    this.#watch.end()
    this.#earlyEnd.now(by)
    this.#open.endNow()
  }

  /** @param isCompleted - everything that was sent is of use: it is flushed */
  close(isCompleted: boolean): void {
    this.steering.end()
    this.#open.sweeps?.end()
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
    const pagesTotal = this.#open.totalPages(this.#pages, pagesDone)
    const checkpoint = this.#reverse?.last?.number
    return { round: this.#round, pagesDone, pagesTotal, checkpoint }
  }

  /**
   * Sends one round; resolves when it was handed to the socket.
   *
   * @param announce - sends ROUND_BEGIN
   */
  async send(round: number, kind: RoundKind, announce: (body: RoundBegin) => void): Promise<void> {
    const { clock } = this.#options
    await this.#collectFor(round, kind)
    this.steering.begin(round, kind === 'final' ? 'pause' : 'rounds')
    const held = this.pages.heldPages
    this.#round = round
    const sweeps = this.#open.sweeps
    const isOpen = this.#open.isOpen(round, kind)
    this.#pages = isOpen && sweeps ? sweeps.dirtyPages : this.pages.size
    const startMs = clock.nowMs()
    announce({ round, kind, pages: this.#pages, ...(isOpen && { open: true }) })
    const set = this.#lastSet ?? this.pages.take()
    const { lanes, settings } = this.terms
    // Versions and stores are a lane's own: pages come back to the lane that has them.
    const looks = looksAtPages(settings)
    const pieces = this.#open.begin(round, kind, set, lanes, looks)
    this.#postCopy?.skip(round)
    const isMarked = kind === 'full' && settings.delta && settings.admit === 'marked'
    const meanwhile = kind === 'final' ? undefined : this.pages.collectMeanwhile(round, isMarked)
    const { again, leavesAgain = false } = meanwhile ?? {}
    const left = kind === 'final' ? undefined : this.#earlyEnd.left
    const marks = { ...set, again, leavesAgain, left }
    const known = round > 1
    const mayLack = kind !== 'final'
    const work = { round, known, mayLack, ...marks, ...pieces, push: undefined }
    if (kind !== 'final') this.#earlyEnd.begin(work)
    this.#isSending = true
    let sent: LaneRound
    try {
      sent = await this.#open.run(work, this.lanes.sendRound(work), () => this.lanes.goOn())
    } finally {
      await meanwhile?.end()
    }
    this.#isSending = false
    this.#pages = isOpen ? sent.pages + sent.unchangedPages : this.#pages - sent.heldPages
    const heldPages = held + sent.heldPages
    this.#review.sent({ round, pages: this.#pages, heldPages, startMs, sent })
    this.pages.addLeft(work.left ?? [])
    // The link has something to do until the destination has acknowledged the round.
    if (kind !== 'final') sweeps?.estimate(this.pages.pending)
    if (kind === 'final') this.#review.ended(true)
  }

  /** All threads look through memory. */
  async #share(scan: MemoryScan, into: readonly PageBitmap[]): Promise<void> {
    const job = scan.begin(into)
    await Promise.all([this.lanes.scan(job), scan.run(job, this.#options.clock)])
  }

  /** Finds out which pages the round is of. */
  async #collectFor(round: number, kind: RoundKind): Promise<void> {
    const { clock, hybrid, auto } = this.#options
    if (round === 1) {
      if (auto !== undefined) this.decisions.add(0, [auto.beginning])
      const { workingSetMs } = hybrid ?? {}
      if (workingSetMs === undefined) this.pages.addAll(kind === 'final')
      else await this.pages.findWorkingSet(this.#watch, workingSetMs)
      this.#review.begin()
    } else if (this.#open.sweeps === undefined && kind === 'final') {
      await this.pages.collectLast()
    } else if (this.pages.size === 0 && this.pages.heldPages > 0) {
      await this.#watch.wait(clock, this.#review.emptyRoundMs)
    }
  }

  /** What ROUND_END says of the round that was just sent. */
  get totals(): RoundEnd {
    const { batches, pages, digest, heldPages } = this.#review.last
    const held = heldPages === 0 ? {} : { held: heldPages }
    return { round: this.#round, batches, pages, digest: u64ToBytes(digest), ...held }
  }

  /** The destination acknowledged the round. */
  acknowledged(): void {
    this.#review.ended(false)
  }

  /**
   * Whether another round is of no use, as can be said when a round is on its way: the look at all
   * of memory that the pause begins with may go on while its last pages arrive.
   *
   * @returns after how long the guest is to be stopped, milliseconds; undefined: not yet
   */
  foresee(roundTripMs: number): Promise<number | undefined> {
    return this.#review.foresee(roundTripMs, this.lanes.threads)
  }

  /** The guest is about to be stopped. @returns whether what was foreseen holds, and will */
  settle(): boolean {
    return this.#review.settle()
  }

  /** The guest stands, and the destination has not acknowledged the round yet: looks already. */
  look(): void {
    const { lanes, settings } = this.terms
    this.#lastSet = this.pages.take()
    const sweeps = this.#open.sweeps!
    this.lanes.look(sweeps.lookEarly(this.#lastSet, lanes, looksAtPages(settings)))
  }

  /**
   * Counts what became dirty and asks the stop rules.
   *
   * @returns the rule that fired and what is next; undefined to go on with another round
   */
  decide(roundTripMs: number): Promise<RoundsEndDecision | undefined> {
    return this.#review.decide(roundTripMs, this.lanes.threads)
  }
}
