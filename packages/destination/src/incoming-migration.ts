/**
 * The destination agent's half of one migration: performs the effects of the machine in `session`
 * and reports what came of them. Mirrors `source-migration.ts`.
 *
 * @module
 */
import type { FinalState, IncomingGuest, Report } from '@godwit/core'
import {
  GodwitError,
  PeerError,
  ProtocolError,
  TransportError,
  assertNever,
  mayPostCopy,
  toGodwitError,
} from '@godwit/core'
import type { Link, LinkHandler } from '@godwit/link'
import { ControlLink, HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationTermsInForce,
} from '@godwit/session'
import {
  awaitsPages,
  isDestinationFinished,
  mayInstall,
  isPostCopy,
  negotiate,
  OWNER_EPOCH,
  ownsGuest,
  Runner,
  stepDestination,
} from '@godwit/session'
import type {
  Final,
  Hello,
  Message,
  MessageName,
  Preface,
  Reserve,
  RoundBegin,
  Verify,
  Welcome,
} from '@godwit/wire'
import { ChannelRole, errorCodeOf } from '@godwit/wire'
import { DestinationReport } from './destination-report.ts'
import { GuestTime } from './guest-time.ts'
import type { DestinationOptions, DestinationProgress } from './options.ts'
import { termsOf } from './options.ts'
import type { LanesOwner } from './lanes.ts'
import { Rounds } from './rounds.ts'
import { zeroInPieces } from './zero-memory.ts'

/** One guest on its way in. */
export class IncomingMigration implements LanesOwner {
  readonly sessionId: string
  /** Resolves with the report when the session is over, whatever the outcome. Never rejects. */
  readonly done: Promise<Report>
  readonly control: ControlLink
  readonly #options: DestinationOptions
  readonly #report: DestinationReport
  readonly #runner: Runner<DestinationState, DestinationEvent, DestinationEffect>
  #terms: DestinationTermsInForce = { mode: 'pre-copy', verify: false, final: false }
  #hello: Hello | undefined
  #welcome: Welcome | undefined
  #reserve: Reserve | undefined
  #guest: IncomingGuest | undefined
  #rounds: Rounds | undefined
  #round: RoundBegin | undefined
  #acknowledgedRound = 0
  #package: Uint8Array = new Uint8Array(0)
  #verify: Verify | undefined
  #final: Final | undefined
  #time: GuestTime | undefined
  /** The guest is here with all of its pages. */
  readonly #filled = Promise.withResolvers<void>()

