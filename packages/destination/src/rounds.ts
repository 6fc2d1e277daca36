/**
 * The destination's data plane seen from the control plane: lanes, rounds joined from them, and
 * what is known of the memory that was installed.
 *
 * @module
 */
import type { Clock, GodwitError, IncomingGuest } from '@godwit/core'
import {
  ProtocolError,
  allocateShared,
  isShared,
  mayPostCopy,
  pagesCovering,
  yieldTo,
} from '@godwit/core'
import type { DecodedTotals, InstalledPages, MemoryDigest, Primitives } from '@godwit/codec'
import {
  digestFingerprints,
  digestMemory,
  featuresOf,
  sumOfTotals,
  verifyHash,
  zeroFingerprints,
} from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { Discard, Hello, RoundEnd, Verified, Verify, Welcome } from '@godwit/wire'
import { u64FromBytes } from '@godwit/wire'
import { Installer } from './installer.ts'
import type { LanePlan } from './lane-messages.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { PostCopy } from './post-copy.ts'
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
export interface RoundsOwner extends Omit<RemoteLaneOwner, 'barrier'> {
  /** One more lane has all of the round: time to {@link Rounds.join}. */
  barrierPassed(): void
}

/** All rounds of one migration, from the moment the source said what it brings. */
export class Rounds implements LaneOwner, RemoteLaneOwner {
  readonly #pageBytes: number
  readonly #dataChannels: number
  readonly #plan: LanePlan
  readonly #installer: Installer
  readonly #owner: RoundsOwner
  readonly #clock: Clock
  readonly #gate = new RoundGate()
  /** In the modes that have it. */
  readonly #postCopy: PostCopy | undefined
  #installed: readonly InstalledPages[] = []
  /** By number of the data channel; empty where lanes have no threads. */
  #remote: readonly RemoteLane[] = []
  /** For the urgent channel, where it has a thread. */
  #remoteUrgent: RemoteLane | undefined
  readonly #lanes: Lane[] = []
  #stopped: Promise<unknown> = Promise.resolve()
  #barriers: DecodedTotals[] = []
  #end: RoundEnd | undefined

