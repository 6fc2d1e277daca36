/**
 * Runs a lane before anything arrives.
 *
 * @module
 */
import type { Clock, PageHasher } from '@godwit/core'
import { CancelledError } from '@godwit/core'
import type { Workspace } from '@godwit/codec'
import {
  BatchDecoder,
  BatchEncoder,
  BatchSlot,
  NO_FEATURES,
  batchPages,
  emptyBatch,
  madeUpPages,
  madeUpTarget,
  warmUpBatches,
} from '@godwit/codec'
import { HollowChannel, openHollow } from '@godwit/link'
import { FRAME_HEADER_BYTES, FrameType, FrameWriter } from '@godwit/wire'
import type { LaneOwner } from './lane.ts'
import { DestinationLane } from './lane.ts'

export interface WarmUpOptions {
  readonly pageBytes: number
  readonly workspace: Workspace
  readonly hasher: PageHasher
  readonly verifyHasher: PageHasher | undefined
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

/**
 * Installs made-up pages, again and again, while there is nothing else to do.
 *
 * @returns what ends it; the buffer is free then
 */
export function warmUpLane(clock: Clock, options: WarmUpOptions): () => void {
  const { pageBytes, workspace, hasher, verifyHasher, buffer, memoryBytes } = options
  const batches = warmUpBatches('decoder', workspace, memoryBytes, hasher, verifyHasher)
  if (batches === 0) return () => {}
  const frame = madeUpFrame(options)
  const decoder = new BatchDecoder({
    pageBytes,
    regions: [madeUpTarget(pageBytes, verifyHasher)],
    workspace,
    hasher,
    verifyHasher,
    features: NO_FEATURES,
    storeBytes: 0,
    compressors: {},
  })
  const channel = new HollowChannel(clock)
  const make = (link: DestinationLane['link']): DestinationLane =>
    new DestinationLane(link, clock, decoder, nobody, buffer)
  const { link } = openHollow(channel, clock, make)
  const writer = new FrameWriter()
  let left = batches
  const go = (): void => {
    if (link.isClosed) return
    writer.seal(FrameType.Pages, frame, 0, frame.length - FRAME_HEADER_BYTES)
    channel.feed(frame)
    if (--left > 0) clock.soon(go)
  }
  clock.soon(go)
  return () => link.fail(new CancelledError())
}

/** A batch of a usual size, behind room for the header of its frame. */
function madeUpFrame({ pageBytes, workspace, hasher }: WarmUpOptions): Uint8Array {
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const slot = new BatchSlot(workspace, pageBytes)
  const out = emptyBatch()
  const encoder = new BatchEncoder({ pageBytes, workspace, hasher, raw: false })
  const work = { round: 1, sent, dirty, known: false, postCopy: false }
  encoder.encode(work, 0, dirty.pageCount, slot, out, batchPages(pageBytes))
  return slot.bytes.slice(out.frameStart, out.frameEnd)
}
