/**
 * The destination agent's half of one migration: performs the effects of the machine in `session`
 * and reports what came of them. Mirrors `source-migration.ts`.
 *
 * @module
 */
import type { FinalState, IncomingGuest, PageHasher, Region, Report } from '@godwit/core'
import {
  GodwitError,
  PeerError,
  ProtocolError,
  TransportError,
  assertNever,
  toGodwitError,
  yieldTo,
} from '@godwit/core'
import type { DecodedTotals, InstalledPages, MemoryDigest } from '@godwit/codec'
import {
  BatchDecoder,
  createHasher,
  digestFingerprints,
  digestMemory,
  zeroFingerprints,
} from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import { ControlLink, HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationTermsInForce,
} from '@godwit/session'
import { isDestinationFinished, negotiate, ownsGuest, stepDestination } from '@godwit/session'
import type {
  Final,
  Hello,
  Message,
  MessageName,
  Preface,
  Reserve,
  RoundBegin,
  RoundEnd,
  Verify,
  Welcome,
} from '@godwit/wire'
import { errorCodeOf, u64FromBytes } from '@godwit/wire'
import { DestinationReport } from './destination-report.ts'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'
import type { DestinationOptions } from './options.ts'

const EPOCH = 1
/** This version of the agent opens one lane; the wire allows more. */
const DATA_CHANNELS_MAX = 1

/** What a progress line shows. */
export interface DestinationProgress {
  readonly stage: string
  readonly round: number
  readonly pagesDone: number
  readonly pagesTotal: number
  readonly wireBytes: number
  readonly elapsedMs: number
}

/** One guest on its way in. */
export class IncomingMigration implements LaneOwner {
  readonly sessionId: string
  /** Resolves with the report when the session is over, whatever the outcome. Never rejects. */
  readonly done: Promise<Report>
  readonly control: ControlLink
  readonly #options: DestinationOptions
  readonly #report: DestinationReport
  readonly #finished = Promise.withResolvers<void>()
  readonly #events: DestinationEvent[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #lanes: DestinationLane[] = []
  #state: DestinationState = { name: 'greeting' }
  #terms: DestinationTermsInForce = { mode: 'pre-copy', verify: false, final: false }
  #dispatching = false
  #settling = false
  #hello: Hello | undefined
  #welcome: Welcome | undefined
  #reserve: Reserve | undefined
  #guest: IncomingGuest | undefined
  #installed: readonly InstalledPages[] = []
  #hasher: PageHasher | undefined
  #verifyHasher: PageHasher | undefined
  #round: RoundBegin | undefined
  #roundEnd: RoundEnd | undefined
  #acknowledgedRound = 0
  #barriers: DecodedTotals[] = []
  #package: Uint8Array = new Uint8Array(0)
  #memoryDigest: MemoryDigest | undefined
  #verify: Verify | undefined
  #final: Final | undefined
  #guestStopped: Promise<FinalState> | undefined

  constructor(link: Link, sessionId: string, options: DestinationOptions) {
    this.sessionId = sessionId
    this.#options = options
    this.#report = new DestinationReport(options)
    this.#report.channels.push(link.channel)
    const handler = {
      message: (message: Message) => this.#dispatch({ type: 'message', message }),
      closed: (error: GodwitError | undefined) => this.#lost(error),
    }
    const heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT
    this.control = new ControlLink(link, options.clock, handler, heartbeatMs)
    this.done = this.#finished.promise.then(() => this.#report.finish(this.#state))
  }

  get state(): DestinationState['name'] {
    return this.#state.name
  }

