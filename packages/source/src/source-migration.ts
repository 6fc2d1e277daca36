/**
 * The source agent: drives one migration of one guest. The machine in `session` decides; this file
 * performs its effects and reports what came of them. Page bytes never pass through here.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import {
  CancelledError,
  GodwitError,
  PeerError,
  TransportError,
  assertNever,
  toGodwitError,
} from '@godwit/core'
import { Workspace } from '@godwit/codec'
import type { StopDecision } from '@godwit/policy'
import type { SourceEffect, SourceEvent, SourceState, SourceTerms } from '@godwit/session'
import {
  isCancellable,
  isFinished,
  isRecovering,
  mayTakeOver,
  needsDataChannels,
  Runner,
  stepSource,
} from '@godwit/session'
import type { Discard, Message } from '@godwit/wire'
import { SESSION_ID_BYTES } from '@godwit/wire'
import { helloOf, termsOf } from './agreement.ts'
import { Audit } from './audit.ts'
import { Connections } from './connection.ts'
import { Dialogue } from './dialogue.ts'
import { EarlyPause } from './early-pause.ts'
import { GuestPause } from './guest-pause.ts'
import type { SourceOptions, SourceProgress } from './options.ts'
import { Ownership } from './ownership.ts'
import { Reconnection, lossOf } from './reconnection.ts'
import { Rounds } from './rounds.ts'
import type { Moments } from './source-report.ts'
import { SourceReport } from './source-report.ts'
import { noTakeover, takeOver } from './take-over.ts'

/** One attempt to move one guest. Use once. */
export class SourceMigration {
  readonly #options: SourceOptions
  readonly #audit: Audit
  readonly #rounds: Rounds
  readonly #report: SourceReport
  readonly #moments: Moments
  readonly #reconnection: Reconnection
  readonly #runner: Runner<SourceState, SourceEvent, SourceEffect>
  #terms: SourceTerms
  readonly #connections: Connections
  readonly #dialogue: Dialogue
  readonly #guestPause: GuestPause
  readonly #earlyPause: EarlyPause
  readonly #ownership: Ownership

