/**
 * Runs a lane before there is anything to send.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { MIB, PageBitmap } from '@godwit/core'
import type { Compressor, Compressors, SentPages } from '@godwit/codec'
import { madeUpPages, warmUpBatches } from '@godwit/codec'
import { TokenBucket } from '@godwit/policy'
import { HollowDestination } from './hollow-destination.ts'
import type { LaneOptions } from './lane-options.ts'
import { WARM_UP_LANES, warmUpSettingsFor } from './lane-memory.ts'
import type { RoundWork } from './round-work.ts'
import { Taken, cutPieces } from './round-work.ts'

const creditBytes = 16 * MIB
/** What takes most of the time is no code of ours: it is done a few times, and then left out. */
const compressedBatches = 16

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
  const isPlain = settings.compression === 'none'
  // Each takes a multiple of the time, and there should be several lanes.
  const batches = (isPlain ? most : most >>> 2) / WARM_UP_LANES
  const limits = { creditBytes, cacheBytes: settings.cacheBytes, storeBytes: 0 }
  const untouched = PageBitmap.shared(dirty.pageCount)
  for (let page = 0; page < dirty.pageCount; page++) if (page % 16 > 10) untouched.add(page)
  const again = PageBitmap.shared(dirty.pageCount)
  let isOver = false
  let destination: HollowDestination | undefined
  const run = async (): Promise<void> => {
    // Several: to the compiler, a lane that has just begun is unlike one that goes on.
    for (let i = 0; i < WARM_UP_LANES && !isOver; i++) {
      const isFirst = i === 0 && !isPlain
      const compressors = isFirst ? options.compressors : hollowCompressors(options.compressors)
      const auto = options.settings.auto && !isFirst
      const parts = { pacer: new TokenBucket(Infinity), index: 0, lanes: 1, compressors }
      const own = { ...options, ...limits, ...parts, sent: [sent] }
      destination = new HollowDestination(clock, { ...own, settings: { ...settings, auto } })
      const marks =
        i % 2 === 0
          ? { untouched: [untouched], again: undefined, leavesAgain: false, left: undefined }
          : { untouched: undefined, again: [again], leavesAgain: true, left: undefined }
      const pieces = cutPieces([dirty], 1)
      const push = undefined
      const known = i % 2 === 1
      const first = { round: 1, known, mayLack: true }
      const round = { ...first, dirty: [dirty], ...marks, ...pieces, push }
      await sendAgain(destination, round, sent, isFirst ? compressedBatches : batches)
      destination.lane.destroy()
    }
  }
  // It ends in the middle of a round as a rule.
  run().catch(() => {})
  return () => {
    isOver = true
    destination?.lane.destroy()
  }
}

/** Sends a round until it has come to so many batches; the lane is idle then. */
async function sendAgain(
  destination: HollowDestination,
  round: RoundWork,
  { fingerprints }: SentPages,
  batches: number,
): Promise<void> {
  for (let left = batches; left > 0; ) {
    Atomics.store(round.taken, Taken.Pieces, 0)
    Atomics.store(round.taken, Taken.FirstTurn, -1)
    // As if all pages had changed.
    fingerprints.bytes.fill(0)
    const done = await destination.lane.sendRound(round)
    destination.roundEnded()
    left -= done.batches
  }
}

/** Those that there are, without their work. */
function hollowCompressors({ zstd, lz4 }: Compressors): Compressors {
  return { zstd: zstd && hollowCompressor, lz4: lz4 && hollowCompressor }
}

const hollowCompressor: Compressor = {
  parallel: 0,
  compress: (input, _settings, done) => done(input.subarray(0, input.length >>> 2)),
  decompress: (input) => input,
}
