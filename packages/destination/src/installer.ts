/**
 * What installs pages on one thread: a workspace, its hashers, and lanes that share them.
 *
 * @module
 */
import type { Channel, Clock, PageHasher } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { Compressors, InstalledPages, Primitives, StaticContents } from '@godwit/codec'
import {
  BatchDecoder,
  PayloadDecoder,
  Workspace,
  batchDecoderBytes,
  featuresOf,
} from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { LanePlan } from './lane-messages.ts'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'
import { warmUpLane } from './warm-up.ts'
import { warmUpUrgent } from './warm-up-urgent.ts'

/** Receive buffer of a data channel: two batches, so little that they stay in a core's cache. */
const RECEIVE_BYTES: number = MIB + 256 * KIB

const plainFeatures = { features: featuresOf([]), storeBytes: 0 }

/** One per migration and thread. */
export class Installer {
  readonly hasher: PageHasher
  /** Absent with `--verify none`. */
  readonly verifyHasher: PageHasher | undefined
  readonly #plan: LanePlan
  readonly #workspace: Workspace
  readonly #compressors: Compressors
  /** Of all lanes here: each is done with a batch before another begins one. */
  readonly #payloads: PayloadDecoder
  /** Of the first lane, before it is made. */
  #spareBuffer: Uint8Array | undefined
  #endWarmUp: () => void = () => {}

  /** @param laneCount - how many lanes there may be here; none takes memory before it is made */
  constructor(plan: LanePlan, laneCount: number, primitives: Primitives) {
    this.#plan = plan
    const { pageBytes, regionCount } = plan
    const laneBytes = RECEIVE_BYTES + batchDecoderBytes(pageBytes, regionCount)
    this.#compressors = primitives.compressors
    this.#workspace = new Workspace(primitives, laneCount * laneBytes)
    this.#payloads = new PayloadDecoder(this.#workspace, this.#compressors)
    this.hasher = this.#workspace.createHasher(plan.hash, plan.hashSeed)
    this.verifyHasher = plan.verify && this.#workspace.createHasher(plan.verify, plan.verifySeed)
  }

  get kernels(): 'simd' | 'typescript' {
    return this.#workspace.kernels.active
  }

  /**
   * Warms up while there is nothing else to do, until there is a lane.
   *
   * @param connect - for an urgent channel: gives it a connection to itself
   */
  warmUp(
    clock: Clock,
    connect?: (begin: (near: Channel, far: Channel) => void) => () => void,
  ): void {
    const { hasher, verifyHasher } = this
    const { pageBytes, features, warmUpBytes: memoryBytes } = this.#plan
    const workspace = this.#workspace
    const buffer = this.#createBuffer()
    this.#spareBuffer = buffer
    const [payloads, compressors] = [this.#payloads, this.#compressors]
    const hashers = { hasher, verifyHasher }
    const agreed = { pageBytes, features, compressors }
    const parts = { ...agreed, ...hashers, workspace, payloads, buffer, memoryBytes }
    this.#endWarmUp =
      connect === undefined
        ? warmUpLane(clock, parts)
        : connect((near, far) => warmUpUrgent(near, far, clock, parts))
  }

  endWarmUp(): void {
    this.#endWarmUp()
  }

  /**
   * The lane of one channel, which installs into `regions`.
   *
   * @param isUrgent - pages come as they are, one by one
   * @param staticPages - what others may be taken out of
   */
  createLane(
    link: Link,
    clock: Clock,
    regions: readonly InstalledPages[],
    owner: LaneOwner,
    isUrgent = false,
    staticPages?: StaticContents,
  ): DestinationLane {
    this.#endWarmUp()
    const { hasher, verifyHasher } = this
    const { pageBytes, firstRound } = this.#plan
    const { features, storeBytes } = isUrgent ? plainFeatures : this.#plan
    const workspace = this.#workspace
    const [payloads, compressors] = [this.#payloads, this.#compressors]
    const own = { hasher, verifyHasher, workspace, payloads, compressors }
    const agreed = { pageBytes, features, storeBytes, staticPages }
    const decoder = new BatchDecoder({ ...agreed, ...own, regions })
    const buffer = this.#spareBuffer ?? this.#createBuffer()
    this.#spareBuffer = undefined
    return new DestinationLane(link, clock, decoder, owner, buffer, { firstRound, isUrgent })
  }

  #createBuffer(): Uint8Array {
    const buffer = this.#workspace.allocate(RECEIVE_BYTES)
    // Touched before it is needed.
    buffer.fill(0)
    return buffer
  }
}