  /** @param memoryBytes - of the guest, as announced */
  constructor(
    hello: Hello,
    terms: Welcome,
    { memoryBytes, regionCount }: { readonly memoryBytes: number; readonly regionCount: number },
    { primitives, clock }: { readonly primitives: Primitives; readonly clock: Clock },
    owner: RoundsOwner,
  ) {
    const { pageBytes, dataChannels } = terms
    this.#pageBytes = pageBytes
    this.#dataChannels = dataChannels
    this.#owner = owner
    this.#clock = clock
    this.#plan = {
      pageBytes,
      hash: hello.hash,
      hashSeed: hello.fingerprintSeed.slice(),
      verify: verifyHash(hello.verify, hello.hash),
      verifySeed: hello.verifySeed.slice(),
      warmUpBytes: memoryBytes,
      regionCount,
      features: featuresOf(terms.capabilities),
      storeBytes: terms.storeBytes ?? 0,
      urgent: false,
    }
    const hasPostCopy = mayPostCopy(hello.mode)
    this.#postCopy = hasPostCopy ? new PostCopy(pageBytes) : undefined
    this.#installer = new Installer(this.#plan, dataChannels + (hasPostCopy ? 1 : 0), primitives)
  }

  /** Starts a thread for every lane, once: they get ready while memory is made ready. */
  startThreads(threads: LaneThreads, made: (lane: RemoteLane) => void): void {
    if (this.#remote.length > 0) return
    const remote: RemoteLane[] = []
    this.#remote = remote
    for (let i = 0; i < this.#dataChannels; i++) {
      const lane = new RemoteLane(threads, this.#plan, this)
      remote.push(lane)
      made(lane)
    }
    if (this.#postCopy === undefined || threads.startUrgent === undefined) return
    this.#remoteUrgent = new RemoteLane(threads, { ...this.#plan, urgent: true }, this)
    made(this.#remoteUrgent)
  }

  /** Gets ready on this thread, while memory is made ready: there are no others. */
  warmUp(): void {
    this.#installer.warmUp(this.#clock)
  }

  /** Takes over reserved memory; resolves when lanes can begin, rejects when a thread cannot. */
  async takeMemory({ regions, pager }: IncomingGuest): Promise<void> {
    this.#postCopy?.take(regions, pager)
    const { verifyHasher } = this.#installer
    this.#installed = regions.map((region, index) => ({
      region,
      states: this.#postCopy && pager!.states[index],
      written: allocateShared(pagesCovering(region.bytes.length, this.#pageBytes)),
      fingerprints: verifyHasher && zeroFingerprints(verifyHasher, region, this.#pageBytes),
    }))
    if (!regions.every(({ bytes }) => isShared(bytes))) this.#endThreads()
    for (const lane of this.#remote) lane.install(this.#installed, this.#gate.words)
    this.#remoteUrgent?.install(this.#installed, this.#gate.words, pager!.source)
    await Promise.all(this.#threads.map((lane) => lane.ready))
  }

  /**
   * Takes over a data channel whose preface is being handled.
   *
   * @returns who gets its frames here; undefined when the connection is a thread's now
   * @throws {ProtocolError} `PROTOCOL_STATE`: its number is taken or was not agreed
   */
  open(index: number, link: Link): LinkHandler | undefined {
    if (index >= this.#dataChannels || this.#lanes[index] !== undefined) {
      throw new ProtocolError('PROTOCOL_STATE', `Data channel ${index} is not expected`)
    }
    const remote = this.#remote[index]
    if (remote !== undefined && link.channel.detach !== undefined) {
      this.#lanes[index] = remote
      remote.open(link)
      return undefined
    }
    remote?.close()
    const lane = this.#installer.createLane(link, this.#clock, this.#installed, this)
    this.#lanes[index] = lane
    return lane
  }

  /**
   * Takes over the urgent channel, where pages come that the guest waits for.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: there is none in this mode, or it is there already
   */
  openUrgent(link: Link): LinkHandler | undefined {
    if (this.#postCopy === undefined) {
      throw new ProtocolError('PROTOCOL_STATE', 'An urgent channel is not expected in this mode')
    }
    this.#postCopy.open()
    const remote = this.#remoteUrgent
    if (remote !== undefined && link.channel.detach !== undefined) {
      this.#lanes[this.#dataChannels] = remote
      remote.open(link)
      return undefined
    }
    remote?.close()
    this.#postCopy.listen(link)
    const urgent = new UrgentOwner(this)
    const lane = this.#installer.createLane(link, this.#clock, this.#installed, urgent, true)
    this.#lanes[this.#dataChannels] = lane
    return lane
  }

  /** Pages of a guest that is about to run are to come. */
  discard(body: Discard): void {
    this.#postCopy!.discard(body)
  }

  /** Ends all channels and threads; resolves when none of them stores to the memory any more. */
  async close(): Promise<void> {
    this.allow(0)
    this.#installer.endWarmUp()
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
    this.#barriers.push(totals)
    this.#owner.barrierPassed()
  }

  laneClosed(error: GodwitError | undefined): void {
    this.#owner.laneClosed(error)
  }

  laneDied(error: GodwitError): void {
    this.#owner.laneDied(error)
  }

  get kernels(): 'simd' | 'typescript' {
    return this.#installer.kernels
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
    const channels = this.#dataChannels + (this.#postCopy === undefined ? 0 : 1)
    if (end === undefined || this.#barriers.length < channels) return undefined
    const sum = sumOfTotals(this.#barriers)
    this.#barriers = []
    this.#end = undefined
    const { batches, pages, digest } = sum
    if (end.batches !== batches || end.pages !== pages || u64FromBytes(end.digest) !== digest) {
      const text = `The source counts ${end.pages} pages in round ${end.round}; ${pages} arrived`
      throw new ProtocolError('PROTOCOL_TOTALS', text)
    }
    if (this.isPostCopy) this.#postCopy!.finish()
    return { totals: sum, heldPages: end.held ?? 0 }
  }

  /** Compares the source's digests with those of what was installed. */
  compare(verify: Verify): Verified {
    const regions = this.#installed.map(({ region, fingerprints }) => ({
      id: region.id,
      fingerprints: fingerprints!,
    }))
    const own = digestFingerprints(this.#installer.verifyHasher!, regions)
    const asked = new Map(verify.regions.map(({ id, digest }) => [id, digest]))
    const differing = own.regions
      .filter(({ id, digest }) => !sameBytes(digest, asked.get(id)))
      .map(({ id }) => id)
    const equal = differing.length === 0 && sameBytes(own.digest, verify.digest)
    return { equal, digest: own.digest, differing }
  }

  /** The digest of memory as it is now, by the verification hash (or the session's). */
  digestNow(): Promise<MemoryDigest> {
    const hasher = this.#installer.verifyHasher ?? this.#installer.hasher
    const regions = this.#installed.map(({ region }) => region)
    return digestMemory(hasher, regions, this.#pageBytes, () => yieldTo(this.#clock))
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

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index])
}