  /** Whether the guest is this side's; it stays so after the session ended. */
  get ownsGuest(): boolean {
    return ownsGuest(this.#state)
  }

  /** The guest, once this side owns it. */
  get guest(): IncomingGuest | undefined {
    return this.ownsGuest ? this.#guest : undefined
  }

  /** Resolves when a guest whose time is limited (`runForMs`) has been stopped. */
  get guestStopped(): Promise<FinalState> | undefined {
    return this.#guestStopped
  }

  get report(): DestinationReport {
    return this.#report
  }

  get progress(): DestinationProgress {
    const pagesDone = this.#lanes.reduce((sum, lane) => sum + lane.pages, 0)
    return {
      stage: this.#report.stage,
      round: this.#round?.round ?? 0,
      pagesDone,
      pagesTotal: this.#round?.pages ?? 0,
      wireBytes: this.#report.wireBytes,
      elapsedMs: this.#report.elapsedMs,
    }
  }

  /**
   * A data channel of this session was dialled.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: too early, too late, or its number is taken
   */
  openLane(preface: Preface, link: Link): LinkHandler {
    const welcome = this.#welcome
    const state = this.#state
    const early = state.name !== 'reserved' || state.round > 0 || state.switching
    if (welcome === undefined || early) {
      throw new ProtocolError('PROTOCOL_STATE', 'A data channel was dialled at the wrong time')
    }
    if (preface.index >= welcome.dataChannels || this.#lanes[preface.index] !== undefined) {
      throw new ProtocolError('PROTOCOL_STATE', `Data channel ${preface.index} is not expected`)
    }
    const decoder = new BatchDecoder({
      pageBytes: welcome.pageBytes,
      regions: this.#installed,
      hasher: this.#hasher!,
      verifyHasher: this.#verifyHasher,
    })
    const lane = new DestinationLane(link, decoder, this)
    this.#lanes[preface.index] = lane
    this.#report.channels.push(link.channel)
    return lane
  }

  /** Gives up: a guest that is not owned yet is discarded, and the source is told. */
  abort(error: GodwitError): void {
    this.#dispatch({ type: 'fail', error })
  }

  // What lanes ask.

  get installableRound(): number {
    const { name } = this.#state
    return name === 'reserved' || name === 'receiving' ? this.#acknowledgedRound + 1 : 0
  }

  heard(): void {
    this.control.heard()
  }

  barrier(_round: number, totals: DecodedTotals): void {
    this.#barriers.push(totals)
    this.#joinRound()
  }

  laneClosed(error: GodwitError | undefined): void {
    if (this.#state.name === 'running') return
    this.#lost(error)
  }

  #lost(error: GodwitError | undefined): void {
    const text = 'The source closed the connection'
    this.#fail(error ?? new TransportError('CONNECTION_LOST', text))
  }

  #fail(thrown: unknown): void {
    this.#dispatch({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) })
  }

