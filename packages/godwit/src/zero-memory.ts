/**
 * Memory for a guest made ready by several threads.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Region, Thread, ZeroMemory } from '@godwit/core'
import { MIB, isShared, spanOf, systemClock, yieldTo } from '@godwit/core'
import { zeroInPieces } from '@godwit/destination'
import { entryUrl, startThread } from './thread.ts'
import type { ZeroJob } from './zero-job.ts'
import { stopChunks, zeroChunks } from './zero-job.ts'

export type ZeroThread = Thread<ZeroJob, 'done'>

/** Who helps the calling thread. */
export interface ZeroHelpers {
  readonly count: number
  readonly start: () => ZeroThread
}

/** On two cores, 64 MiB take 22 ms alone and 32 with a helper, which has to start; 256: 86, 69. */
const helpedBytesMin = 128 * MIB
const bytesPerHelper = 512 * MIB
/** Each adds 7 MiB to an overhead of 45 MiB, which shall stay under 68. */
const helpersMax = 3
/** What others wait for at the end, and input at the calling thread; 32 MiB are no quicker. */
const chunkBytes = 4 * MIB

/** Has threads help where memory is worth it and can be shared with them. */
export function zeroInThreads(): ZeroMemory {
  const zeroHere = zeroInPieces(systemClock)
  return async (regions, isFresh) => {
    const byteLength = regions.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (byteLength < helpedBytesMin || !regions.every(({ bytes }) => isShared(bytes))) {
      return zeroHere(regions, isFresh)
    }
    const useful = Math.ceil(byteLength / bytesPerHelper)
    const count = Math.min(availableParallelism() - 1, useful, helpersMax)
    return zeroWith({ count, start: startZeroThread }, regions, isFresh)
  }
}

/** Starts a thread that waits for its job. */
export function startZeroThread(): ZeroThread {
  return startThread(entryUrl('./zero-memory-thread.ts', import.meta.url), 'zero')
}

/**
 * The calling thread, which begins at once, and its helpers share the work out among themselves.
 * Settles when none of them stores any more.
 *
 * @throws {GodwitError} why a helper ended by itself; the others then take no more chunks
 */
export async function zeroWith(
  { count, start }: ZeroHelpers,
  regions: readonly Region[],
  isFresh: boolean,
): Promise<void> {
  const next = new Int32Array(new SharedArrayBuffer(4))
  const job = { spans: regions.map(({ bytes }) => spanOf(bytes)), chunkBytes, isFresh, next }
  const helpers = Array.from({ length: count }, async () => {
    try {
      await runJob(start(), job)
    } catch (thrown) {
      stopChunks(job)
      throw thrown
    }
  })
  const ends = await Promise.allSettled([...helpers, zeroHere(job)])
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

async function zeroHere(job: ZeroJob): Promise<void> {
  const chunks = zeroChunks(job)
  while (chunks.next().done !== true) await yieldTo(systemClock)
}

async function runJob(thread: ZeroThread, job: ZeroJob): Promise<void> {
  try {
    const done = new Promise<undefined>((resolve) => thread.listen(() => resolve(undefined)))
    thread.post(job)
    const error = await Promise.race([done, thread.ended])
    if (error !== undefined) throw error
  } finally {
    thread.end()
  }
}
