/**
 * The destination agent's half of one migration: performs the effects of the machine in `session`
 * and reports what came of them. Mirrors `source-migration.ts`.
 *
 * @module
 */
import type { FinalState, GodwitError, IncomingGuest, OwnerStore, Report } from '@godwit/core'
import { PeerError, ProtocolError, TransportError, assertNever, toGodwitError } from '@godwit/core'
import type { ControlLink, Link, LinkHandler } from '@godwit/link'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationTermsInForce,
} from '@godwit/session'
import {
  awaitsChannels,
  awaitsPages,
  isDestinationFinished,
  isDestinationRecovering,
  isHolding,
  isInterruptible,
  isPostCopy,
  mayInstall,
  mayResume,
  ownsGuest,
  Runner,
  stepDestination,
} from '@godwit/session'
import type { ImageKey, Message, MessageName, Preface } from '@godwit/wire'
import { Arrival } from './arrival.ts'
import { ControlChannel } from './control-channel.ts'
import { DestinationReport } from './destination-report.ts'
import { Dialogue } from './dialogue.ts'
import type { LanesOwner } from './lanes.ts'
import { LostSource } from './lost-source.ts'
import type { DestinationOptions, DestinationProgress } from './options.ts'
import { termsBeforeHello } from './options.ts'
import { Ownership } from './ownership.ts'
import { Reservation, startLanes } from './reservation.ts'
import { Rounds } from './rounds.ts'

/** One guest on its way in. */
export class IncomingMigration implements LanesOwner {
  readonly sessionId: string
  /** Resolves with the report when the session is over, whatever the outcome. Never rejects. */
  readonly done: Promise<Report>
  readonly #options: DestinationOptions
  readonly #report: DestinationReport
  readonly #runner: Runner<DestinationState, DestinationEvent, DestinationEffect>
  #terms: DestinationTermsInForce
  readonly #arrival: Arrival
  #reservation: Reservation | undefined
  #rounds: Rounds | undefined
  readonly #dialogue: Dialogue
  readonly #source: LostSource
  readonly #channel: ControlChannel
  readonly #ownership: Ownership