  constructor(options: SourceOptions) {
    this.#options = options
    const { primitives, randomBytes } = options
    const [seed, verifySeed] = [randomBytes(8), randomBytes(8)]
    const { session = randomBytes(SESSION_ID_BYTES) } = options
    this.#guestPause = new GuestPause(options.guest, {
      beforeResume: () => this.#rounds.clearGivenUp(),
      notResumed: (thrown) => this.#report.notResumed(thrown),
    })
    this.#connections = new Connections(options, session, {
      message: (message) => this.#runner.dispatch({ type: 'message', message }),
      closed: (error) => this.#lost(error),
    })
    this.#ownership = new Ownership(options, session, this.#connections.forLanes.seals)
    const workspace = new Workspace(primitives, 0)
    const hasher = workspace.createHasher(options.hash, seed)
    this.#audit = new Audit(options, workspace, hasher, verifySeed)
    const hello = helloOf(options, seed, verifySeed)
    const onLost = (error: GodwitError | undefined): void => {
      if (needsDataChannels(this.#runner.state)) this.#lost(error)
    }
    this.#rounds = new Rounds(options, hasher, { ...this.#connections.forLanes, seed, onLost })
    this.#report = new SourceReport(options, session, this.#rounds, workspace.kernels.active)
    this.#moments = this.#report.moments
    this.#dialogue = new Dialogue({
      options,
      hello,
      audit: this.#audit,
      rounds: this.#rounds,
      report: this.#report,
      connections: this.#connections,
      state: () => this.#runner.state,
    })
    const { clock, recoverMs = Infinity } = options
    this.#earlyPause = new EarlyPause(clock, this.#rounds, {
      stand: () => this.#stand(),
      isWanted: () => this.state === 'acknowledging',
      failed: (thrown) => this.#runner.fail(thrown),
    })
    this.#terms = termsOf(options)
    this.#runner = new Runner<SourceState, SourceEvent, SourceEffect>({
      initial: { name: 'idle' },
      step: (state, event) => stepSource(state, event, this.#terms),
      perform: (effect) => this.#perform(effect),
      failure: (thrown) => ({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) }),
      isFinished,
    })
    this.#reconnection = new Reconnection(clock, recoverMs, {
      reconnect: () => this.recover(),
      giveUp: () => this.giveUp(),
    })
  }

  /**
   * Migrates. Resolves with the report whatever the outcome: a failure before the guest was
   * released leaves it running at the source, and a new attempt may start at once.
   *
   * @param signal - aborting is {@link cancel}, where that is still possible
   */
  async run(signal?: AbortSignal): Promise<Report> {
    const onAbort = (): void => {
      if (this.canCancel) this.cancel()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#report.begin()
    this.#start(() => this.#openControl())
    if (signal?.aborted === true) onAbort()
    await this.#runner.finished
    await Promise.all([this.#connections.ended(), this.#rounds.ended()])
    await this.#ownership.end(this.#runner.state)
    signal?.removeEventListener('abort', onAbort)
    const report = this.#report.finish(this.#runner.state, this.#terms, this.#rounds.log)
    report.wireBytes = this.progress.wireBytes
    if (this.#connections.lostCount > 0) report.recoveries = this.#connections.lostCount
    return report
  }

  /** Whether {@link cancel} would be honoured now. */
  get canCancel(): boolean {
    return isCancellable(this.#runner.state)
  }

  get state(): SourceState['name'] {
    return this.#runner.state.name
  }

  /**
   * The guest goes on at the source. Takes effect at once, in every state before COMMIT.
   *
   * @throws {GodwitError} `TOO_LATE`
   */
  cancel(reason: CancelledError = new CancelledError()): void {
    if (!this.canCancel) {
      throw new GodwitError('TOO_LATE', 'The guest was handed over already; nothing to cancel')
    }
    this.#runner.fail(reason)
  }

  /** Cap on bandwidth, bytes per second, whatever a policy says; takes effect at once. */
  limitBandwidth(bytesPerSecond: number): void {
    this.#rounds.steering.set(bytesPerSecond)
  }

  get progress(): SourceProgress {
    return this.#report.progress(this.#connections.wireBytes + this.#rounds.wireBytes)
  }

  #perform(effect: SourceEffect): void {
    switch (effect.do) {
      case 'send':
        this.#connections.current.send(this.#dialogue.compose(effect.message))
        // The destination has its hands full then, too.
        if (effect.message === 'Reserve') this.#rounds.prepare(this.#report.memoryBytes)
        break
      case 'apply':
        this.#apply(effect.message)
        break
      case 'open-channels':
        this.#start(() => this.#openLanes())
        break
      case 'send-round':
        this.#start(() => this.#sendRound(effect))
        break
      case 'decide':
        this.#start(() => this.#decide())
        break
      case 'pause':
        this.#start(() => this.#pause())
        break
      case 'discard':
        this.#start(() => this.#discard(effect.round))
        break
      case 'capture':
        this.#start(() => this.#capture())
        break
      case 'release':
        this.#start(() => this.#release())
        break
      case 'keep':
        this.#start(() => this.#ownership.keep())
        break
      case 'digest':
        this.#start(() => this.#digest())
        break
      case 'prove':
        this.#start(() => this.#prove())
        break
      case 'resume':
        this.#runner.hold(this.#guestPause.resume())
        break
      case 'suspend':
        this.#suspend(effect.error)
        break
      case 'reconnect':
        this.#start(() => this.#openControl())
        break
      case 'take-over':
        this.#runner.hold(takeOver(this.#options, this.#report, this.#rounds, this.#ownership))
        break
      case 'refuse':
        if (!(effect.error instanceof PeerError)) this.#connections.current.refuse(effect.error)
        break
      case 'close':
        this.#close()
        break
      default:
        assertNever(effect)
    }
  }

  /** What a lost connection was still at ends without a word: its successor goes on. */
  #start(work: () => Promise<SourceEvent>): void {
    const { current } = this.#connections
    this.#runner.start(work, () => this.#connections.current === current)
  }

  async #openControl(): Promise<SourceEvent> {
    const { current } = this.#connections
    if (current.epoch === 0) await this.#ownership.open()
    await current.open()
    return current.epoch === 0 ? { type: 'start' } : { type: 'reconnected', epoch: current.epoch }
  }

  async #openLanes(): Promise<SourceEvent> {
    const { current } = this.#connections
    await this.#rounds.open(current.channels)
    if (this.#options.mode === 'post-copy' && current.epoch === 0) this.#rounds.addTouched()
    return { type: 'opened' }
  }

  /** Whose the guest is, or pages of it, is to be told: all channels go, and others come. */
  #suspend(error: GodwitError): void {
    this.#report.reach('recovery')
    this.#connections.replace()
    this.#rounds.suspend()
    this.#reconnection.lost()
    this.#options.onSuspended?.(error, lossOf(this.#runner.state))
  }

  /** Whether the destination was lost after the hand-over, while it is needed. */
  get isSuspended(): boolean {
    return isRecovering(this.#runner.state)
  }

  /** Tries at once to reach the destination again, where it was lost after the hand-over. */
  recover(): void {
    if (this.#runner.state.name === 'paused') this.#runner.dispatch({ type: 'reconnect' })
  }

  /** Reaches no more for a destination that was lost after the hand-over. */
  giveUp(): void {
    if (this.isSuspended) this.#runner.dispatch({ type: 'give-up' })
  }

  /**
   * The guest goes on here: from the last complete checkpoint, or else as it was handed over. What
   * it did at the destination since is lost. Only for an operator who vouches that the destination
   * is dead: two of the guest must never run.
   *
   * @returns which checkpoint that is, and how old
   * @throws {GodwitError} `TOO_LATE`
   */
  takeOver(): { readonly checkpoint: number; readonly ageMs: number } {
    if (!mayTakeOver(this.#runner.state)) throw noTakeover(this.isSuspended)
    const { number: checkpoint, atMs } = this.#rounds.lastCheckpoint(this.#moments.pausedMs!)
    this.#runner.dispatch({ type: 'take-over' })
    return { checkpoint, ageMs: this.#options.clock.nowMs() - atMs }
  }

  #lost(error: GodwitError | undefined): void {
    const text = 'The destination closed the connection'
    this.#runner.fail(error ?? new TransportError('CONNECTION_LOST', text))
  }

  async #sendRound(effect: SourceEffect & { do: 'send-round' }): Promise<SourceEvent> {
    if (effect.kind === 'full') this.#report.reach('pre-copy')
    if (effect.kind === 'post-copy') return this.#push()
    this.#moments.firstRoundMs ??= this.#options.clock.nowMs()
    await this.#rounds.send(effect.round, effect.kind, (body) => {
      this.#connections.current.send({ name: 'RoundBegin', body })
    })
    this.#moments.pagesSentMs = this.#options.clock.nowMs()
    if (effect.kind !== 'final')
      this.#runner.hold(this.#earlyPause.begin(this.#dialogue.roundTripMs))
    return { type: 'sent' }
  }

  async #push(): Promise<SourceEvent> {
    this.#report.reach('post-copy')
    this.#reconnection.succeeded()
    await this.#rounds.push((body) => this.#connections.current.send({ name: 'RoundBegin', body }))
    return { type: 'sent' }
  }

  readonly #sendDiscard = (body: Discard): void => {
    this.#connections.current.send({ name: 'Discard', body })
  }

  async #discard(round: number): Promise<SourceEvent> {
    await this.#rounds.discard(round, this.#sendDiscard)
    this.#moments.pagesSentMs = this.#options.clock.nowMs()
    return { type: 'discarded' }
  }

  async #decide(): Promise<SourceEvent> {
    const decided = await this.#rounds.decide(this.#dialogue.roundTripMs)
    if (decided === undefined) return { type: 'decided', next: 'round' }
    this.#report.stopped(decided)
    return { type: 'decided', next: decided.next }
  }

  /** Goes on with post-copy when the round that is going on has ended; in mode `hybrid`. */
  switchToPostCopy(by?: StopDecision): void {
    const { mode } = this.#options
    if (mode !== 'hybrid') throw new GodwitError('USAGE', `Mode ${mode} has no post-copy`)
    this.#rounds.askForPostCopy(by)
  }

  /** No round but the final one is sent any more: all that is left goes in the pause. */
  endRounds(by: StopDecision): void {
    this.#rounds.endNow(by)
  }

  async #pause(): Promise<SourceEvent> {
    await this.#stand()
    return { type: 'paused' }
  }

  /** The guest stands, whoever asked first. */
  async #stand(): Promise<void> {
    const { state } = this.#runner
    const before = async (): Promise<void> => {
      if (state.name === 'pausing' && state.postCopy) await this.#rounds.announce(this.#sendDiscard)
      this.#report.pauseBegins()
    }
    await this.#guestPause.pause(before, () => {
      this.#report.guestStands()
      this.#earlyPause.stands()
    })
  }

  async #release(): Promise<SourceEvent> {
    const { state } = this.#runner
    this.#report.reach('commit')
    const released = await this.#ownership.release(state.name === 'releasing' && state.postCopy)
    if (released.type === 'recorded') this.#rounds.release()
    return released
  }

  async #capture(): Promise<SourceEvent> {
    this.#dialogue.package = await this.#options.guest.captureState()
    return { type: 'captured' }
  }

  #apply(message: Message): void {
    this.#dialogue.apply(message)
    if (message.name === 'Running') this.#reconnection.succeeded()
    this.#ownership.heard(this.#runner.state)
    if (message.name === 'Welcome') this.#terms = termsOf(this.#options, message.body)
  }

  async #digest(): Promise<SourceEvent> {
    this.#report.reach('verification')
    this.#moments.verifyMs = this.#options.clock.nowMs()
    await this.#audit.digest(this.#rounds.pages.givenUp)
    return { type: 'digested' }
  }

  async #prove(): Promise<SourceEvent> {
    await this.#report.prove(this.#audit)
    return { type: 'proved' }
  }

  #close(): void {
    this.#reconnection.stop()
    this.#earlyPause.end()
    this.#connections.current.close()
    this.#rounds.close(this.#runner.state.name === 'completed')
    if (this.#runner.state.name === 'failed') this.#runner.hold(this.#guestPause.leave())
  }
}
