/**
 * A source that does what a case says, against a destination under test.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { ErrorCode, PageRun } from '@godwit/core'
import type { Hello, OwnerAnswer, RoundBegin, Welcome } from '@godwit/wire'
import { ChannelRole, encodePageRuns, errorNumbers } from '@godwit/wire'
import type { CaseContext } from './case.ts'
import { Exchange, describe } from './exchange.ts'
import { check, checkEqual, Failure, Skip } from './failure.ts'
import { GuestMemory, WHOLE_PAGES } from './guest-memory.ts'
import type { Hashes } from './hashes.ts'
import { createHashes, verifyHashes } from './hashes.ts'
import { RawChannel } from './raw-channel.ts'
import { RoundLane } from './round-lane.ts'
import { raw } from './batch.ts'
import { checkWelcome } from './check-terms.ts'
import type { Lacking } from './return.ts'
import { askOwner, readLacking } from './return.ts'

/** What a case for a destination is given. */
export interface DestinationContext extends CaseContext {
  readonly host: string
  readonly port: number
  readonly guest: { readonly kind: string; readonly options: Record<string, string | number> }
  /** The package that such a guest takes. */
  readonly state: Uint8Array
  /** A source of a new session, which ends with the case. */
  readonly source: (terms?: Partial<Hello>) => ScriptedSource
}

const roleNames: Readonly<Record<number, string>> = { 1: 'control', 2: 'data', 3: 'urgent' }
const pageSizes = [4096, 8192, 16384, 32768, 65536]

/** Of one session. */
export class ScriptedSource {
  readonly id: Uint8Array = Uint8Array.from(randomBytes(16))
  readonly hello: Hello
  readonly exchange: Exchange
  readonly #context: DestinationContext
  readonly #channels: RawChannel[] = []
  control!: RawChannel
  lanes: RoundLane[] = []
  urgent: RoundLane | undefined
  welcome!: Welcome
  memory!: GuestMemory
  /** Of each region. */
  wholePages: readonly [number, number] = WHOLE_PAGES
  hashes: Hashes
  epoch = 0
  /** COMMIT of post-copy is out, and the round is not over. */
  #isPostCopy = false
  /** READY came, and the destination keeps the guest if it loses this source. */
  #isHeld = false

  constructor(context: DestinationContext, terms: Partial<Hello> = {}) {
    this.#context = context
    this.exchange = new Exchange(context.trace, context.timeoutMs)
    this.hello = {
      versionMin: 1,
      versionMax: 1,
      software: 'godwit conformance',
      required: [],
      optional: [],
      pageBytes: pageSizes,
      mode: 'pre-copy',
      hash: 'xxh64',
      verify: 'none',
      fingerprintSeed: Uint8Array.from(randomBytes(8)),
      verifySeed: Uint8Array.from(randomBytes(8)),
      dataChannels: 1,
      heartbeatMs: 60_000,
      ...terms,
    }
    this.hashes = createHashes(this.hello.hash, this.hello.fingerprintSeed)
  }

  /** A connection that says nothing yet. */
  connect(role: ChannelRole = ChannelRole.Control, index = 0): RawChannel {
    const { host, port, trace } = this.#context
    const socket = connect({ host, port, allowHalfOpen: true })
    const suffix = role === ChannelRole.Data ? ` ${index}` : ''
    const epoch = this.epoch > 0 ? `, epoch ${this.epoch}` : ''
    const name = `${roleNames[role] ?? role}${suffix}${epoch}`
    const channel = new RawChannel(socket, role, name, trace, this.exchange.tell)
    this.#channels.push(channel)
    return channel
  }

  /** ... and its preface. */
  dial(role: 1 | 2 | 3 | 4, index = 0, epoch: number = this.epoch): RawChannel {
    return this.connect(role, index).preface({ role, index, epoch, session: this.id })
  }

  /** Up to WELCOME. */
  async greet(): Promise<this> {
    const { exchange, hello } = this
    this.control = this.dial(ChannelRole.Control)
    this.control.send('Hello', hello)
    await this.#introduced(this.control)
    this.welcome = await exchange.expect(this.control, 'Welcome', 'C4.20')
    checkWelcome(this.welcome, hello)
    this.memory = new GuestMemory(this.welcome.pageBytes, this.wholePages)
    return this
  }

