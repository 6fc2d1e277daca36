/**
 * Lanes on the calling thread.
 *
 * @module
 */
import { WarmUp, Workspace, warmUpMeanwhile } from '@godwit/codec'
import type { Link } from '@godwit/link'
import { TokenBucket } from '@godwit/policy'
import { ChannelRole } from '@godwit/wire'
import { Channels } from './channels.ts'
import { SourceLane, laneBytes } from './lane.ts'
import type { LaneTerms, LanesOptions, SourceLanes } from './lanes.ts'
import type { LaneRound, RoundWork } from './round-work.ts'
import { sumOf } from './round-work.ts'

/** Some lanes of one migration: all, or the one of a thread. */
export class LocalLanes implements SourceLanes {
  readonly cpuSeconds = 0
  readonly #options: LanesOptions
  readonly #firstIndex: number
  readonly #channels: Channels
  readonly #pacer = new TokenBucket(Infinity)
  readonly #lanes: SourceLane[] = []
  #count = 0
  #endWarmUp: () => void = () => {}
  #make: ((link: Link) => SourceLane) | undefined

  /** @param firstIndex - number of the first of these data channels */
  constructor(options: LanesOptions, firstIndex = 0) {
    this.#options = options
    this.#firstIndex = firstIndex
    this.#channels = new Channels(options.dialler, options.clock, options.session)
  }

  prepare({ count, creditBytes, memoryBytes }: LaneTerms): void {
    const { primitives, pageBytes, hash, seed, clock, raw, sent, onLost } = this.#options
    const workspace = new Workspace(primitives, count * laneBytes(pageBytes))
    const hasher = workspace.createHasher(hash, seed)
    const pacer = this.#pacer
    const options = { pageBytes, workspace, hasher, raw, sent, creditBytes, pacer }
    this.#count = count
    // Touched before they are needed; nothing is in them yet.
    for (const { fingerprints } of sent) fingerprints.bytes.fill(0)
    this.#make = (link) => new SourceLane(link, clock, options, onLost)
    this.#endWarmUp = warmUpMeanwhile(clock, new WarmUp('encoder', workspace, memoryBytes, hasher))
  }

  async open(): Promise<void> {
    this.#endWarmUp()
    for (let i = 0; i < this.#count; i++) {
      await this.#channels.dial(ChannelRole.Data, this.#firstIndex + i, (link) => {
        const lane = this.#make!(link)
        this.#lanes.push(lane)
        return lane
      })
    }
  }

  async sendRound(work: RoundWork): Promise<LaneRound> {
    return sumOf(await Promise.all(this.#lanes.map((lane) => lane.sendRound(work))))
  }

  get pagesDone(): number {
    return this.#lanes.reduce((sum, { progress }) => {
      return sum + progress.pages + progress.unchangedPages
    }, 0)
  }

  get wireBytes(): number {
    return this.#channels.wireBytes
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