  constructor(link: Link, sessionId: string, options: DestinationOptions, owners: OwnerStore) {
    this.sessionId = sessionId
    this.#options = options
    this.#report = new DestinationReport(options, sessionId)
    this.#arrival = new Arrival(options, async () => (await options.makeRoom?.(this)) ?? false)
    this.#ownership = new Ownership(owners, sessionId)
    this.#dialogue = new Dialogue({
      options,
      report: this.#report,
      rounds: () => this.#rounds!,
      pager: () => this.#arrival.guest?.pager,
      state: () => this.#runner.state,
    })
    const { clock, recoverMs = Infinity } = options
    this.#source = new LostSource(clock, recoverMs, () => this.giveUp())
    this.#terms = { ...termsBeforeHello, recovers: recoverMs > 0 }
    this.#channel = new ControlChannel(link, options, this.#report, {
      message: (message) => this.#runner.dispatch({ type: 'message', message }),
      admit: (bytes) => options.stateRoom?.claim(this, bytes, this.#arrival.guest !== undefined),
      closed: (error) => this.#lost(error),
    })
    this.#runner = new Runner<DestinationState, DestinationEvent, DestinationEffect>({
      initial: { name: 'greeting' },
      step: (state, event) => stepDestination(state, event, this.#terms),
      perform: (effect) => this.#perform(effect),
      failure: (thrown) => ({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) }),
      isFinished: isDestinationFinished,
    })
    this.done = this.#runner.finished.then(() => this.#end())
  }

  get control(): ControlLink {
    return this.#channel.link
  }

  get state(): DestinationState['name'] {
    return this.#runner.state.name
  }

  /** Whether the guest is this side's; it stays so after the session ended. */
  get ownsGuest(): boolean {
    return ownsGuest(this.#runner.state)
  }

  /** The guest, once this side owns it. */
  get guest(): IncomingGuest | undefined {
    return this.ownsGuest ? this.#arrival.guest : undefined
  }

  /** Gives the memory of an owned guest back, whether its time is over or not. */
  async release(): Promise<void> {
    if (!this.ownsGuest) return
    await this.#arrival.release()
    const { state } = this.#runner
    await this.#ownership.ended(state.name === 'completed' && state.error === undefined)
  }

  /** Whether a source that connects anew comes to this session, and not just to what is written. */
  get isReachable(): boolean {
    const { state } = this.#runner
    if (isDestinationFinished(state)) return false
    // Even where it is too early: what is written would say that the guest runs.
    return !ownsGuest(state) || isInterruptible(state) || isDestinationRecovering(state)
  }

  /** Stored images of the guest, newest first, as the source told at its end: for its next move. */
  get images(): readonly ImageKey[] {
    return this.#dialogue.images
  }

  /** Resolves when a guest whose time is limited (`runForMs`) has been stopped. */
  get guestStopped(): Promise<FinalState> | undefined {
    return this.#arrival.stopped
  }

  get report(): DestinationReport {
    return this.#report
  }

  get progress(): DestinationProgress {
    return this.#report.progress(this.#dialogue.round, this.#rounds?.lanes.pages)
  }

  /**
   * A data channel of this session was dialled.
   *
   * @returns undefined when its connection was given to another thread
   * @throws {ProtocolError} `PROTOCOL_STATE`: too early, too late, or its number is taken
   */
  openLane(preface: Preface, link: Link): LinkHandler | undefined {
    this.#channel.epoch.checkCurrent(preface.epoch)
    // Why it is over is on its way, by the control channel, and may come later.
    if (this.#runner.state.name === 'discarded') throw this.#runner.state.error
    if (this.#rounds === undefined || !awaitsChannels(this.#runner.state)) {
      throw new ProtocolError('PROTOCOL_STATE', 'A data channel was dialled at the wrong time')
    }
    const lane = this.#rounds.open(preface, link)
    if (lane !== undefined) this.#report.channels.add(link)
    return lane
  }

  /**
   * The source has dialled a new control channel: for what was interrupted, whether this side has
   * noticed or not.
   *
   * @throws {ProtocolError} `EPOCH_STALE`, `PROTOCOL_STATE` {@link LimitError} `LIMIT_EXCEEDED`
   */
  reconnect(preface: Preface, link: Link): LinkHandler {
    this.#channel.epoch.checkNew(preface.epoch, this.#report.channels.openCount)
    if (isInterruptible(this.#runner.state)) {
      const text = 'The source has connected anew'
      this.#runner.fail(new TransportError('CONNECTION_LOST', text))
    }
    if (!mayResume(this.#runner.state)) {
      throw new ProtocolError('PROTOCOL_STATE', 'There is nothing to resume now')
    }
    const control = this.#channel.replace(preface, link)
    // The source may speak once it is answered: by then no lane stores to the memory any more.
    void this.#source.stopped.then(() => this.#answer(control, preface))
    return control
  }

  #answer(control: ControlLink, preface: Preface): void {
    if (this.control !== control || control.link.isClosed) return
    if (!mayResume(this.#runner.state)) return control.close()
    this.#runner.dispatch({ type: 'reconnected', epoch: preface.epoch })
    control.introduce(preface)
  }

  /** Whether the source was lost after READY, and nothing goes on yet. */
  get isSuspended(): boolean {
    const { state } = this.#runner
    return isDestinationRecovering(state) || isHolding(state)
  }

  /** Waits no longer for a source that was lost after READY, or that comes to be. */
  giveUp(): void {
    this.#terms = { ...this.#terms, recovers: false }
    if (this.isSuspended) this.#runner.dispatch({ type: 'give-up' })
  }

  /** Gives up: a guest that is not owned yet is discarded, and the source is told. */
  abort(error: GodwitError): void {
    this.#runner.dispatch({ type: 'fail', error })
  }

  // What the data plane tells.

  heard(): void {
    this.control.heard()
  }

  barrierPassed(): void {
    this.#joinRound()
  }

  laneClosed(error: GodwitError | undefined): void {
    if (awaitsPages(this.#runner.state)) this.#lost(error)
  }

  laneDied(error: GodwitError): void {
    // Where every page is installed nobody needs the lane any more.
    const { state } = this.#runner
    if (state.name === 'reserving' || awaitsPages(state)) this.#runner.fail(error)
  }

  #lost(error: GodwitError | undefined): void {
    const text = 'The source closed the connection'
    this.#runner.fail(error ?? new TransportError('CONNECTION_LOST', text))
  }

  #perform(effect: DestinationEffect): void {
    switch (effect.do) {
      case 'send':
        this.#send(effect.message)
        break
      case 'apply':
        this.#apply(effect.message)
        break
      case 'reserve':
        this.#runner.start(() => this.#reserveMemory())
        break
      case 'install':
        this.#joinRound()
        break
      case 'load':
        this.#runner.start(() => this.#load())
        break
      case 'record':
        if (effect.state === 'prepared') this.#report.reach('commit')
        this.#runner.start(() =>
          this.#ownership.record(effect.state, isPostCopy(this.#runner.state)),
        )
        break
      case 'run':
        this.#runner.start(() => this.#run())
        break
      case 'discard':
        // Done in #end, when nothing touches the memory any more.
        break
      case 'suspend':
        this.#suspend(effect.error)
        break
      case 'tell-lacking':
        this.#tellLacking()
        break
      case 'refuse':
        if (!(effect.error instanceof PeerError)) this.control.refuse(effect.error)
        break
      case 'close':
        this.#reservation?.cancel()
        this.#source.found()
        this.#runner.hold(this.#channel.close(this.#runner.state).then(() => this.#rounds?.close()))
        break
      default:
        assertNever(effect)
    }
  }

  #send(name: MessageName): void {
    const message = this.#dialogue.compose(name)
    const { state } = this.#runner
    // Before the source hears that it may go on: its pages may be quicker than this thread.
    this.#rounds?.lanes.allow(
      mayInstall(state) ? this.#dialogue.acknowledgedRound + 1 : 0,
      isPostCopy(state),
    )
    if (state.name === 'running') this.#rounds!.filled()
    this.control.send(message)
  }

  #apply(message: Message): void {
    const dialogue = this.#dialogue
    dialogue.apply(message)
    if (message.name !== 'Hello') return
    this.#channel.peerHeartbeatMs = message.body.heartbeatMs
    this.#terms = { ...this.#terms, ...dialogue.terms }
  }

  async #reserveMemory(): Promise<DestinationEvent> {
    const hello = this.#dialogue.hello!
    const { regions } = this.#dialogue.reserve!
    this.#reservation = new Reservation({
      sessionId: this.sessionId,
      options: this.#options,
      dialogue: this.#dialogue,
      report: this.#report,
      arrival: this.#arrival,
      ownership: this.#ownership,
      control: this.control,
    })
    const sizes = { memoryBytes: this.#report.memoryBytes, regionCount: regions.length }
    const welcome = this.#dialogue.welcome!
    this.#rounds = new Rounds(hello, welcome, sizes, this.#options, this)
    await this.#reservation.make(this.#rounds)
    return { type: 'reserved' }
  }

  /** The guest is here, and the source is needed: all channels go, and it is waited for. */
  #suspend(error: GodwitError): void {
    const { state } = this.#runner
    this.control.close()
    this.#source.lost(this.#rounds!.close(), state)
    this.#options.onSuspended?.(error, isHolding(state) ? 'held' : 'runs')
  }

  /** The source is there again: it is told what is lacking, and may send it by new channels. */
  #tellLacking(): void {
    const { state } = this.#runner
    if (state.name !== 'filling') throw new Error(`lacking in ${state.name}`)
    const { round } = state
    const lacking = this.#rounds!.lacking()
    for (const body of lacking) this.control.send({ name: 'Lacking', body })
    this.#dialogue.resumes(this.#channel.epoch.value, round, lacking)
    this.#rounds!.connect(round, (lanes) => {
      startLanes(lanes, this.control, this.#options, this.#report)
    })
    this.#source.found()
  }

  /** A round is installed when every lane's barrier and ROUND_END are there, and agree. */
  #joinRound(): void {
    const joined = this.#rounds!.join()
    if (joined === undefined) return
    this.#report.roundEnded(joined, this.#rounds!.receivedBytes)
    this.#runner.dispatch({ type: 'installed' })
  }

  async #load(): Promise<DestinationEvent> {
    await this.#arrival.guest!.restoreState(this.#dialogue.package)
    return { type: 'loaded' }
  }

  async #run(): Promise<DestinationEvent> {
    await this.#arrival.run(isPostCopy(this.#runner.state))
    if (isPostCopy(this.#runner.state)) this.#rounds!.guestRuns()
    this.#report.activated()
    this.#report.guestRuns(this.#arrival.guest!)
    this.#options.onRunning?.(this)
    this.#arrival.stopped
      ?.then((final) => this.#tellFinal(final))
      .catch((thrown: unknown) => this.#runner.fail(thrown))
    return { type: 'started' }
  }

  async #tellFinal(final: FinalState): Promise<void> {
    this.#report.guestStands()
    await this.#rounds!.whole
    if (!this.#terms.final || isDestinationFinished(this.#runner.state)) return
    const { digest } = await this.#rounds!.digestNow()
    this.#dialogue.ended(final, digest)
    if (!isDestinationFinished(this.#runner.state)) this.#runner.dispatch({ type: 'finished' })
  }

  /** Nothing of the session is under way any more: memory that is not ours goes. */
  async #end(): Promise<Report> {
    if (!this.ownsGuest) await this.#discard()
    await this.#report.channels.ended()
    if (!this.ownsGuest) await this.#ownership.close()
    const report = this.#report.finish(this.#runner.state, this.#rounds?.checkpoints)
    // They know memory of siblings, which may leave while the guest stays.
    this.#rounds = undefined
    this.#reservation = undefined
    return report
  }

  async #discard(): Promise<void> {
    await this.#rounds?.close()
    this.#rounds = undefined
    try {
      await this.#arrival.discard()
    } catch (thrown) {
      this.#report.note(toGodwitError(thrown, this.#report.stage))
    }
  }
}
