/**
 * What installs pages on one thread: a workspace, its hashers, and lanes that share them.
 *
 * @module
 */
import type { PageHasher } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { InstalledPages, Primitives } from '@godwit/codec'
import { BatchDecoder, warmUp, Workspace } from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { LanePlan } from './lane-messages.ts'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'

/** Receive buffer of a data channel: two batches, so little that they stay in a core's cache. */
const RECEIVE_BYTES: number = MIB + 256 * KIB

/** One per migration and thread. */
export class Installer {
  readonly hasher: PageHasher
  /** Absent with `--verify none`. */
  readonly verifyHasher: PageHasher | undefined
  readonly #plan: LanePlan
  readonly #workspace: Workspace

  /** @param laneCount - how many lanes there may be here; none takes memory before it is made */
  constructor(plan: LanePlan, laneCount: number, primitives: Primitives) {
    this.#plan = plan
    this.#workspace = new Workspace(primitives, laneCount * RECEIVE_BYTES)
    this.hasher = this.#workspace.createHasher(plan.hash, plan.hashSeed)
    this.verifyHasher = plan.verify && this.#workspace.createHasher(plan.verify, plan.verifySeed)
  }

  get kernels(): Workspace['kernels'] {
    return this.#workspace.kernels
  }

  /** Blocks for up to 80 ms; see `warmUp` of codec. */
  warmUp(): void {
    const { hasher, verifyHasher } = this
    warmUp('decoder', this.#workspace, this.#plan.memoryBytes, hasher, verifyHasher)
  }

  /** The lane of one data channel, which installs into `regions`. */
  createLane(link: Link, regions: readonly InstalledPages[], owner: LaneOwner): DestinationLane {
    const { hasher, verifyHasher } = this
    const { pageBytes } = this.#plan
    const { copy } = this.#workspace
    const decoder = new BatchDecoder({ pageBytes, regions, hasher, verifyHasher, copy })
    return new DestinationLane(link, decoder, owner, this.#workspace.allocate(RECEIVE_BYTES))
  }
}
