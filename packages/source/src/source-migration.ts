/**
 * The source agent: drives one migration of one guest. The machine in `session` decides; this file
 * performs its effects and reports what came of them. Page bytes never pass through here.
 *
 * @module
 */
import type { Channel, PageHasher, Region, Report } from '@godwit/core'
import {
  CancelledError,
  GodwitError,
  PeerError,
  ProtocolError,
  TransportError,
  assertNever,
  toGodwitError,
  yieldTo,
} from '@godwit/core'
import type { MemoryDigest } from '@godwit/codec'
import { createHasher, digestMemory } from '@godwit/codec'
import type { LinkHandler } from '@godwit/link'
import { ControlLink, HEARTBEAT_MS_DEFAULT, Link } from '@godwit/link'
import type { SourceEffect, SourceEvent, SourceState, SourceTerms } from '@godwit/session'
import {
  CAPABILITIES,
  SESSION_VERSION_MAX,
  SESSION_VERSION_MIN,
  checkWelcome,
  isCancellable,
  isFinished,
  stepSource,
} from '@godwit/session'
import type { Final, Hello, Message, MessageName, Preface, Usage, Verified } from '@godwit/wire'
import { ChannelRole, SESSION_ID_BYTES, errorCodeOf } from '@godwit/wire'
import type { SourceOptions } from './options.ts'
import { Rounds } from './rounds.ts'
import type { Moments } from './source-report.ts'
import { SourceReport } from './source-report.ts'

/** The only epoch before recovery exists: the hand-over makes the destination owner in epoch 1. */
const EPOCH = 1

/** What a progress bar shows. */
export interface SourceProgress {
  readonly stage: string
  readonly round: number
  /** Pages of this round handled so far, and in all. */
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly wireBytes: number
  /** Of the last acknowledged round, bytes per second. */
  readonly dirtyRate: number | undefined
  readonly bandwidth: number
  readonly elapsedMs: number
}

/** One attempt to move one guest. Use once. */
export class SourceMigration {
  readonly #options: SourceOptions
  readonly #hasher: PageHasher
  readonly #verifyHasher: PageHasher | undefined
  readonly #hello: Hello
  readonly #session: Uint8Array
  readonly #rounds: Rounds
  readonly #report: SourceReport
  readonly #moments: Moments
  readonly #channels: Channel[] = []
  readonly #events: SourceEvent[] = []
  readonly #finished = Promise.withResolvers<void>()
  readonly #dialling = new AbortController()
  /** Links that still wait for the destination's preface. */
  readonly #unopened = new Set<Link>()
  /** Work that must end before the guest may be migrated again. */
  readonly #inFlight = new Set<Promise<void>>()
  #state: SourceState = { name: 'idle' }
  #terms: SourceTerms
  #dispatching = false
  #settling = false
  #control: ControlLink | undefined
  #pausing: Promise<void> = Promise.resolve()
  #roundTripMs = 0
  #package: Uint8Array = new Uint8Array(0)
  #memoryDigest: MemoryDigest | undefined
  #final: Final | undefined

