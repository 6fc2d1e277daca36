/**
 * A destination that does what a case says, against a source under test. It keeps the guest's
 * memory as it comes, and holds everything that comes against the specification.
 *
 * @module
 */
import type { ErrorCode, PageRun } from '@godwit/core'
import type {
  Hello,
  Message,
  MessageBodies,
  MessageName,
  Reserve,
  RoundBegin,
  Welcome,
} from '@godwit/wire'
import {
  ChannelRole,
  decodePageRuns,
  encodePageRuns,
  errorNumbers,
  lackingChecksum,
} from '@godwit/wire'
import type { Reading } from './batch-reader.ts'
import type { Case, CaseContext } from './case.ts'
import type { Exchange } from './exchange.ts'
import { describe } from './exchange.ts'
import { check, checkEqual, Failure, Skip } from './failure.ts'
import { digestOfMemory } from './guest-memory.ts'
import type { Hashes } from './hashes.ts'
import { createHashes, verifyHashes } from './hashes.ts'
import type { RawChannel } from './raw-channel.ts'
import { ReceivingLane } from './receiving-lane.ts'
import type { Caller } from './source-listener.ts'

/** What a case for a source is given. */
export interface SourceContext extends CaseContext {
  /** Waits for the next source. Nothing was answered to its preface. */
  readonly caller: () => Promise<Caller>
  /**
   * Waits for the next source. It got a preface, and its HELLO is there.
   *
   * @param choose - terms that depend on HELLO
   */
  readonly destination: (
    terms?: Partial<Welcome>,
    choose?: (hello: Hello) => Partial<Welcome>,
  ) => Promise<ScriptedDestination>
}

/** Of one session. */
export class ScriptedDestination {
  readonly exchange: Exchange
  readonly hello: Hello
  readonly welcome: Welcome
  readonly #caller: Caller
  control: RawChannel
  reserve!: Reserve
  lanes: ReceivingLane[] = []
  urgent: ReceivingLane | undefined
  hashes: Hashes
  regions: ReadonlyMap<number, Uint8Array> = new Map()
  epoch = 0
  /** The last round that was acknowledged. */
  round = 0
  /** Of the post-copy round: pages that are to come, by region. */
  readonly lacking: Map<number, Set<number>> = new Map()

  constructor(caller: Caller, hello: Hello, terms: Partial<Welcome>) {
    this.#caller = caller
    this.exchange = caller.exchange
    this.control = caller.control
    this.hello = hello
    const { pageBytes, heartbeatMs } = hello
    this.welcome = {
      version: 1,
      software: 'godwit conformance',
      capabilities: [...hello.required],
      pageBytes: pageBytes[0]!,
      dataChannels: 1,
      heartbeatMs: 60_000,
      ...terms,
    }
    this.hashes = createHashes(hello.hash, hello.fingerprintSeed)
    check('C4.19', heartbeatMs >= 100, 'a heartbeat', heartbeatMs)
  }

  accept(channel: RawChannel, epoch: number = this.epoch): void {
    const { role } = channel
    const index = role === ChannelRole.Data ? Number(channel.name.split(/[ ,]/)[1]) : 0
    const { session } = this.#caller.preface
    channel.preface({ role: role as 1 | 2 | 3 | 4, index, epoch, session })
  }

  send<Name extends MessageName>(name: Name, body: object): void {
    this.control.send(name, body)
  }

  expect<Name extends MessageName>(name: Name, clause: string): Promise<MessageBodies[Name]> {
    return this.exchange.expect(this.control, name, clause)
  }

  /** Up to RESERVE. */
  async greet(): Promise<this> {
    this.send('Welcome', this.welcome)
    this.reserve = await this.expect('Reserve', 'C4.23')
    const bytes = this.reserve.regions.reduce((sum, one) => sum + one.byteLength, 0)
    if (bytes > guestBytesMax) throw new Skip(`the guest has ${bytes} bytes; give it less memory`)
    this.regions = new Map(
      this.reserve.regions.map(({ id, byteLength }) => [id, new Uint8Array(byteLength)]),
    )
    return this
  }

