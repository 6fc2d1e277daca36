/**
 * A look at some pages of memory, here and there: how much of it is dirty, about, and where.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { PageBitmap, yieldTo } from '@godwit/core'
import type { MemoryScan } from './memory-scan.ts'
import { CHUNK_PAGES, chunkCountOf } from './sweep.ts'

/** One page of so many is looked at. */
export const SAMPLED_PAGES = 32
/** The same where nothing was dirty the last time. */
const quietPages = 256
/** Pages that are looked at before others have their turn: a millisecond. */
export const LOOKS_PER_TURN = 512

/** What came of it. */
export interface MemorySample {
  /** In all memory, as far as can be told from the sample. */
  readonly dirtyPages: number
  /** Per region: dirty pages found in each chunk. */
  readonly hot: readonly Uint16Array[]
}

/** Chunks that are timed, all over memory. */
const timedChunks = 8

/**
 * What one thread will take to look at all of memory, milliseconds, by a few stretches of it.
 *
 * @param kept - per region: pages that are not looked at
 */
export function timePass(scan: MemoryScan, clock: Clock, kept: readonly PageBitmap[] = []): number {
  const zeros = scan.findZeros()
  const counts = zeros.map(({ pageCount }) => chunkCountOf(pageCount))
  const allChunks = counts.reduce((sum, count) => sum + count, 0)
  const times: number[] = []
  for (const [region, tracker] of scan.trackers.entries()) {
    const chunks = counts[region]!
    const timed = Math.max(1, Math.round((timedChunks * chunks) / allChunks))
    const into = new PageBitmap(zeros[region]!.pageCount)
    tracker.zeros = zeros[region]!
    // Those are not spread evenly, and take no time.
    tracker.kept = undefined
    for (let i = 0; i < timed; i++) {
      const startMs = clock.nowMs()
      tracker.collect(Math.floor((i * chunks) / timed) * CHUNK_PAGES, CHUNK_PAGES, into)
      times.push(clock.nowMs() - startMs)
    }
  }
  // Somebody else had the processor in the longest ones.
  const usual = times.toSorted((a, b) => a - b).slice(0, Math.ceil((times.length * 3) / 4))
  const allMs = (usual.reduce((sum, ms) => sum + ms, 0) / usual.length) * allChunks
  const pages = zeros.reduce((sum, { pageCount, size }) => sum + pageCount - size, 0)
  const keptPages = kept.reduce((sum, bitmap, region) => {
    return sum + sizeWithout(bitmap, zeros[region]!)
  }, 0)
  return pages === 0 ? 0 : allMs * (1 - keptPages / pages)
}

function sizeWithout(bitmap: PageBitmap, others: PageBitmap): number {
  const rest = new PageBitmap(bitmap.pageCount, bitmap.words.slice())
  rest.removeAll(others)
  return rest.size
}

/**
 * Looks at one page of each {@link SAMPLED_PAGES}, another one every time: n of them dirty are
 * 32 n in all, give or take 32 times the root of n.
 *
 * @param turn - number of the sample
 * @param kept - per region: pages that are not dirty
 * @param last - where there was something the last time; elsewhere fewer pages are looked at
 * @param isOver - asked after others had their turn: memory is not touched any more then
 */
export async function sampleMemory(
  scan: MemoryScan,
  turn: number,
  clock: Clock,
  kept: readonly PageBitmap[] | undefined,
  last: readonly Uint16Array[] | undefined,
  isOver: () => boolean = () => false,
): Promise<MemorySample> {
  const allZeros = scan.findZeros()
  const hot = scan.pageCounts.map((pageCount) => new Uint16Array(chunkCountOf(pageCount)))
  let dirtyPages = 0
  let looks = 0
  for (const [region, tracker] of scan.trackers.entries()) {
    const { pageCount } = allZeros[region]!
    const into = new PageBitmap(pageCount)
    tracker.zeros = allZeros[region]!
    tracker.kept = kept?.[region]
    for (let chunk = 0; chunk < hot[region]!.length; chunk++) {
      const step = last?.[region]![chunk] === 0 ? quietPages : SAMPLED_PAGES
      const end = Math.min((chunk + 1) * CHUNK_PAGES, pageCount)
      for (let first = chunk * CHUNK_PAGES; first < end; first += step) {
        const pages = Math.min(step, end - first)
        const page = first + (scatter(first, turn) % pages)
        if (tracker.collect(page, 1, into) === 0) continue
        hot[region]![chunk]!++
        dirtyPages += pages
      }
      looks += CHUNK_PAGES / step
      if (looks < LOOKS_PER_TURN) continue
      looks = 0
      await yieldTo(clock)
      if (isOver()) return { dirtyPages, hot }
    }
  }
  return { dirtyPages, hot }
}

/** So that no pattern of the guest's stores goes with it. */
function scatter(at: number, turn: number): number {
  let value = Math.imul(at, 0x9e3779b1) ^ Math.imul(turn + 1, 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 13)) >>> 3
}
