/**
 * Lanes on the calling thread.
 *
 * @module
 */
import type { BatchSlot, StaticLookup } from '@godwit/codec'
import { Workspace } from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { EncodeSettings } from '@godwit/policy'
import { TokenBucket } from '@godwit/policy'
import { ChannelRole } from '@godwit/wire'
import { Channels } from './channels.ts'
import type { EncodingState } from './encoding-state.ts'
import { sumOfStates } from './encoding-state.ts'
import { createSlots, laneBytes, warmUpBytes } from './lane-memory.ts'
import { SourceLane } from './lane.ts'
import type { LaneTerms, LanesOptions, SourceLanes } from './lanes.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import { handledPages, sumOf } from './round-work.ts'
import { warmUpLane } from './warm-up.ts'

/** Some lanes of one migration: all, or the one of a thread. */
export class LocalLanes implements SourceLanes {
  readonly threads = 0
  readonly cpuSeconds = 0
  readonly #options: LanesOptions
  readonly #firstIndex: number
  readonly #channels: Channels
  readonly #pacer = new TokenBucket(Infinity)
  readonly #lanes: SourceLane[] = []
  #count = 0
  #staticPages: StaticLookup | undefined
  #endWarmUp: () => void = () => {}
  #make: ((link: Link, index: number) => SourceLane) | undefined

  /** @param firstIndex - number of the first of these data channels */
  constructor(options: LanesOptions, firstIndex = 0) {
    this.#options = options
    this.#firstIndex = firstIndex
    const { session, epoch } = options
    this.#channels = new Channels(options, session, epoch)
  }

  prepare(terms: LaneTerms): void {
    const { count, lanes, creditBytes, memoryBytes, settings, storeBytes, findsStatic } = terms
    const { primitives, pageBytes, hash, seed, clock, sent, epoch, scan, onLost } = this.#options
    const { onHungry } = this.#options
    const { isLoopback = false } = this.#options.dialler
    const perLane = limitsPerLane(settings, storeBytes, lanes)
    const laneMemory = laneBytes(pageBytes, settings, perLane.cacheBytes, findsStatic)
    const ownMemory = warmUpBytes(pageBytes, settings)
    const workspace = new Workspace(primitives, count * laneMemory + ownMemory)
    const hasher = workspace.createHasher(hash, seed)
    const { compressors } = primitives
    const shared = { pageBytes, workspace, hasher, sent, creditBytes, pacer: this.#pacer }
    const rest = { compressors, isLoopback, scan, onHungry }
    const options = { ...shared, lanes, settings, ...perLane, ...rest }
    const newSlots = (): readonly BatchSlot[] => {
      return createSlots(workspace, pageBytes, settings, findsStatic)
    }
    const firstSlots = newSlots()
    this.#count = count
    // Touched before they are needed; nothing is in them yet.
    if (epoch === 0) for (const { fingerprints } of sent) fingerprints.bytes.fill(0)
    this.#make = (link, index) => {
      const isFirst = index === this.#firstIndex
      const slots = isFirst ? firstSlots : newSlots()
      const { connectMs: roundTripMs } = this.#channels
      const own = { slots, index, roundTripMs, staticPages: this.#staticPages }
      return new SourceLane(link, clock, { ...options, ...own }, onLost)
    }
    // A fraction, as it will be: to the compiler those are of a kind of their own.
    const none = { index: 0, roundTripMs: 0.5, staticPages: undefined }
    const first = { ...options, slots: firstSlots, ...none }
    this.#endWarmUp = warmUpLane(clock, first, memoryBytes)
  }

  async open(staticPages?: StaticLookup): Promise<void> {
    this.#endWarmUp()
    this.#staticPages = staticPages
    for (let i = 0; i < this.#count; i++) {
      await this.#channels.dial(ChannelRole.Data, this.#firstIndex + i, (link) => {
        const lane = this.#make!(link, this.#firstIndex + i)
        this.#lanes.push(lane)
        return lane
      })
    }
  }

  async sendRound(work: RoundWork): Promise<LaneRound> {
    return sumOf(await Promise.all(this.#lanes.map((lane) => lane.sendRound(work))))
  }

  goOn(): void {
    for (const lane of this.#lanes) lane.goOn()
  }

  async scan(): Promise<void> {}

  look(): void {}

  get pagesDone(): number {
    return this.#lanes.reduce((sum, { progress }) => sum + handledPages(progress), 0)
  }

  get wireBytes(): number {
    return this.#channels.wireBytes
  }

  get encoding(): EncodingState | undefined {
    return sumOfStates(this.#lanes.map((lane) => lane.encoding))
  }

  pace(bytesPerSecond: number): void {
    this.#pacer.change(bytesPerSecond, this.#options.clock.nowMs())
    for (const lane of this.#lanes) lane.paceAgain()
  }

  close(): void {
    this.#endWarmUp()
    this.#channels.abort()
    for (const lane of this.#lanes) lane.close()
  }

  destroy(): void {
    this.#endWarmUp()
    this.#channels.abort()
    for (const lane of this.#lanes) lane.destroy()
  }

  ended(): Promise<void> {
    return this.#channels.ended()
  }
}

/** The settings' limits are for all lanes together. */
function limitsPerLane(
  settings: EncodeSettings,
  storeBytes: number,
  lanes: number,
): { readonly cacheBytes: number; readonly storeBytes: number } {
  return {
    cacheBytes: Math.floor(settings.cacheBytes / lanes),
    storeBytes: Math.min(storeBytes, Math.floor(settings.storeBytes / lanes)),
  }
}
