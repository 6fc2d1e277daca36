/**
 * Runs a lane before there is anything to send.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { MIB } from '@godwit/core'
import { madeUpPages, warmUpBatches } from '@godwit/codec'
import { HollowChannel, openHollow } from '@godwit/link'
import { TokenBucket, parseEncode } from '@godwit/policy'
import { FrameType, FrameWriter, encodeMessage } from '@godwit/wire'
import type { LaneOptions } from './lane-options.ts'
import { SourceLane } from './lane.ts'
import { cutPieces } from './round-work.ts'

const creditBytes = 16 * MIB
/** How often a destination gives credit, about. */
const creditStepBytes = 4 * MIB

/**
 * Sends made-up pages to nobody while there is nothing else to do.
 *
 * @param options - of the lane that is warmed up for, whose slots are used
 * @param memoryBytes - of the guest: a small one is not worth much
 * @returns what ends it; the slots are free then
 */
export function warmUpLane(clock: Clock, options: LaneOptions, memoryBytes: number): () => void {
  const { workspace, pageBytes, hasher } = options
  const batches = warmUpBatches('encoder', workspace, memoryBytes, hasher)
  if (batches === 0) return () => {}
  const { dirty, ...sent } = madeUpPages(pageBytes, hasher)
  const settings = parseEncode('none')
  const pacer = new TokenBucket(Infinity)
  const own = { ...options, settings, sent: [sent], creditBytes, pacer, index: 0, lanes: 1 }
  const channel = new HollowChannel(clock)
  const lane = openHollow(channel, clock, (link) => new SourceLane(link, clock, own, () => {}))
  const work = { round: 1, known: false, dirty: [dirty], untouched: undefined, again: undefined }
  const round = { ...work, ...cutPieces([dirty], 1) }
  let isOver = false
  const run = async (): Promise<void> => {
    const writer = new FrameWriter()
    let creditedBytes = 0
    let frameBytes = 0
    for (let left = batches; left > 0 && !isOver; ) {
      Atomics.store(round.taken, 0, 0)
      const done = await lane.sendRound(round)
      left -= done.batches
      frameBytes += done.frameBytes
      if (frameBytes - creditedBytes < creditStepBytes) continue
      creditedBytes = frameBytes
      const body = encodeMessage({ name: 'Credit', body: { bytes: frameBytes } })
      channel.feed(writer.frame(FrameType.Credit, body))
    }
  }
  // It ends in the middle of a round as a rule.
  run().catch(() => {})
  return () => {
    isOver = true
    lane.destroy()
  }
}