  constructor(options: SourceOptions) {
    this.#options = options
    const { hashes, randomBytes, verify } = options
    const fingerprintSeed = randomBytes(8)
    const verifySeed = randomBytes(8)
    this.#session = randomBytes(SESSION_ID_BYTES)
    this.#hasher = createHasher(hashes, options.hash, fingerprintSeed)
    const verifyHash = verify === 'sha256' ? 'sha256' : 'xxh64'
    this.#verifyHasher =
      verify === 'none' ? undefined : createHasher(hashes, verifyHash, verifySeed)
    this.#hello = {
      versionMin: SESSION_VERSION_MIN,
      versionMax: SESSION_VERSION_MAX,
      software: options.software,
      required: [],
      optional: options.prove === undefined ? [] : CAPABILITIES,
      pageBytes: [options.pageBytes],
      mode: options.mode,
      hash: options.hash,
      verify,
      fingerprintSeed,
      verifySeed,
      dataChannels: 1,
      heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT,
    }
    this.#rounds = new Rounds(options, this.#hasher)
    this.#report = new SourceReport(options, this.#rounds.trackerName)
    this.#moments = this.#report.moments
    this.#terms = { mode: options.mode, verify: verify !== 'none', final: false }
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
    this.#start(() => this.#openControl())
    if (signal?.aborted === true) onAbort()
    await this.#finished.promise
    signal?.removeEventListener('abort', onAbort)
    const report = this.#report.finish(this.#state, this.#terms, this.#rounds.log)
    report.wireBytes = this.#wireBytes()
    return report
  }

  /** Whether {@link cancel} would be honoured now. */
  get canCancel(): boolean {
    return isCancellable(this.#state)
  }

  get state(): SourceState['name'] {
    return this.#state.name
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
    this.#dispatch({ type: 'fail', error: new CancelledError() })
  }

  get progress(): SourceProgress {
    const { log } = this.#rounds
    return {
      stage: this.#report.stage,
      ...this.#rounds.progress,
      wireBytes: this.#wireBytes(),
      dirtyRate: log.rounds.findLast((round) => round.dirtyRate !== undefined)?.dirtyRate,
      bandwidth: log.bandwidth,
      elapsedMs: this.#options.clock.nowMs() - this.#moments.askedMs,
    }
  }

  /** Feeds the machine; the only place where the state changes. */
  #dispatch(event: SourceEvent): void {
    this.#events.push(event)
    if (this.#dispatching) return
    this.#dispatching = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      try {
        const { state, effects } = stepSource(this.#state, next, this.#terms)
        this.#state = state
        for (const effect of effects) this.#perform(effect)
      } catch (thrown) {
        this.#events.unshift({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) })
      }
    }
    this.#dispatching = false
    if (isFinished(this.#state)) void this.#settle()
  }

  #fail(thrown: unknown): void {
    this.#dispatch({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) })
  }

  /** After the last effect: nothing may touch the guest or its trackers any more. */
  async #settle(): Promise<void> {
    if (this.#settling) return
    this.#settling = true
    await Promise.allSettled([...this.#inFlight, this.#pausing])
    this.#finished.resolve()
  }

  /** Runs an asynchronous effect; its event, if any, is fed back when it is done. */
  #start(work: () => Promise<SourceEvent | undefined>): void {
    const running = work().then(
      (event) => {
        if (event !== undefined) this.#dispatch(event)
      },
      (thrown: unknown) => this.#fail(thrown),
    )
    this.#inFlight.add(running)
    void running.finally(() => this.#inFlight.delete(running))
  }

  #perform(effect: SourceEffect): void {
    switch (effect.do) {
      case 'send':
        this.#control?.send(this.#compose(effect.message))
        break
      case 'apply':
        this.#apply(effect.message)
        break
      case 'open-channels':
        this.#start(() => this.#openLane())
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
      case 'capture':
        this.#start(() => this.#capture())
        break
      case 'release':
        // Durable ownership records come with the state directory; the order is right already.
        this.#report.reach('commit')
        break
      case 'digest':
        this.#start(() => this.#digest())
        break
      case 'prove':
        this.#start(() => this.#prove())
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
      message: (message: Message) => this.#dispatch({ type: 'message', message }),
      closed: (error: GodwitError | undefined) => this.#lost(error),
    }
    await this.#dial(ChannelRole.Control, (link) => {
      this.#control = new ControlLink(link, clock, handler, this.#hello.heartbeatMs)
      return this.#control
    })
    return { type: 'start' }
  }

  async #openLane(): Promise<SourceEvent> {
    await this.#dial(ChannelRole.Data, (link) =>
      this.#rounds.open(link, (error) => this.#lost(error)),
    )
    return { type: 'opened' }
  }

  /** Dials a channel and exchanges prefaces; `open` makes the handler of what follows. */
  async #dial(role: Preface['role'], open: (link: Link) => LinkHandler): Promise<void> {
    const channel = await this.#options.dialler.dial(this.#dialling.signal)
    this.#channels.push(channel)
    const opened = Promise.withResolvers<void>()
    const preface = { role, index: 0, epoch: 0, session: this.#session }
    const link = new Link(
      channel,
      this.#options.clock,
      (answer, self) => {
        checkAnswer(preface, answer)
        opened.resolve()
        return open(self)
      },
      (error) => opened.reject(error ?? noAnswer(channel)),
    )
    this.#unopened.add(link)
    link.sendPreface(preface)
    await opened.promise.finally(() => this.#unopened.delete(link))
  }

  #lost(error: GodwitError | undefined): void {
    const text = 'The destination closed the connection'
    this.#fail(error ?? new TransportError('CONNECTION_LOST', text))
  }

  async #sendRound(effect: SourceEffect & { do: 'send-round' }): Promise<SourceEvent> {
    if (effect.kind === 'full') this.#report.reach('pre-copy')
    await this.#rounds.send(effect.round, effect.kind, (body) => {
      this.#moments.firstRoundMs ??= this.#options.clock.nowMs()
      this.#control!.send({ name: 'RoundBegin', body })
    })
    this.#moments.pagesSentMs = this.#options.clock.nowMs()
    return { type: 'sent' }
  }

  async #decide(): Promise<SourceEvent> {
    const decision = await this.#rounds.decide(this.#roundTripMs)
    if (decision === undefined) return { type: 'decided', next: 'round' }
    this.#report.stopped(decision)
    return { type: 'decided', next: 'switch-over' }
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
    this.#pausing = this.#pausing.catch(() => undefined).then(() => guest.resume())
  }

  #compose(name: MessageName): Message {
    const { guest, clock } = this.#options
    switch (name) {
      case 'Hello':
        this.#moments.helloMs = clock.nowMs()
        return { name, body: this.#hello }
      case 'Reserve': {
        this.#report.reach('reservation')
        const regions = guest.regions.map((region) => ({
          id: region.id,
          name: region.name,
          byteLength: region.bytes.length,
        }))
        return { name, body: { guest: guest.identity, regions } }
      }
      case 'RoundEnd':
        return { name, body: this.#rounds.totals }
      case 'SwitchOver':
        return { name, body: { round: this.#rounds.log.rounds.length } }
      case 'State':
        return { name, body: { package: this.#package } }
      case 'Commit':
        return { name, body: { epoch: EPOCH } }
      case 'Verify':
        return { name, body: this.#memoryDigest! }
      case 'End': {
        const { raw, zero, unchanged } = this.#rounds.log.pages
        const rounds = this.#rounds.log.rounds.length
        const usage = this.#report.readUsage()
        return { name, body: { rounds, pages: raw + zero + unchanged, usage } }
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
        this.#control!.peerHeartbeatMs = message.body.heartbeatMs
        this.#terms = { ...this.#terms, final: message.body.finalAfterMs !== undefined }
        break
      case 'Reserved':
        this.#moments.reservedMs = nowMs
        break
      case 'RoundAck':
        if (this.#state.name === 'deciding') this.#rounds.acknowledged()
        break
      case 'Ready':
        this.#moments.readyMs = nowMs
        break
      case 'Running':
        this.#moments.runningMs = nowMs
        this.#report.reach('activation')
        break
      case 'Verified':
        this.#applyVerified(message.body, nowMs)
        break
      case 'Final':
        this.#final = message.body
        break
      case 'EndAck':
        this.#applyUsage(message.body.usage)
        break
      default:
        // Nothing to note: the machine has drawn its conclusions.
        break
    }
  }

  #applyUsage(destination: Usage): void {
    this.#report.addDestinationUsage(destination)
  }

  #applyVerified(answer: Verified, nowMs: number): void {
    this.#moments.verifiedMs = nowMs
    this.#report.verified(this.#memoryDigest!.digest, answer)
  }

  async #digest(): Promise<SourceEvent> {
    this.#report.reach('verification')
    this.#moments.verifyMs = this.#options.clock.nowMs()
    this.#memoryDigest = await this.#digestOf(this.#options.guest.regions)
    return { type: 'digested' }
  }

  #digestOf(regions: readonly Region[]): Promise<MemoryDigest> {
    const { clock, pageBytes } = this.#options
    const hasher = this.#verifyHasher ?? this.#hasher
    return digestMemory(hasher, regions, pageBytes, () => yieldTo(clock))
  }

  /** Compares how the guest ended with a run that never moved. */
  async #prove(): Promise<SourceEvent> {
    const { prove } = this.#options
    this.#report.readUsage()
    if (prove !== undefined && this.#final !== undefined && !this.#report.differs) {
      this.#report.reach('proof')
      const digestOf = async (regions: readonly Region[]): Promise<Uint8Array> =>
        (await this.#digestOf(regions)).digest
      this.#report.proved(await prove(this.#final, digestOf))
    }
    return { type: 'proved' }
  }

  #close(): void {
    this.#dialling.abort(new CancelledError())
    this.#control?.close()
    this.#rounds.close()
    for (const link of this.#unopened) link.fail(new CancelledError())
  }

  #wireBytes(): number {
    return this.#channels.reduce((sum, one) => sum + one.bytesWritten + one.bytesRead, 0)
  }
}

function checkAnswer(asked: Preface, answer: Preface): void {
  const same =
    asked.role === answer.role &&
    asked.index === answer.index &&
    asked.epoch === answer.epoch &&
    asked.session.every((byte, index) => byte === answer.session[index])
  if (!same) {
    throw new ProtocolError('PROTOCOL_STATE', 'The destination answered for another channel')
  }
}

function noAnswer(channel: Channel): TransportError {
  const text = `${channel.remote} closed the connection without a word; is it a Godwit destination?`
  return new TransportError('CONNECTION_LOST', text)
}
