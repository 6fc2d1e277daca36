/**
 * The destination's data plane seen from the control plane: the channels for pages, anew for every
 * connection, and what is known of the memory that was installed.
 *
 * @module
 */
import type { CheckpointReport, Clock, IncomingGuest } from '@godwit/core'
import { ProtocolError, allocateShared, mayPostCopy, pagesCovering, yieldTo } from '@godwit/core'
import type { InstalledPages, MemoryDigest, Primitives } from '@godwit/codec'
import {
  digestFingerprints,
  digestMemory,
  featuresOf,
  verifyHash,
  zeroFingerprints,
} from '@godwit/codec'
import type { Link, LinkHandler } from '@godwit/link'
import type { Discard, Hello, Lacking, Preface, Verified, Verify, Welcome } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import type { Installer } from './installer.ts'
import type { LanePlan } from './lane-messages.ts'
import type { JoinedRound, LaneCounts, LanesOwner } from './lanes.ts'
import { Lanes } from './lanes.ts'
import type { CheckpointsOptions } from './checkpoints.ts'
import { Checkpoints } from './checkpoints.ts'
import { PostCopy } from './post-copy.ts'

/** What a data plane is made with. */
export interface RoundsParts {
  readonly primitives: Primitives
  readonly clock: Clock
}

/** All rounds of one migration, from the moment the source said what it brings. */
export class Rounds {
  /** Of the connection there is, or was last. */
  lanes: Lanes
  readonly #pageBytes: number
  readonly #plan: LanePlan
  readonly #counts: LaneCounts
  readonly #parts: RoundsParts
  readonly #owner: LanesOwner
  /** Hashers of whatever connection. */
  readonly #installer: Installer
  /** In the modes that have it. */
  readonly #postCopy: PostCopy | undefined
  #installed: readonly InstalledPages[] = []
  /** Where the source wants the guest's state back while its pages come. */
  #checkpoints: Checkpoints | undefined
  readonly #checkpointMs: number | undefined
  readonly #filled = Promise.withResolvers<void>()
  /** Of page frames of all rounds that were joined; of those, what earlier connections brought. */
  #joinedBytes = 0
  #receivedBefore = 0

  /** @param memoryBytes - of the guest, as announced */
  constructor(
    hello: Hello,
    terms: Welcome,
    { memoryBytes, regionCount }: { readonly memoryBytes: number; readonly regionCount: number },
    parts: RoundsParts,
    owner: LanesOwner,
  ) {
    const { pageBytes, dataChannels } = terms
    const hasUrgent = mayPostCopy(hello.mode)
    this.#pageBytes = pageBytes
    this.#checkpointMs = hello.checkpointMs
    this.#owner = owner
    this.#parts = parts
    this.#counts = { dataChannels, hasUrgent }
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
      firstRound: 1,
    }
    this.#postCopy = hasUrgent ? new PostCopy(pageBytes) : undefined
    this.lanes = new Lanes(this.#plan, this.#counts, parts, owner)
    this.#installer = this.lanes.installer
  }

  /** Takes over reserved memory; resolves when lanes can begin, rejects when a thread cannot. */
  async takeMemory(guest: IncomingGuest): Promise<void> {
    const { regions, pager } = guest
    this.#postCopy?.take(regions, pager)
    if (this.#checkpointMs !== undefined) this.#prepareCheckpoints(guest, this.#checkpointMs)
    const { verifyHasher } = this.#installer
    this.#installed = regions.map((region, index) => ({
      region,
      states: this.#postCopy && pager!.states[index],
      placer: this.#postCopy && pager!.placers?.[index],
      written: allocateShared(pagesCovering(region.bytes.length, this.#pageBytes)),
      fingerprints: verifyHasher && zeroFingerprints(verifyHasher, region, this.#pageBytes),
    }))
    await this.lanes.take(this.#installed, this.#postCopy?.pager)
  }

  /** @throws {ProtocolError} {@link LimitError} as {@link Checkpoints} */
  #prepareCheckpoints(guest: IncomingGuest, everyMs: number): void {
    const { clock, primitives } = this.#parts
    const { hash, hashSeed } = this.#plan
    const options: CheckpointsOptions = {
      clock,
      primitives,
      pageBytes: this.#pageBytes,
      everyMs,
      createHasher: (workspace) => workspace.createHasher(hash, hashSeed),
      onLost: (error) => this.#owner.laneClosed(error),
    }
    this.#checkpoints = new Checkpoints(options, guest)
  }

  /**
   * A channel of this session was dialled, but for its control channel.
   *
   * @returns undefined when its connection was given to another thread
   * @throws {ProtocolError} `PROTOCOL_STATE`: it is not expected
   */
  open({ role, index }: Preface, link: Link): LinkHandler | undefined {
    if (role === ChannelRole.Urgent) return this.lanes.openUrgent(link)
    if (role !== ChannelRole.Reverse) return this.lanes.open(index, link)
    if (this.#checkpoints?.isOpen !== false) {
      throw new ProtocolError('PROTOCOL_STATE', 'A reverse channel is not expected')
    }
    return this.#checkpoints.open(link)
  }

  /** Ends all channels; resolves when nothing of them stores to the memory any more. */
  close(): Promise<void> {
    this.#checkpoints?.close()
    return this.lanes.close()
  }

  /** The guest runs, and pages are still to come. */
  guestRuns(): void {
    this.#checkpoints?.begin()
  }

  /** All pages are there, and the source is about to hear of it. */
  filled(): void {
    this.#checkpoints?.end()
    this.#filled.resolve()
  }

  /** Resolves when the guest is here with all of its pages. */
  get whole(): Promise<void> {
    return this.#filled.promise
  }

  get checkpoints(): CheckpointReport | undefined {
    return this.#checkpoints?.report
  }

  /** Pages of a guest that is about to run are to come. */
  discard(body: Discard): void {
    this.#postCopy!.discard(body)
  }

  /** Pages that were discarded and have not come; when no lane installs any. */
  lacking(): readonly Lacking[] {
    return this.#postCopy!.lacking()
  }

  /**
   * The source has connected anew: pages come by other channels, from `firstRound` on.
   *
   * @param start - makes the new lanes ready
   */
  connect(firstRound: number, start: (lanes: Lanes) => void): void {
    // A round that is taken up again is another one: what came of the lost one does not count.
    this.#receivedBefore = this.#joinedBytes
    const plan = { ...this.#plan, firstRound }
    this.lanes = new Lanes(plan, this.#counts, this.#parts, this.#owner)
    start(this.lanes)
    // Threads hear what comes next in order; one that cannot be had tells so by itself.
    this.lanes.take(this.#installed, this.#postCopy?.pager).catch(() => {})
  }

  get kernels(): 'simd' | 'typescript' {
    return this.#installer.kernels
  }

  /** Of page frames in all rounds; all of them once the round is joined. */
  get receivedBytes(): number {
    return this.#receivedBefore + this.lanes.receivedBytes
  }

  /** See {@link Lanes.join}. */
  join(): JoinedRound | undefined {
    const joined = this.lanes.join()
    if (joined === undefined) return undefined
    if (this.lanes.isPostCopy) this.#postCopy!.finish()
    this.#joinedBytes = this.receivedBytes
    return joined
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
    return digestMemory(hasher, regions, this.#pageBytes, () => yieldTo(this.#parts.clock))
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index])
}
