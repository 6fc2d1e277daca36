/**
 * All channels for pages of one connection, on this thread or on others, and the rounds that come
 * by them.
 *
 * @module
 */
import type { Clock, DemandPager, GodwitError } from '@godwit/core'
import { ProtocolError, isShared } from '@godwit/core'
import type { DecodedTotals, InstalledPages, Primitives, StaticContents } from '@godwit/codec'
import { sumOfTotals } from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { RoundEnd } from '@godwit/wire'
import { u64FromBytes } from '@godwit/wire'
import { Installer } from './installer.ts'
import type { LanePlan } from './lane-messages.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { PageRequests } from './page-requests.ts'
import type { LaneThreads, RemoteLaneOwner } from './remote-lane.ts'
import { RemoteLane } from './remote-lane.ts'
import { RoundGate } from './round-gate.ts'

/** What a round came to. */
export interface JoinedRound {
  readonly totals: DecodedTotals
  /** Pages that the source announced and left to the next round. */
  readonly heldPages: number
}

/** What the data plane asks of its migration. */
export interface LanesOwner extends Omit<RemoteLaneOwner, 'barrier'> {
  /** One more lane has all of the round: time to {@link Lanes.join}. */
  barrierPassed(): void
}

/** How many channels there are. */
export interface LaneCounts {
  readonly dataChannels: number
  readonly hasUrgent: boolean
}

/** Of one connection; use once. */
export class Lanes implements LaneOwner, RemoteLaneOwner {
  readonly installer: Installer
  readonly #plan: LanePlan
  readonly #counts: LaneCounts
  readonly #owner: LanesOwner
  readonly #clock: Clock
  readonly #gate = new RoundGate()
  #installed: readonly InstalledPages[] = []
  #pager: DemandPager | undefined
  #staticPages: StaticContents | undefined
  /** By number of the data channel; empty where lanes have no threads. */
  #remote: readonly RemoteLane[] = []
  /** For the urgent channel, where it has a thread. */
  #remoteUrgent: RemoteLane | undefined
  readonly #lanes: Lane[] = []
  #stopped: Promise<unknown> = Promise.resolve()
  #isWarmingUp = false
  #barriers: DecodedTotals[] = []
  #end: RoundEnd | undefined
  /** Nobody hears of its channels any more. */
  #isClosed = false

  constructor(
    plan: LanePlan,
    counts: LaneCounts,
    { primitives, clock }: { readonly primitives: Primitives; readonly clock: Clock },
    owner: LanesOwner,
  ) {
    this.#plan = plan
    this.#counts = counts
    this.#owner = owner
    this.#clock = clock
    this.installer = new Installer(plan, this.#channels, primitives)
  }

  get #channels(): number {
    return this.#counts.dataChannels + (this.#counts.hasUrgent ? 1 : 0)
  }

