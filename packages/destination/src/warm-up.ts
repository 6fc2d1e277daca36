/**
 * Runs a lane before anything arrives.
 *
 * @module
 */
import type { Clock, PageHasher } from '@godwit/core'
import { CancelledError } from '@godwit/core'
import type { BatchFeatures, Compressors, PayloadDecoder, Workspace } from '@godwit/codec'
import { BatchDecoder, madeUpFrames, madeUpTarget, warmUpBatches } from '@godwit/codec'
import { HollowChannel, openHollow } from '@godwit/link'
import { FRAME_HEADER_BYTES, FrameType, FrameWriter } from '@godwit/wire'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'

export interface WarmUpOptions {
  readonly pageBytes: number
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly verifyHasher: PageHasher | undefined
  /** What was negotiated. */
  readonly features: BatchFeatures
  readonly compressors: Compressors
  /** Of the lane that is warmed up for. */
  readonly payloads: PayloadDecoder
  /** What the lane that is warmed up for will receive into. */
  readonly buffer: Uint8Array
  /** Of the guest: a small one is not worth much. */
  readonly memoryBytes: number
}

const nobody: LaneOwner = {
  installableRound: 1,
  isPostCopy: false,
  heard() {},
  barrier() {},
  laneClosed() {},
}

/** How many lanes there are, one after the other: one that has begun is unlike one that begins. */
const lanesMax = 4

/**
 * Installs made-up pages, again and again, while there is nothing else to do.
 *
 * @returns what ends it; the buffer is free then
 */
export function warmUpLane(clock: Clock, options: WarmUpOptions): () => void {
  const { workspace, hasher, verifyHasher, memoryBytes } = options
  const batches = warmUpBatches('decoder', workspace, memoryBytes, hasher, verifyHasher)
  if (batches === 0) return () => {}
  const frames = madeUpFrames(options)
  let lane = new HollowLane(clock, options)
  let fed = 0
  let isOver = false
  const go = (): void => {
    if (isOver) return
    lane.feed(frames[fed % frames.length]!)
    if (++fed === batches) return
    if (fed % Math.ceil(batches / lanesMax) === 0) {
      lane.end()
      lane = new HollowLane(clock, options)
    }
    clock.soon(go)
  }
  clock.soon(go)
  return () => {
    isOver = true
    lane.end()
  }
}

/** A lane whose source is nobody. */
class HollowLane {
  readonly #channel: HollowChannel
  readonly #writer = new FrameWriter()
  readonly #lane: DestinationLane

  constructor(clock: Clock, options: WarmUpOptions) {
    const { pageBytes, verifyHasher, buffer } = options
    const regions = [madeUpTarget(pageBytes, verifyHasher)]
    const decoder = new BatchDecoder({ ...options, regions, storeBytes: 0 })
    const make = (link: DestinationLane['link']): DestinationLane =>
      new DestinationLane(link, clock, decoder, nobody, buffer)
    this.#channel = new HollowChannel(clock)
    this.#lane = openHollow(this.#channel, clock, make)
  }

  feed(frame: Uint8Array): void {
    this.#writer.seal(FrameType.Pages, frame, 0, frame.length - FRAME_HEADER_BYTES)
    this.#channel.feed(frame)
  }

  end(): void {
    this.#lane.link.fail(new CancelledError())
  }
}
