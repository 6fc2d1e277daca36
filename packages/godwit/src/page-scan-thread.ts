/**
 * The entry of a thread that looks through memories. It imports next to nothing.
 *
 * @module
 */
import { parentThread } from './parent-thread.ts'
import type { ScanJob } from './page-scan.ts'
import { scanChunks, stopScan } from './page-scan.ts'

/** How a job ended; with the reason where it failed. */
export interface ScanEnd {
  readonly failure?: string
}

const parent = parentThread<ScanEnd, ScanJob>()

parent.listen((job) => {
  try {
    const chunks = scanChunks(job)
    while (chunks.next().done !== true);
    parent.post({})
  } catch (thrown) {
    stopScan(job)
    parent.post({ failure: thrown instanceof Error ? thrown.message : String(thrown) })
  }
})