  async #introduced(channel: RawChannel, role = 1, index = 0): Promise<void> {
    const { preface } = await this.exchange.introduced(channel, 'C2.3')
    checkEqual('C2.3', preface, { role, index, epoch: this.epoch, session: this.id })
  }

  /** Up to RESERVED. */
  async reserve(): Promise<this> {
    await this.greet()
    this.control.send('Reserve', { guest: this.#context.guest, regions: this.memory.table })
    const reservedBytes = await this.#reservedBytes()
    const wanted = this.memory.regions.reduce((sum, { bytes }) => sum + bytes.length, 0)
    check('C4.24', reservedBytes >= wanted, `${wanted} bytes`, reservedBytes)
    return this
  }

  /** @throws {Skip} it cannot do with this guest what it can do with others */
  async #reservedBytes(): Promise<number> {
    const heard = await this.exchange.next(this.control, 'C4.24', 'Reserved')
    if (heard.kind === 'message') {
      const { name, body } = heard.message
      if (name === 'Reserved') return body.reservedBytes
      const isRefused = name === 'Error' && body.code === errorNumbers.PROTOCOL_CAPABILITY
      if (isRefused && this.hello.required.length > 0) throw new Skip(body.text)
    }
    throw new Failure('C4.24', 'Reserved', describe(heard))
  }

  /** All channels that were agreed. */
  async open(): Promise<this> {
    await this.reserve()
    return this.openChannels()
  }

  async openChannels(): Promise<this> {
    this.lanes = []
    for (let index = 0; index < this.welcome.dataChannels; index++) {
      const channel = this.dial(ChannelRole.Data, index)
      await this.#introduced(channel, ChannelRole.Data, index)
      this.lanes.push(new RoundLane(channel, this.hashes))
    }
    if (this.hello.mode === 'post-copy' || this.hello.mode === 'hybrid') {
      const channel = this.dial(ChannelRole.Urgent)
      await this.#introduced(channel, ChannelRole.Urgent)
      this.urgent = new RoundLane(channel, this.hashes)
    }
    return this
  }

  get lane(): RoundLane {
    return this.lanes[0]!
  }

  /** Every channel that is open. */
  get channels(): readonly RawChannel[] {
    return this.#channels.filter((channel) => !channel.isOver)
  }

  begin(round: number, kind: RoundBegin['kind'], pages: number = this.memory.pages): void {
    this.control.send('RoundBegin', { round, kind, pages })
  }

  /** Every page, raw, on the first channel. */
  sendAll(round: number): void {
    for (const { id } of this.memory.regions) {
      const pages = Array.from({ length: this.memory.pageCount(id) }, (_, page) => {
        return this.memory.page(id, page)
      })
      this.lane.batch({ round, region: id, runs: [raw(0, ...pages)] })
    }
  }

  /** BARRIER on all channels, then ROUND_END. */
  finish(round: number): void {
    this.barriers(round)
    this.roundEnd(round)
  }

  barriers(round: number): void {
    for (const lane of this.lanes) lane.barrier(round)
    if (this.#isPostCopy) this.urgent?.barrier(round)
  }

  roundEnd(round: number): void {
    const all = this.#isPostCopy && this.urgent ? [...this.lanes, this.urgent] : this.lanes
    this.control.send('RoundEnd', { round, ...RoundLane.totals(all) })
  }

  async acknowledged(round: number, clause = 'C6.15'): Promise<void> {
    const ack = await this.exchange.expect(this.control, 'RoundAck', clause)
    checkEqual(clause, ack.round, round)
    for (const lane of this.lanes) lane.forget()
    this.urgent?.forget()
  }

  /** Round 1 with every page. */
  async full(): Promise<this> {
    this.memory.fill()
    this.begin(1, 'full')
    this.sendAll(1)
    this.finish(1)
    await this.acknowledged(1)
    return this
  }

  async switchOver(round: number, postCopy?: boolean): Promise<this> {
    this.control.send('SwitchOver', postCopy === undefined ? { round } : { round, postCopy })
    await this.exchange.expect(this.control, 'SwitchOverAck', 'C4.36')
    return this
  }

  sendState(): void {
    this.control.send('State', { package: this.#context.state })
  }

  async ready(clause = 'C6.19'): Promise<void> {
    const { epoch } = await this.exchange.expect(this.control, 'Ready', clause)
    checkEqual('C4.38', epoch, 1)
    this.#isHeld = this.welcome.capabilities.includes('ownership')
  }

  /** COMMIT, which may not arrive. */
  release(): void {
    this.#isPostCopy = this.hello.mode === 'post-copy'
    this.control.send('Commit', { epoch: 1 })
  }

  async commit(): Promise<void> {
    this.release()
    this.#isHeld = false
    const { epoch } = await this.exchange.expect(this.control, 'Running', 'C4.39')
    checkEqual('C4.39', epoch, 1)
  }

  /** From RUNNING (in post-copy: ROUND_ACK) to the end. */
  async conclude(rounds: number): Promise<void> {
    const { exchange, control } = this
    this.#isPostCopy = false
    if (this.hello.verify !== 'none') {
      const own = this.memory.digest(verifyHashes(this.hello))
      control.send('Verify', own)
      const verified = await this.#after('Verified', 'C6.108')
      checkEqual('C6.108', verified, { equal: true, digest: own.digest, differing: [] })
    }
    if (this.welcome.finalAfterMs !== undefined) await this.#after('Final', 'C6.110')
    control.send('End', { rounds, pages: this.memory.pages, usage: {} })
    await exchange.expect(control, 'EndAck', 'C4.44')
    await exchange.closed(control, 'C6.114')
  }

  /** VERIFIED and FINAL come in any order. */
  async #after(name: 'Verified' | 'Final', clause: string): Promise<object> {
    const event = await this.exchange.find(({ channel, heard }) => {
      if (channel !== this.control) return false
      return heard.kind !== 'message' || [name, 'Error'].includes(heard.message.name)
    })
    const heard = event?.heard
    if (heard?.kind === 'message' && heard.message.name === name) return heard.message.body
    throw new Failure(clause, name, heard?.kind ?? 'nothing')
  }

  /** A guest whose every page is there, and RUNNING. */
  async arrive(): Promise<this> {
    await this.open()
    await this.lastRound(await this.firstRound())
    this.sendState()
    await this.ready()
    await this.commit()
    return this
  }

  /** In the modes with rounds before the pause: one. @returns the last one */
  async firstRound(): Promise<number> {
    if (this.hello.mode === 'stop-copy') return 0
    await this.full()
    return 1
  }

  /** The final round, after `before`. */
  async lastRound(before: number): Promise<void> {
    await this.switchOver(before)
    if (before === 0) this.memory.fill()
    const round = before + 1
    this.begin(round, 'final', before === 0 ? this.memory.pages : 0)
    if (before === 0) this.sendAll(round)
    this.finish(round)
    await this.acknowledged(round)
  }

  /** In post-copy: RUNNING, with every page still to come. */
  async handOver(discarded: readonly (readonly [number, PageRun])[]): Promise<void> {
    await this.open()
    await this.handOverOpened(discarded)
  }

  /** The same, where the channels are open. */
  async handOverOpened(discarded: readonly (readonly [number, PageRun])[]): Promise<void> {
    this.memory.fill()
    await this.switchOver(0, true)
    this.discard(discarded)
    this.sendState()
    await this.ready('C6.26')
    await this.commit()
  }

  discard(pages: readonly (readonly [number, PageRun])[]): void {
    for (const [region, run] of pages) {
      this.control.send('Discard', { region, runs: encodePageRuns([run]) })
    }
  }

  /** Every page of the guest. */
  get everything(): readonly (readonly [number, PageRun])[] {
    return this.memory.regions.map(({ id }) => {
      return [id, { firstPage: 0, pageCount: this.memory.pageCount(id) }] as const
    })
  }

  /** The network is gone. */
  cut(): void {
    for (const channel of this.channels) channel.destroy()
  }

  /** A new control channel. @returns what is lacking, by region, and RESUMED */
  async resume(round: number): Promise<Lacking> {
    this.epoch++
    this.control = this.dial(ChannelRole.Control)
    this.control.send('Resume', { epoch: this.epoch, round })
    await this.#introduced(this.control)
    return readLacking(this, round)
  }

  /** RESUME where the owner was asked for, or COMMIT was sent again. */
  resumeHere(round: number): Promise<Lacking> {
    this.control.send('Resume', { epoch: this.epoch, round })
    return readLacking(this, round)
  }

  /** A new control channel, with the question whose the guest is. */
  ask(): Promise<OwnerAnswer | ErrorCode> {
    return askOwner(this)
  }

  /** ERROR, or the end, on any of the session's channels. */
  refused(clause: string, ...codes: readonly ErrorCode[]): Promise<ErrorCode | undefined> {
    return this.exchange.refused(this.#channels, codes, clause)
  }

  /** What a case needs and was not agreed. @throws {Skip} */
  need(...capabilities: readonly string[]): void {
    for (const name of capabilities) {
      if (!this.welcome.capabilities.includes(name)) throw new Skip(`${name} is not offered`)
    }
  }

  /** Leaves nothing behind: a guest that is there and lacks pages is given up. */
  async end(): Promise<void> {
    if (this.#isHeld) await this.#takeLeave()
    if (this.#isPostCopy) await this.#giveUp()
    for (const channel of this.#channels) channel.destroy()
  }

  /** A guest that is held waits for COMMIT, and for minutes. */
  async #takeLeave(): Promise<void> {
    this.cut()
    try {
      if ((await this.ask()) === 'prepared') await this.commit()
    } catch {
      // Nothing is held.
    }
    this.cut()
  }

  async #giveUp(): Promise<void> {
    const text = 'The case is over'
    const body = { code: errorNumbers.CANCELLED, text }
    try {
      if (this.control.isOver) await this.resume(1)
      this.control.send('Error', body)
      this.control.end()
      await this.exchange.find(({ channel, heard }) => {
        return channel === this.control && heard.kind === 'end'
      }, 1000)
    } catch {
      // It was given up already, or cannot be resumed: nothing is left to be told.
    }
  }
}
