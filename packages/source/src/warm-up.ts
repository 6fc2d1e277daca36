/**
 * Runs a lane before there is anything to send.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { MIB, PageBitmap } from '@godwit/core'
import { type SentPages, madeUpPages, warmUpBatches } from '@godwit/codec'
import { HollowChannel, openHollow } from '@godwit/link'
import { TokenBucket } from '@godwit/policy'
import { FrameType, FrameWriter, encodeMessage } from '@godwit/wire'
import type { LaneOptions } from './lane-options.ts'
import { WARM_UP_LANES, warmUpSettingsFor } from './lane-memory.ts'
import { SourceLane } from './lane.ts'
import type { RoundWork } from './round-work.ts'
import { Taken, cutPieces } from './round-work.ts'

const creditBytes = 16 * MIB
/** How often a destination gives credit, about. */
const creditStepBytes = 4 * MIB

/**
 * Sends made-up pages to nobody while there is nothing else to do.
 *
 * @param options - of the lane that is warmed up for, whose slots are used; its workspace has room
 *   for `warmUpBytes`
 * @param memoryBytes - of the guest: a small one is not worth much
 * @returns what ends it; the slots are free then
 */
export function warmUpLane(clock: Clock, options: LaneOptions, memoryBytes: number): () => void {
  const { workspace, pageBytes, hasher } = options
  const most = warmUpBatches('encoder', workspace, memoryBytes, hasher)
  if (most === 0) return () => {}
  const { dirty, sent } = madeUpPages(pageBytes, hasher)
  const settings = warmUpSettingsFor(options.settings)
  // Each takes a multiple of the time, and there should be several lanes.
  const batches = settings.compression === 'none' ? most : most >>> 4
  const limits = { creditBytes, cacheBytes: settings.cacheBytes, storeBytes: 0 }
  const own = { ...options, settings, sent: [sent], ...limits }
  const untouched = PageBitmap.shared(dirty.pageCount)
  for (let page = 0; page < dirty.pageCount; page++) if (page % 16 > 10) untouched.add(page)
  const again = PageBitmap.shared(dirty.pageCount)
  let isOver = false
  let lane: SourceLane | undefined
  const run = async (): Promise<void> => {
    // Several: to the compiler, a lane that has just begun is unlike one that goes on.
    for (let i = 0; i < WARM_UP_LANES && !isOver; i++) {
      const channel = new HollowChannel(clock)
      const pacer = new TokenBucket(Infinity)
      const parts = { ...own, pacer, index: 0, lanes: 1 }
      lane = openHollow(channel, clock, (link) => new SourceLane(link, clock, parts, () => {}))
      const marks =
        i % 2 === 0
          ? { untouched: [untouched], again: undefined, leavesAgain: false, left: undefined }
          : { untouched: undefined, again: [again], leavesAgain: true, left: undefined }
      const pieces = cutPieces([dirty], 1)
      const push = undefined
      const known = i % 2 === 1
      const first = { round: 1, known, mayLack: true }
      const round = { ...first, dirty: [dirty], ...marks, ...pieces, push }
      await sendAgain(lane, channel, round, sent, batches / WARM_UP_LANES)
      lane.destroy()
    }
  }
  // It ends in the middle of a round as a rule.
  run().catch(() => {})
  return () => {
    isOver = true
    lane?.destroy()
  }
}

/** Sends a round until it has come to so many batches; the lane is idle then. */
async function sendAgain(
  lane: SourceLane,
  channel: HollowChannel,
  round: RoundWork,
  { fingerprints }: SentPages,
  batches: number,
): Promise<void> {
  const writer = new FrameWriter()
  let creditedBytes = 0
  let frameBytes = 0
  for (let left = batches; left > 0; ) {
    Atomics.store(round.taken, Taken.Pieces, 0)
    Atomics.store(round.taken, Taken.FirstTurn, -1)
    // As if all pages had changed.
    fingerprints.bytes.fill(0)
    const done = await lane.sendRound(round)
    left -= done.batches
    frameBytes += done.frameBytes
    if (frameBytes - creditedBytes < creditStepBytes) continue
    creditedBytes = frameBytes
    const body = encodeMessage({ name: 'Credit', body: { bytes: frameBytes } })
    channel.feed(writer.frame(FrameType.Credit, body))
  }
}
