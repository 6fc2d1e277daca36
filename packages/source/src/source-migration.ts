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
import { Workspace, verifyHash } from '@godwit/codec'
import { ControlLink } from '@godwit/link'
import type { SourceEffect, SourceEvent, SourceState, SourceTerms } from '@godwit/session'
import {
  OWNER_EPOCH,
  checkEpoch,
  checkWelcome,
  isCancellable,
  isFinished,
  needsDataChannels,
  Runner,
  stepSource,
} from '@godwit/session'
import type { Hello, Message, MessageName } from '@godwit/wire'
import { ChannelRole, SESSION_ID_BYTES, errorCodeOf } from '@godwit/wire'
import { agreedTerms, helloOf, reserveOf, switchOverOf } from './agreement.ts'
import { Audit } from './audit.ts'
import { Channels } from './channels.ts'
import type { SourceOptions, SourceProgress } from './options.ts'
import { Rounds } from './rounds.ts'
import type { Moments } from './source-report.ts'
import { SourceReport } from './source-report.ts'

/** One attempt to move one guest. Use once. */
export class SourceMigration {
  readonly #options: SourceOptions
  readonly #audit: Audit
  readonly #hello: Hello
  readonly #rounds: Rounds
  readonly #report: SourceReport
  readonly #moments: Moments
  readonly #channels: Channels
  readonly #runner: Runner<SourceState, SourceEvent, SourceEffect>
  #terms: SourceTerms
  #control: ControlLink | undefined
  #pausing: Promise<void> = Promise.resolve()
  /** The shortest answer so far. */
  #roundTripMs = 0
  #roundEndMs = 0
  #package: Uint8Array = new Uint8Array(0)