  constructor(link: Link, sessionId: string, options: DestinationOptions) {
    this.sessionId = sessionId
    this.#options = options
    this.#report = new DestinationReport(options)
    this.#report.channels.push(link)
    const handler = {
      message: (message: Message) => this.#runner.dispatch({ type: 'message', message }),
      closed: (error: GodwitError | undefined) => this.#lost(error),
    }
    const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT
    this.control = new ControlLink(link, options.clock, handler, heartbeatMs)
    this.#runner = new Runner<DestinationState, DestinationEvent, DestinationEffect>({
      initial: { name: 'greeting' },
      step: (state, event) => stepDestination(state, event, this.#terms),
      perform: (effect) => this.#perform(effect),
      failure: (thrown) => ({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) }),
      isFinished: isDestinationFinished,
    })
    this.done = this.#runner.finished.then(() => this.#end())
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
    return this.ownsGuest ? this.#guest : undefined
  }

  /** Gives the memory of an owned guest back, whether its time is over or not. */
  async release(): Promise<void> {
    this.#time?.cancel()
    await this.guest?.discard()
  }

  /** Resolves when a guest whose time is limited (`runForMs`) has been stopped. */
  get guestStopped(): Promise<FinalState> | undefined {
    return this.#time?.stopped
  }

  get report(): DestinationReport {
    return this.#report
  }

  get progress(): DestinationProgress {
    return {
      stage: this.#report.stage,
      round: this.#round?.round ?? 0,
      pagesDone: this.#rounds?.lanes.pages ?? 0,
      pagesTotal: this.#round?.pages ?? 0,
      wireBytes: this.#report.wireBytes,
      elapsedMs: this.#report.elapsedMs,
    }
  }

  /**
   * A data channel of this session was dialled.
   *
   * @returns undefined when its connection was given to another thread
   * @throws {ProtocolError} `PROTOCOL_STATE`: too early, too late, or its number is taken
   */
  openLane(preface: Preface, link: Link): LinkHandler | undefined {
    const state = this.#runner.state
    const isTime = state.name === 'reserved' && state.round === 0 && state.switching === 'no'
    if (this.#rounds === undefined || !isTime) {
      throw new ProtocolError('PROTOCOL_STATE', 'A data channel was dialled at the wrong time')
    }
    const isUrgent = preface.role === ChannelRole.Urgent
    const { lanes } = this.#rounds
    const lane = isUrgent ? lanes.openUrgent(link) : lanes.open(preface.index, link)
    if (lane !== undefined) this.#report.channels.push(link)
    return lane
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
      case 'prepare':
        // Durable ownership records come with the state directory; the order is right already.
        this.#report.reach('commit')
        break
      case 'own-and-run':
        this.#runner.start(() => this.#run())
        break
      case 'discard':
        // Done in #end, when nothing touches the memory any more.
        break
      case 'refuse':
        if (!(effect.error instanceof PeerError)) this.control.refuse(effect.error)
        break
      case 'close':
        this.control.close()
        void this.#rounds?.lanes.close()
        break
      default:
        assertNever(effect)
    }
  }

  #send(name: MessageName): void {
    const message = this.#compose(name)
    const { state } = this.#runner
    // Before the source hears that it may go on: its pages may be quicker than this thread.
    this.#rounds?.lanes.allow(
      mayInstall(state) ? this.#acknowledgedRound + 1 : 0,
      isPostCopy(state),
    )
    if (state.name === 'running') this.#filled.resolve()
    this.control.send(message)
  }

  #compose(name: MessageName): Message {
    switch (name) {
      case 'Welcome':
        return { name, body: this.#welcome! }
      case 'Reserved':
        return { name, body: { reservedBytes: this.#report.memoryBytes } }
      case 'RoundAck': {
        const { round } = this.#round!
        this.#acknowledgedRound = round
        return { name, body: { round } }
      }
      case 'SwitchOverAck':
        return { name, body: {} }
      case 'Ready':
        return { name, body: { epoch: OWNER_EPOCH } }
      case 'Running':
        return { name, body: { epoch: OWNER_EPOCH, resumeMs: this.#report.resumeMs! } }
      case 'Verified':
        return { name, body: this.#report.compared(this.#verify!, this.#rounds!) }
      case 'Final':
        return { name, body: this.#final! }
      case 'EndAck':
        return { name, body: this.#report.end(this.#guest?.pager) }
      default:
        throw new Error(`the destination does not send ${name}`)
    }
  }

  #apply(message: Message): void {
    switch (message.name) {
      case 'Error': {
        const { code, text, phase } = message.body
        throw new PeerError(errorCodeOf(code), text, phase === undefined ? {} : { phase })
      }
      case 'Hello':
        this.#applyHello(message.body)
        break
      case 'Reserve':
        this.#reserve = message.body
        break
      case 'RoundBegin':
        this.#round = message.body
        this.#report.roundBegins(message.body)
        break
      case 'RoundEnd':
        this.#rounds!.lanes.addEnd(message.body)
        break
      case 'Discard':
        this.#rounds!.discard(message.body)
        break
      case 'State':
        this.#package = message.body.package
        break
      case 'Commit':
        this.#report.committed()
        break
      case 'Verify':
        this.#verify = message.body
        break
      case 'End':
        this.#report.addSourceUsage(message.body.usage)
        break
      default:
        // Nothing to note: the machine has drawn its conclusions.
        break
    }
  }

  #applyHello(hello: Hello): void {
    this.#hello = hello
    this.#welcome = negotiate(hello, termsOf(this.#options))
    this.control.peerHeartbeatMs = hello.heartbeatMs
    this.#terms = {
      mode: hello.mode,
      verify: hello.verify !== 'none',
      final: this.#welcome.finalAfterMs !== undefined,
    }
    this.#report.greeted(hello, this.#welcome)
  }

  async #reserveMemory(): Promise<DestinationEvent> {
    const { host, clock, lanes, zero = zeroInPieces(clock) } = this.#options
    const { guest: identity, regions } = this.#reserve!
    const welcome = this.#welcome!
    const report = this.#report
    report.reserving(this.#reserve!)
    const sizes = { memoryBytes: report.memoryBytes, regionCount: regions.length }
    const rounds = (this.#rounds = new Rounds(this.#hello!, welcome, sizes, this.#options, this))
    const isPostCopy = mayPostCopy(this.#terms.mode)
    const offer = { identity, pageBytes: welcome.pageBytes, regions, isPostCopy }
    // Data channels come as the control channel came.
    const threads = this.control.link.channel.detach === undefined ? undefined : lanes
    // A host that has its memory made ready has agreed to the guest: others get no threads.
    this.#guest = await host.reserve(offer, async (memory, isFresh) => {
      if (threads === undefined) rounds.lanes.warmUp()
      else rounds.lanes.startThreads(threads, (lane) => report.channels.push(lane))
      await zero(memory, isFresh)
    })
    if (this.#options.runForMs !== undefined && this.#guest.stop === undefined) {
      throw new GodwitError('GUEST_OPTION', 'This guest cannot be stopped: its time has no limit')
    }
    await rounds.takeMemory(this.#guest)
    report.reserved(rounds.kernels)
    return { type: 'reserved' }
  }

  /** A round is installed when every lane's barrier and ROUND_END are there, and agree. */
  #joinRound(): void {
    const joined = this.#rounds!.join()
    if (joined === undefined) return
    this.#report.roundEnded(joined, this.#rounds!.receivedBytes)
    this.#runner.dispatch({ type: 'installed' })
  }

  async #load(): Promise<DestinationEvent> {
    await this.#guest!.restoreState(this.#package)
    return { type: 'loaded' }
  }

  async #run(): Promise<DestinationEvent> {
    await this.#guest!.run()
    this.#report.activated()
    this.#limitTime()
    return { type: 'started' }
  }

  /** A guest whose time is limited is stopped then; a source that asked is told how it ended. */
  #limitTime(): void {
    const { clock, runForMs } = this.#options
    if (runForMs === undefined) return
    this.#time = new GuestTime(clock, this.#guest!, runForMs)
    this.#time.stopped
      .then((final) => this.#tellFinal(final))
      .catch((thrown: unknown) => this.#runner.fail(thrown))
  }

  async #tellFinal({ steps, registers }: FinalState): Promise<void> {
    await this.#filled.promise
    if (!this.#terms.final || this.#runner.state.name !== 'running') return
    const { digest } = await this.#rounds!.digestNow()
    this.#final = { steps, registers, digest }
    if (this.#runner.state.name === 'running') this.#runner.dispatch({ type: 'finished' })
  }

  /** Nothing of the session is under way any more: memory that is not ours goes. */
  async #end(): Promise<Report> {
    if (!this.ownsGuest) await this.#discard()
    await Promise.all(this.#report.channels.map(({ ended }) => ended))
    return this.#report.finish(this.#runner.state)
  }

  async #discard(): Promise<void> {
    await this.#rounds?.lanes.close()
    const guest = this.#guest
    this.#guest = undefined
    this.#rounds = undefined
    try {
      await guest?.discard()
    } catch (thrown) {
      this.#report.note(toGodwitError(thrown, this.#report.stage))
    }
  }
}