  /** Up to the channels of the session. */
  async open(): Promise<this> {
    await this.greet()
    const early = this.#caller.arrived.length
    check('C2.13', early === 0, 'data channels after RESERVED', `${early} before`)
    const reservedBytes = this.reserve.regions.reduce((sum, one) => sum + one.byteLength, 0)
    this.send('Reserved', { reservedBytes })
    await this.openChannels()
    return this
  }

  /** Takes the channels that come with a connection. */
  async openChannels(): Promise<void> {
    const { mode } = this.hello
    this.lanes = []
    for (let index = 0; index < this.welcome.dataChannels; index++) {
      this.lanes.push(await this.#take(ChannelRole.Data, index))
    }
    const hasUrgent = mode === 'post-copy' || mode === 'hybrid'
    this.urgent = hasUrgent ? await this.#take(ChannelRole.Urgent, 0) : undefined
  }

  async #take(role: ChannelRole, index: number): Promise<ReceivingLane> {
    const clause = role === ChannelRole.Data ? 'C2.13' : 'C2.14'
    const event = await this.exchange.find(({ channel, heard }) => {
      if (heard.kind !== 'preface') return false
      const { preface } = heard
      return channel.role === role && preface.index === index && preface.epoch === this.epoch
    })
    if (event === undefined) throw new Failure(clause, `channel ${role}, ${index}`, 'nothing')
    this.accept(event.channel)
    const reading: Reading = {
      pageBytes: this.welcome.pageBytes,
      hashes: this.hashes,
      capabilities: this.welcome.capabilities,
      regions: this.regions,
    }
    return new ReceivingLane(event.channel, reading, this.exchange)
  }

  /** The next on the control channel. */
  async next(clause: string, ...names: readonly MessageName[]): Promise<Message> {
    const heard = await this.exchange.next(this.control, clause, names.join(' or '))
    if (heard.kind === 'message' && names.includes(heard.message.name)) return heard.message
    throw new Failure(clause, names.join(' or '), describe(heard))
  }

  /** One round, which was begun, up to ROUND_END. */
  async collect(begin: RoundBegin, isPostCopy = false): Promise<void> {
    checkEqual('C6.1', begin.round, this.round + 1)
    const all = isPostCopy && this.urgent ? [...this.lanes, this.urgent] : this.lanes
    for (const lane of all) await lane.collect(begin.round)
    const end = await this.expect('RoundEnd', 'C6.14')
    const sum = (of: (lane: ReceivingLane) => number): number => {
      return all.reduce((total, lane) => total + of(lane), 0)
    }
    checkEqual('C6.14', end.round, begin.round)
    checkEqual(
      'C6.14',
      end.batches,
      sum((lane) => lane.batches),
    )
    checkEqual(
      'C6.14',
      end.pages,
      sum((lane) => lane.pages.length),
    )
    const digest = BigInt.asUintN(
      64,
      all.reduce((total, lane) => total + lane.digest, 0n),
    )
    checkEqual(
      'C6.14',
      new DataView(end.digest.buffer, end.digest.byteOffset).getBigUint64(0, true),
      digest,
    )
    // Some of the set may turn out to hold what they held before.
    const told = end.pages + (end.held ?? 0)
    check('C4.25', told <= begin.pages, `at most ${begin.pages} pages`, told)
    const seen = all.flatMap((lane) => lane.pages.map(({ region, page }) => `${region}:${page}`))
    check('C6.12', new Set(seen).size === seen.length, 'each page once in a round', seen.length)
    if (begin.kind === 'full') this.#whole(end.pages, end.held ?? 0)
  }