  constructor(options: SourceOptions) {
    this.#options = options
    const { primitives, randomBytes, verify } = options
    const fingerprintSeed = randomBytes(8)
    const verifySeed = randomBytes(8)
    const session = randomBytes(SESSION_ID_BYTES)
    this.#channels = new Channels(options.dialler, options.clock, session)
    const workspace = new Workspace(primitives, 0)
    const hasher = workspace.createHasher(options.hash, fingerprintSeed)
    const verifyName = verifyHash(verify, options.hash)
    const audited = verifyName && workspace.createHasher(verifyName, verifySeed)
    this.#audit = new Audit(options, audited ?? hasher)
    this.#hello = helloOf(options, fingerprintSeed, verifySeed)
    this.#rounds = new Rounds(options, hasher, {
      session,
      seed: fingerprintSeed,
      onLost: (error) => {
        if (needsDataChannels(this.#runner.state)) this.#lost(error)
      },
    })
    this.#report = new SourceReport(options, this.#rounds, workspace.kernels.active)
    this.#moments = this.#report.moments
    this.#terms = { mode: options.mode, verify: verify !== 'none', final: false }
    this.#runner = new Runner<SourceState, SourceEvent, SourceEffect>({
      initial: { name: 'idle' },
      step: (state, event) => stepSource(state, event, this.#terms),
      perform: (effect) => this.#perform(effect),
      failure: (thrown) => ({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) }),
      isFinished,
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
    this.#report.reach('preparation')
    this.#options.usage?.start()
    this.#runner.start(() => this.#openControl())
    if (signal?.aborted === true) onAbort()
    await this.#runner.finished
    await Promise.all([this.#channels.ended(), this.#rounds.ended()])
    signal?.removeEventListener('abort', onAbort)
    const report = this.#report.finish(this.#runner.state, this.#terms, this.#rounds.log)
    report.wireBytes = this.#wireBytes
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
   * Stops the migration; the guest goes on at the source. Takes effect at once, in every state
   * before COMMIT.
   *
   * @throws {GodwitError} `TOO_LATE`
   */
  cancel(): void {
    if (!this.canCancel) {
      throw new GodwitError('TOO_LATE', 'The guest was handed over already; nothing to cancel')
    }
    this.#runner.fail(new CancelledError())
  }

  /** Cap on bandwidth while the guest runs, bytes per second; takes effect at once. */
  limitBandwidth(bytesPerSecond: number): void {
    this.#rounds.limitBandwidth(bytesPerSecond)
  }

  get progress(): SourceProgress {
    const { log } = this.#rounds
    return {
      stage: this.#report.stage,
      ...this.#rounds.progress,
      wireBytes: this.#wireBytes,
      dirtyRate: log.rounds.findLast((round) => round.dirtyRate !== undefined)?.dirtyRate,
      bandwidth: log.bandwidth,
      elapsedMs: this.#options.clock.nowMs() - this.#moments.askedMs,
    }
  }

  get #wireBytes(): number {
    return this.#channels.wireBytes + this.#rounds.wireBytes
  }

  #perform(effect: SourceEffect): void {
    switch (effect.do) {
      case 'send':
        this.#control?.send(this.#compose(effect.message))
        // The destination has its hands full then, too.
        if (effect.message === 'Reserve') this.#rounds.prepare(this.#report.memoryBytes)
        break
      case 'apply':
        this.#apply(effect.message)
        break
      case 'open-channels':
        this.#runner.start(() => this.#openLanes())
        break
      case 'send-round':
        this.#runner.start(() => this.#sendRound(effect))
        break
      case 'decide':
        this.#runner.start(() => this.#decide())
        break
      case 'pause':
        this.#runner.start(() => this.#pause())
        break
      case 'discard':
        this.#runner.start(() => this.#discard(effect.round))
        break
      case 'capture':
        this.#runner.start(() => this.#capture())
        break
      case 'release':
        // Durable ownership records come with the state directory; the order is right already.
        this.#report.reach('commit')
        this.#rounds.release()
        break
      case 'digest':
        this.#runner.start(() => this.#digest())
        break
      case 'prove':
        this.#runner.start(() => this.#prove())
        break
      case 'resume':
        this.#resume()
        break
      case 'refuse':
        if (!(effect.error instanceof PeerError)) this.#control?.refuse(effect.error)
        break
      case 'close':
        this.#close()
        break
      default:
        assertNever(effect)
    }
  }

  async #openControl(): Promise<SourceEvent> {
    const { clock } = this.#options
    const handler = {
      message: (message: Message) => this.#runner.dispatch({ type: 'message', message }),
      closed: (error: GodwitError | undefined) => this.#lost(error),
    }
    await this.#channels.dial(ChannelRole.Control, 0, (link) => {
      this.#control = new ControlLink(link, clock, handler, this.#hello.heartbeatMs)
      return this.#control
    })
    return { type: 'start' }
  }

  async #openLanes(): Promise<SourceEvent> {
    await this.#rounds.open(this.#channels)
    return { type: 'opened' }
  }

  #lost(error: GodwitError | undefined): void {
    const text = 'The destination closed the connection'
    this.#runner.fail(error ?? new TransportError('CONNECTION_LOST', text))
  }

  async #sendRound(effect: SourceEffect & { do: 'send-round' }): Promise<SourceEvent> {
    if (effect.kind === 'full') this.#report.reach('pre-copy')
    if (effect.kind === 'post-copy') return this.#push()
    await this.#rounds.send(effect.round, effect.kind, (body) => {
      this.#moments.firstRoundMs ??= this.#options.clock.nowMs()
      this.#control!.send({ name: 'RoundBegin', body })
    })
    this.#moments.pagesSentMs = this.#options.clock.nowMs()
    return { type: 'sent' }
  }

  async #push(): Promise<SourceEvent> {
    this.#report.reach('post-copy')
    await this.#rounds.push((body) => this.#control!.send({ name: 'RoundBegin', body }))
    return { type: 'sent' }
  }

  async #discard(round: number): Promise<SourceEvent> {
    await this.#rounds.discard(round, (body) => this.#control!.send({ name: 'Discard', body }))
    this.#moments.pagesSentMs = this.#options.clock.nowMs()
    return { type: 'discarded' }
  }

  async #decide(): Promise<SourceEvent> {
    const decided = await this.#rounds.decide(this.#roundTripMs)
    if (decided === undefined) return { type: 'decided', next: 'round' }
    this.#report.stopped(decided.decision)
    return { type: 'decided', next: decided.next }
  }

  /** Goes on with post-copy when the round that is going on has ended; in mode `hybrid`. */
  switchToPostCopy(): void {
    if (this.#options.mode !== 'hybrid') {
      throw new GodwitError('USAGE', `A migration in mode ${this.#options.mode} has no post-copy`)
    }
    this.#rounds.askForPostCopy()
  }

  async #pause(): Promise<SourceEvent> {
    this.#report.reach('stop-and-copy')
    this.#moments.pauseMs = this.#options.clock.nowMs()
    this.#pausing = this.#options.guest.pause()
    await this.#pausing
    this.#moments.pausedMs = this.#options.clock.nowMs()
    return { type: 'paused' }
  }

  async #capture(): Promise<SourceEvent> {
    this.#package = await this.#options.guest.captureState()
    return { type: 'captured' }
  }

  /** A pause that is still on its way ends first, so that it cannot overtake the resume. */
  #resume(): void {
    const { guest } = this.#options
    const resumed = this.#pausing.catch(() => undefined).then(() => guest.resume())
    this.#runner.hold(resumed.catch((thrown: unknown) => this.#report.notResumed(thrown)))
  }

  #compose(name: MessageName): Message {
    const { guest, clock } = this.#options
    switch (name) {
      case 'Hello':
        this.#moments.helloMs = clock.nowMs()
        return { name, body: this.#hello }
      case 'Reserve': {
        this.#report.reach('reservation')
        return { name, body: reserveOf(guest) }
      }
      case 'RoundEnd':
        this.#roundEndMs = clock.nowMs()
        return { name, body: this.#rounds.totals }
      case 'SwitchOver':
        return { name, body: switchOverOf(this.#runner.state) }
      case 'State':
        return { name, body: { package: this.#package } }
      case 'Commit':
        return { name, body: { epoch: OWNER_EPOCH } }
      case 'Verify':
        return { name, body: this.#audit.memory! }
      case 'End': {
        const { pages: counts, rounds } = this.#rounds.log
        const pages = Object.values(counts).reduce((sum, count) => sum + count, 0)
        return { name, body: { rounds: rounds.length, pages, usage: this.#report.readUsage() } }
      }
      default:
        throw new Error(`the source does not send ${name}`)
    }
  }

  #apply(message: Message): void {
    const nowMs = this.#options.clock.nowMs()
    switch (message.name) {
      case 'Error': {
        const { code, text, phase } = message.body
        throw new PeerError(errorCodeOf(code), text, phase === undefined ? {} : { phase })
      }
      case 'Welcome':
        checkWelcome(this.#hello, message.body)
        this.#roundTripMs = nowMs - this.#moments.helloMs!
        this.#rounds.terms = agreedTerms(this.#options, message.body)
        this.#report.agreed(this.#rounds.terms.settings)
        this.#control!.peerHeartbeatMs = message.body.heartbeatMs
        this.#terms = { ...this.#terms, final: message.body.finalAfterMs !== undefined }
        break
      case 'Reserved':
        this.#moments.reservedMs = nowMs
        break
      case 'RoundAck':
        this.#roundTripMs = Math.min(this.#roundTripMs, nowMs - this.#roundEndMs)
        this.#acknowledged()
        break
      case 'Ready':
        this.#moments.readyMs = nowMs
        break
      case 'Running':
        checkEpoch(message.body.epoch)
        this.#moments.runningMs = nowMs
        this.#report.reach('activation')
        break
      case 'Verified':
        this.#moments.verifiedMs = nowMs
        this.#report.verified(this.#audit.memory!.digest, message.body)
        break
      case 'Final':
        this.#audit.final = message.body
        break
      case 'EndAck':
        this.#report.addDestinationUsage(message.body.usage)
        this.#report.addFaults(message.body.faults)
        break
      default:
        // Nothing to note: the machine has drawn its conclusions.
        break
    }
  }

  #acknowledged(): void {
    const { state } = this.#runner
    if (state.name === 'deciding') this.#rounds.acknowledged()
    if (this.#report.stage !== 'post-copy') return
    this.#moments.filledMs = this.#options.clock.nowMs()
    this.#rounds.acknowledged()
  }

  async #digest(): Promise<SourceEvent> {
    this.#report.reach('verification')
    this.#moments.verifyMs = this.#options.clock.nowMs()
    await this.#audit.digest()
    return { type: 'digested' }
  }

  async #prove(): Promise<SourceEvent> {
    this.#report.readUsage()
    if (this.#audit.canProve && !this.#report.differs) {
      this.#report.reach('proof')
      this.#report.proved(await this.#audit.prove())
    }
    return { type: 'proved' }
  }

  #close(): void {
    this.#channels.abort()
    this.#control?.close()
    this.#rounds.close()
    const { lanes } = this.#rounds
    if (this.#runner.state.name === 'completed') lanes.close()
    else lanes.destroy()
  }
}
