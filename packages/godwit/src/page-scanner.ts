/**
 * Threads that look through memories, so that the calling thread stays responsive.
 *
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Thread } from '@godwit/core'
import { CancelledError, GodwitError, MIB, systemClock, yieldTo } from '@godwit/core'
import type { ScanEnd } from './page-scan-thread.ts'
import type { ScanJob, ScanPiece, ScanWork } from './page-scan.ts'
import { scanChunks, stopScan } from './page-scan.ts'
import { entryUrl, startThread } from './thread.ts'

/** More gain little: memory and disk are no faster. */
const threadsMax = 4
/** Up to here, the calling thread is done before another has started. */
const bytesAlone = 16 * MIB
/** One thread has looked through that much in about the time that another takes to start. */
const bytesPerThread = 64 * MIB

/** Starts threads as it needs them, and keeps them until its end. One job at a time. */
export class PageScanner {
  readonly #threads: ScanThread[] = []
  readonly #signal: AbortSignal | undefined

  /** @param signal - stops the job that is under way, and further ones */
  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  /**
   * Looks through all pages. What is little, or cannot be shared with threads, takes the calling
   * one, which does other things in between.
   *
   * @throws {GodwitError} `FILE_UNREADABLE` with the reason, `CANCELLED`; some pages may have been
   *   looked at then
   */
  async scan(pieces: readonly ScanPiece[], pageBytes: number, work: ScanWork): Promise<void> {
    const job = { pieces, pageBytes, work, next: new Int32Array(new SharedArrayBuffer(4)) }
    const stop = (): void => stopScan(job)
    this.#signal?.addEventListener('abort', stop)
    try {
      this.#check()
      const ends = isForThreads(job) ? await this.#share(job) : [await scanHere(job)]
      this.#check()
      const failure = ends.find((end) => end.failure !== undefined)?.failure
      if (failure !== undefined) throw new GodwitError('FILE_UNREADABLE', failure)
    } finally {
      this.#signal?.removeEventListener('abort', stop)
    }
  }

  /** Its threads are not needed any more. Idempotent. */
  end(): void {
    for (const thread of this.#threads) thread.end()
    this.#threads.length = 0
  }

  async #share(job: ScanJob): Promise<readonly ScanEnd[]> {
    const useful = Math.ceil(bytesOf(job) / bytesPerThread)
    const count = Math.min(availableParallelism(), useful, threadsMax)
    while (this.#threads.length < count) this.#threads.push(new ScanThread())
    return Promise.all(this.#threads.slice(0, count).map((thread) => thread.run(job)))
  }

  #check(): void {
    if (this.#signal?.aborted === true) throw new CancelledError('The search was cancelled')
  }
}

/** One that looks through what it is told to. */
class ScanThread {
  readonly #thread: Thread<ScanJob, ScanEnd>
  #onEnd: (end: ScanEnd) => void = () => {}

  constructor() {
    this.#thread = startThread(entryUrl('./page-scan-thread.ts', import.meta.url), 'scan')
    this.#thread.listen((end) => this.#onEnd(end))
  }

  /** Never rejects. */
  async run(job: ScanJob): Promise<ScanEnd> {
    const { promise, resolve } = Promise.withResolvers<ScanEnd>()
    this.#onEnd = resolve
    this.#thread.post(job)
    const died = this.#thread.ended.then((error) => ({ failure: error?.message ?? 'it was ended' }))
    return Promise.race([promise, died])
  }

  end(): void {
    this.#thread.end()
  }
}

function bytesOf({ pieces }: ScanJob): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** Memory that is not shared is no other thread's to read. */
function isForThreads(job: ScanJob): boolean {
  const isReachable = job.pieces.every(
    ({ from }) => typeof from === 'number' || from.buffer instanceof SharedArrayBuffer,
  )
  return isReachable && bytesOf(job) > bytesAlone
}

async function scanHere(job: ScanJob): Promise<ScanEnd> {
  try {
    const chunks = scanChunks(job)
    while (chunks.next().done !== true) await yieldTo(systemClock)
    return {}
  } catch (thrown) {
    return { failure: thrown instanceof Error ? thrown.message : String(thrown) }
  }
}