  /** Starts a thread for every lane, once: they get ready while memory is made ready. */
  startThreads(threads: LaneThreads, made: (lane: RemoteLane) => void): void {
    if (this.#remote.length > 0) return
    const { dataChannels, hasUrgent } = this.#counts
    const remote: RemoteLane[] = []
    this.#remote = remote
    // One by one: when a thread cannot be had, those before it are known, and end.
    for (let i = 0; i < dataChannels; i++) {
      const lane = new RemoteLane(threads, this.#plan, this)
      remote.push(lane)
      made(lane)
    }
    if (!hasUrgent || threads.startUrgent === undefined) return
    this.#remoteUrgent = new RemoteLane(threads, { ...this.#plan, urgent: true }, this)
    made(this.#remoteUrgent)
  }

  /** Gets ready on this thread, once, while memory is made ready: there are no others. */
  warmUp(): void {
    if (this.#isWarmingUp) return
    this.#isWarmingUp = true
    this.installer.warmUp(this.#clock)
  }

  /**
   * Resolves when lanes can begin, rejects when a thread cannot.
   *
   * @param pager - of a guest that waits for pages, or may come to
   */
  async take(installed: readonly InstalledPages[], pager: DemandPager | undefined): Promise<void> {
    this.#installed = installed
    this.#pager = pager
    if (!installed.every(({ region }) => isShared(region.bytes))) this.#endThreads()
    for (const lane of this.#threads) lane.install(installed, this.#gate.words, pager)
    await Promise.all(this.#threads.map((lane) => lane.ready))
  }

  /**
   * What pages may be taken out of, all of it shared: as the source was told. Before channels are
   * opened, and after {@link take}.
   */
  know(staticPages: StaticContents): void {
    this.#staticPages = staticPages
    for (const lane of this.#remote) lane.know(staticPages)
  }

  /**
   * Takes over a data channel whose preface is being handled.
   *
   * @returns who gets its frames here; undefined when the connection is a thread's now
   * @throws {ProtocolError} `PROTOCOL_STATE`: its number is taken or was not agreed
   */
  open(index: number, link: Link): LinkHandler | undefined {
    if (index >= this.#counts.dataChannels || this.#lanes[index] !== undefined) {
      throw new ProtocolError('PROTOCOL_STATE', `Data channel ${index} is not expected`)
    }
    return this.#open(index, this.#remote[index], link, this)
  }

  /**
   * Takes over the urgent channel, where pages come that the guest waits for.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: there is none in this mode, or it is there already
   */
  openUrgent(link: Link): LinkHandler | undefined {
    const index = this.#counts.dataChannels
    if (!this.#counts.hasUrgent || this.#lanes[index] !== undefined) {
      throw new ProtocolError('PROTOCOL_STATE', 'An urgent channel is not expected')
    }
    const handler = this.#open(index, this.#remoteUrgent, link, new UrgentOwner(this))
    if (handler !== undefined && this.#pager !== undefined) this.#listen(link, this.#pager)
    return handler
  }

  #open(
    index: number,
    remote: RemoteLane | undefined,
    link: Link,
    owner: LaneOwner,
  ): LinkHandler | undefined {
    if (remote !== undefined && link.channel.detach !== undefined) {
      this.#lanes[index] = remote
      remote.open(link)
      return undefined
    }
    const isUrgent = index === this.#counts.dataChannels
    if (isUrgent && this.#pager?.source.pager === 'uffd') {
      const text = 'The pager of this guest takes a thread for the urgent channel: there is none'
      throw new ProtocolError('PROTOCOL_CAPABILITY', text)
    }
    remote?.close()
    const { installer } = this
    const [installed, known] = [this.#installed, isUrgent ? undefined : this.#staticPages]
    const lane = installer.createLane(link, this.#clock, installed, owner, isUrgent, known)
    this.#lanes[index] = lane
    return lane
  }

  /** Asks for pages from this thread. */
  #listen(link: Link, pager: DemandPager): void {
    const regions = this.#installed.map(({ region, states }) => {
      return { id: region.id, states: states! }
    })
    const requests = new PageRequests(link, regions)
    pager.listen((index, page) => requests.ask(index, page))
    // Once the source has heard who answers.
    this.#clock.soon(() => requests.askAgain())
  }

  /** Ends all channels and threads; resolves when none of them stores to the memory any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.allow(0)
    this.installer.endWarmUp()
    for (const lane of this.#lanes) lane?.close()
    this.#endThreads()
    await this.#stopped
  }

  /** Those that were opened close their channels first. */
  #endThreads(): void {
    const threads = this.#threads
    if (threads.length === 0) return
    for (const lane of threads) lane.close()
    this.#stopped = Promise.all(threads.map((lane) => lane.stopped))
    this.#remote = []
    this.#remoteUrgent = undefined
  }

  get #threads(): readonly RemoteLane[] {
    return this.#remoteUrgent === undefined ? this.#remote : [...this.#remote, this.#remoteUrgent]
  }

  /** Lanes may install `round` from now on, and no other; 0 for none. */
  allow(round: number, isPostCopy = false): void {
    this.#gate.allow(round, isPostCopy)
  }

  // What lanes ask.

  get installableRound(): number {
    return this.#gate.round
  }

  get isPostCopy(): boolean {
    return this.#gate.isPostCopy
  }

  heard(): void {
    this.#owner.heard()
  }

  barrier(_round: number, totals: DecodedTotals): void {
    if (this.#isClosed) return
    this.#barriers.push(totals)
    this.#owner.barrierPassed()
  }

  laneClosed(error: GodwitError | undefined): void {
    if (!this.#isClosed) this.#owner.laneClosed(error)
  }

  laneDied(error: GodwitError): void {
    if (!this.#isClosed) this.#owner.laneDied(error)
  }

  /** Pages installed of the round in progress. */
  get pages(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.pages, 0)
  }

  /** Bytes of page frames in all rounds; all of them once the round is joined. */
  get receivedBytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.receivedBytes, 0)
  }

  /** ROUND_END arrived. */
  addEnd(end: RoundEnd): void {
    this.#end = end
  }

  /**
   * Joins the round when every lane's barrier and ROUND_END are there.
   *
   * @returns undefined while something is missing
   * @throws {ProtocolError} `PROTOCOL_TOTALS`
   */
  join(): JoinedRound | undefined {
    const end = this.#end
    if (end === undefined || this.#barriers.length < this.#channels) return undefined
    const sum = sumOfTotals(this.#barriers)
    this.#barriers = []
    this.#end = undefined
    const { batches, pages, digest } = sum
    if (end.batches !== batches || end.pages !== pages || u64FromBytes(end.digest) !== digest) {
      const text = `The source counts ${end.pages} pages in round ${end.round}; ${pages} arrived`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    return { totals: sum, heldPages: end.held ?? 0 }
  }
}

/** What the urgent lane asks: nothing may be installed there before the guest may run. */
class UrgentOwner implements LaneOwner {
  readonly #owner: LaneOwner

  constructor(owner: LaneOwner) {
    this.#owner = owner
  }

  get installableRound(): number {
    return this.#owner.installableRound
  }

  get isPostCopy(): boolean {
    return true
  }

  heard(): void {
    this.#owner.heard()
  }

  barrier(round: number, totals: DecodedTotals): void {
    this.#owner.barrier(round, totals)
  }

  laneClosed(error: GodwitError | undefined): void {
    this.#owner.laneClosed(error)
  }
}