  /** Feeds the machine; the only place where the state changes. */
  #dispatch(event: DestinationEvent): void {
    this.#events.push(event)
    if (this.#dispatching) return
    this.#dispatching = true
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      try {
        const { state, effects } = stepDestination(this.#state, next, this.#terms)
        this.#state = state
        for (const effect of effects) this.#perform(effect)
      } catch (thrown) {
        this.#events.unshift({ type: 'fail', error: toGodwitError(thrown, this.#report.stage) })
      }
    }
    this.#dispatching = false
    if (isDestinationFinished(this.#state)) void this.#settle()
  }

  /** After the last effect: memory that is given back must not be written to any more. */
  async #settle(): Promise<void> {
    if (this.#settling) return
    this.#settling = true
    await Promise.allSettled(this.#inFlight)
    if (!this.ownsGuest) await this.#discard()
    this.#finished.resolve()
  }

  #start(work: () => Promise<DestinationEvent>): void {
    const running = work().then(
      (event) => this.#dispatch(event),
      (thrown: unknown) => this.#fail(thrown),
    )
    this.#inFlight.add(running)
    void running.finally(() => this.#inFlight.delete(running))
  }

  #perform(effect: DestinationEffect): void {
    switch (effect.do) {
      case 'send':
        this.control.send(this.#compose(effect.message))
        break
      case 'apply':
        this.#apply(effect.message)
        break
      case 'reserve':
        this.#start(() => this.#reserveMemory())
        break
      case 'install':
        this.#joinRound()
        break
      case 'load':
        this.#start(() => this.#load())
        break
      case 'prepare':
        // Durable ownership records come with the state directory; the order is right already.
        this.#report.reach('commit')
        break
      case 'own-and-run':
        this.#start(() => this.#run())
        break
      case 'run-until-final':
        this.#startFinal()
        break
      case 'discard':
        // Done in #settle, when nothing touches the memory any more.
        break
      case 'refuse':
        if (!(effect.error instanceof PeerError)) this.control.refuse(effect.error)
        break
      case 'close':
        this.control.close()
        for (const lane of this.#lanes) lane.link.close()
        break
      default:
        assertNever(effect)
    }
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
        return { name, body: { epoch: EPOCH } }
      case 'Running':
        return { name, body: { epoch: EPOCH, resumeMs: this.#report.resumeMs } }
      case 'Verified':
        return { name, body: this.#compareDigests() }
      case 'Final':
        return { name, body: this.#final! }
      case 'EndAck':
        return { name, body: { usage: this.#report.readUsage() } }
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
        this.#roundEnd = message.body
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
    const { software, pageBytes = [], heartbeatMs = HEARTBEAT_MS_DEFAULT, runForMs } = this.#options
    this.#hello = hello
    this.#welcome = negotiate(hello, {
      software,
      pageBytes,
      dataChannelsMax: DATA_CHANNELS_MAX,
      heartbeatMs,
      finalAfterMs: runForMs,
    })
    this.control.peerHeartbeatMs = hello.heartbeatMs
    this.#terms = {
      mode: hello.mode,
      verify: hello.verify !== 'none',
      final: this.#welcome.finalAfterMs !== undefined,
    }
    this.#report.greeted(hello, this.#welcome)
  }

  async #reserveMemory(): Promise<DestinationEvent> {
    const { host, hashes } = this.#options
    const { guest: identity, regions } = this.#reserve!
    const { pageBytes } = this.#welcome!
    const hello = this.#hello!
    this.#report.reserving(this.#reserve!)
    this.#guest = await host.reserve({ identity, pageBytes, regions })
    this.#hasher = createHasher(hashes, hello.hash, hello.fingerprintSeed)
    if (hello.verify !== 'none') {
      const verifyHash = hello.verify === 'sha256' ? 'sha256' : 'xxh64'
      this.#verifyHasher = createHasher(hashes, verifyHash, hello.verifySeed)
    }
    this.#installed = this.#guest.regions.map((region) => ({
      region,
      fingerprints: this.#verifyHasher && zeroFingerprints(this.#verifyHasher, region, pageBytes),
    }))
    this.#report.reserved()
    return { type: 'reserved' }
  }

  /** A round is installed when every lane's barrier and ROUND_END are there, and agree. */
  #joinRound(): void {
    const end = this.#roundEnd
    if (end === undefined || this.#barriers.length < this.#welcome!.dataChannels) return
    let [batches, pages, digest, raw, zero] = [0, 0, 0n, 0, 0]
    for (const totals of this.#barriers) {
      batches += totals.batches
      pages += totals.pages
      raw += totals.rawPages
      zero += totals.zeroPages
      digest = BigInt.asUintN(64, digest + totals.digest)
    }
    this.#barriers = []
    this.#roundEnd = undefined
    if (end.batches !== batches || end.pages !== pages || u64FromBytes(end.digest) !== digest) {
      const text = `The source counts ${end.pages} pages in round ${end.round}; ${pages} arrived`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    this.#report.roundEnded(raw, zero, this.#lanes)
    this.#dispatch({ type: 'installed' })
  }

  async #load(): Promise<DestinationEvent> {
    await this.#guest!.restoreState(this.#package)
    return { type: 'loaded' }
  }

  async #run(): Promise<DestinationEvent> {
    await this.#guest!.run()
    this.#report.activated()
    return { type: 'started' }
  }

  /** Lets the guest run for its time, stops it, and takes the digest of its memory. */
  #startFinal(): void {
    const { clock, runForMs = 0 } = this.#options
    const guest = this.#guest!
    if (guest.stop === undefined) {
      this.#fail(new GodwitError('GUEST_OPTION', 'This guest cannot be stopped to report its end'))
      return
    }
    const stopped = Promise.withResolvers<FinalState>()
    this.#guestStopped = stopped.promise
    clock.after(runForMs, () => {
      guest.stop!().then(stopped.resolve, stopped.reject)
    })
    stopped.promise.then(
      async (final) => {
        if (this.#state.name !== 'running') return
        const { digest } = await this.#digestOf(guest.regions)
        this.#final = { steps: final.steps, registers: final.registers, digest }
        if (this.#state.name === 'running') this.#dispatch({ type: 'finished' })
      },
      (thrown: unknown) => this.#fail(thrown),
    )
  }

  #digestOf(regions: readonly Region[]): Promise<MemoryDigest> {
    const { clock } = this.#options
    const hasher = this.#verifyHasher ?? this.#hasher!
    return digestMemory(hasher, regions, this.#welcome!.pageBytes, () => yieldTo(clock))
  }

  #compareDigests(): { equal: boolean; digest: Uint8Array; differing: number[] } {
    const regions = this.#installed.map(({ region, fingerprints }) => ({
      id: region.id,
      fingerprints: fingerprints!,
    }))
    this.#memoryDigest = digestFingerprints(this.#verifyHasher!, regions)
    const asked = new Map(this.#verify!.regions.map(({ id, digest }) => [id, digest]))
    const differing = this.#memoryDigest.regions
      .filter(({ id, digest }) => !sameBytes(digest, asked.get(id)))
      .map(({ id }) => id)
    const { digest } = this.#memoryDigest
    const equal = differing.length === 0 && sameBytes(digest, this.#verify!.digest)
    this.#report.compared(this.#verify!.digest, digest, equal)
    return { equal, digest, differing }
  }

  async #discard(): Promise<void> {
    const guest = this.#guest
    this.#guest = undefined
    this.#installed = []
    try {
      await guest?.discard()
    } catch (thrown) {
      this.#report.note(toGodwitError(thrown, this.#report.stage))
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index])
}