  #whole(pages: number, held: number): void {
    const hasAll = this.hello.mode === 'pre-copy'
    if (hasAll) checkEqual('C6.2', pages + held, this.pageCount)
  }

  get pageCount(): number {
    const { pageBytes } = this.welcome
    return [...this.regions.values()].reduce((sum, { length }) => {
      return sum + Math.ceil(length / pageBytes)
    }, 0)
  }

  acknowledge(round: number = this.round + 1): void {
    this.round = round
    for (const lane of this.lanes) lane.forget()
    this.urgent?.forget()
    this.send('RoundAck', { round })
  }

  /** All rounds up to SWITCH_OVER, which is not answered. @returns whether to post-copy */
  async rounds(): Promise<boolean> {
    const { mode } = this.hello
    for (;;) {
      const message = await this.next('C6.8', 'RoundBegin', 'SwitchOver')
      if (message.name === 'SwitchOver') {
        checkEqual('C4.35', message.body.round, this.round)
        const postCopy = message.body.postCopy ?? false
        const mayBe = {
          'stop-copy': [false],
          'pre-copy': [false],
          'post-copy': [true],
          hybrid: [false, true],
        }
        check('C6.8', mayBe[mode].includes(postCopy), `what ${mode} has`, message.body)
        const hadRounds = this.round > 0
        const isTime = mode === 'stop-copy' || mode === 'post-copy' ? !hadRounds : hadRounds
        check('C6.8', isTime, `rounds as in ${mode}`, this.round)
        return postCopy
      }
      if (message.name !== 'RoundBegin') continue
      const kind = this.round === 0 ? 'full' : 'dirty'
      checkEqual('C6.2', message.body.kind, kind)
      await this.collect(message.body)
      this.acknowledge()
    }
  }

  /** From SWITCH_OVER_ACK to STATE; the final round is not acknowledged. */
  async finalRound(): Promise<void> {
    this.send('SwitchOverAck', {})
    const begin = await this.expect('RoundBegin', 'C6.5')
    checkEqual('C6.5', begin.kind, 'final')
    await this.collect(begin)
    if (this.hello.mode === 'stop-copy') {
      checkEqual('C6.6', this.lanes.flatMap((lane) => lane.pages).length, this.pageCount)
    }
    await this.expect('State', 'C6.18')
  }

  /** From SWITCH_OVER_ACK of post-copy to STATE: what is to come. */
  async discards(): Promise<void> {
    this.send('SwitchOverAck', {})
    for (;;) {
      const message = await this.next('C6.21', 'Discard', 'State')
      if (message.name === 'State') return
      if (message.name !== 'Discard') continue
      const { region, runs } = message.body
      for (const run of decodePageRuns(runs)) this.#discard(region, run)
    }
  }

  #discard(region: number, { firstPage, pageCount }: PageRun): void {
    const bytes = this.regions.get(region)
    check('C6.22', bytes !== undefined, 'a region of RESERVE', region)
    const count = Math.ceil(bytes!.length / this.welcome.pageBytes)
    check(
      'C6.22',
      pageCount > 0 && firstPage + pageCount <= count,
      `pages below ${count}`,
      firstPage,
    )
    const pages = this.lacking.get(region) ?? new Set()
    for (let page = firstPage; page < firstPage + pageCount; page++) {
      check('C6.23', !pages.has(page), 'each page once', page)
      pages.add(page)
    }
    this.lacking.set(region, pages)
  }

  /** READY and COMMIT; RUNNING is not sent. */
  async commit(): Promise<void> {
    this.send('Ready', { epoch: 1 })
    const { epoch } = await this.expect('Commit', 'C4.38')
    checkEqual('C4.38', epoch, 1)
  }

  running(): void {
    this.send('Running', { epoch: 1, resumeMs: 0 })
  }

  /** The post-copy round, whose pages are those that were named. */
  async postCopyRound(): Promise<void> {
    const begin = await this.expect('RoundBegin', 'C6.27')
    checkEqual('C6.27', begin.kind, 'post-copy')
    await this.collect(begin, true)
    const came = [...this.lanes, this.urgent!].flatMap((lane) => lane.pages)
    for (const { region, page } of came) {
      check('C6.29', this.lacking.get(region)?.delete(page) ?? false, 'a page of the set', page)
    }
    const left = [...this.lacking.values()].reduce((sum, pages) => sum + pages.size, 0)
    checkEqual('C6.29', left, 0)
  }

  /** VERIFY is right, END and the end come. */
  async conclude(): Promise<void> {
    const { verify } = this.hello
    if (verify !== 'none') {
      const asked = await this.expect('Verify', 'C6.106')
      const regions = [...this.regions].map(([id, bytes]) => ({ id, bytes }))
      const digest = digestOfMemory(verifyHashes(this.hello), regions, this.welcome.pageBytes)
      checkEqual('C6.106', asked, digest)
      this.send('Verified', { equal: true, digest: digest.digest, differing: [] })
    }
    const end = await this.expect('End', 'C6.113')
    check('C4.43', end.rounds <= this.round, `at most ${this.round} rounds`, end.rounds)
    this.send('EndAck', { usage: {} })
    await this.exchange.closed(this.control, 'C6.114')
  }

  /** Waits for the source to dial again, with the next epoch, and takes RESUME. */
  async resumed(waitMs: number): Promise<void> {
    this.epoch++
    const event = await this.exchange.find(({ channel, heard }) => {
      return heard.kind === 'preface' && channel.role === ChannelRole.Control
    }, waitMs)
    if (event?.heard.kind !== 'preface') throw new Skip('the source does not dial again')
    checkEqual('C6.43', event.heard.preface.epoch, this.epoch)
    this.control = event.channel
    this.accept(this.control)
    const { epoch } = await this.expect('Resume', 'C6.49')
    checkEqual('C4.18', epoch, this.epoch)
  }

  /** LACKING of all that is, and RESUMED. */
  tellLacking(round: number, wrong: { pages?: number; checksum?: number } = {}): void {
    let [checksum, pages] = [0, 0]
    for (const [region, set] of this.lacking) {
      const runs = encodePageRuns([...set].map((firstPage) => ({ firstPage, pageCount: 1 })))
      if (runs.length === 0) continue
      for (let at = 0; at < runs.length; at += 32_768) {
        const body = { region, runs: runs.subarray(at, at + 32_768) }
        this.send('Lacking', body)
        checksum = lackingChecksum(body, checksum)
      }
      pages += set.size
    }
    this.round = round - 1
    this.send('Resumed', { epoch: this.epoch, round, pages, checksum, ...wrong })
  }

  /** Gives up. */
  refuse(code: ErrorCode, text: string): void {
    this.send('Error', { code: errorNumbers[code], text })
    this.control.end()
  }

  /** The source gives up, and says why. */
  refused(clause: string, ...codes: readonly ErrorCode[]): Promise<ErrorCode | undefined> {
    const channels = [this.control, ...this.lanes.map((lane) => lane.channel)]
    if (this.urgent !== undefined) channels.push(this.urgent.channel)
    return this.exchange.refused(channels, codes, clause)
  }

  /** The network is gone. */
  cut(): void {
    this.control.destroy()
    for (const lane of this.lanes) lane.channel.destroy()
    this.urgent?.channel.destroy()
  }
}

/** What HELLO requires, and those of `wanted` that it has. @throws {Skip} it has none of them */
export function agreed(
  { required, optional }: Hello,
  ...wanted: readonly string[]
): readonly string[] {
  const offered = wanted.filter((name) => required.includes(name) || optional.includes(name))
  if (offered.length === 0) throw new Skip(`the source does not offer ${wanted.join(' or ')}`)
  return [...new Set([...required, ...offered])]
}

/** The suite hashes with plain arithmetic, and keeps all of it. */
const guestBytesMax = 256 * 1024 * 1024

export type SourceCase = Case<SourceContext>
