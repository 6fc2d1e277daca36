/**
 * What tracking costs: `node packages/linux/scripts/measure.ts [MiB]`, 1024 unless told.
 *
 * @module
 */
import { fileURLToPath } from 'node:url'
import { GIB, MIB, PageBitmap } from '@godwit/core'
import { createPagemapTrackers, type PagemapTracker } from '../src/index.ts'

const pageBytes = 4096
const wasmPageBytes = 65536

/** Medians. */
export interface TrackingCost {
  /** Milliseconds of one scan of everything, by the share of pages that are dirty. */
  readonly scanMs: Readonly<Record<string, number>>
  /** Nanoseconds per store, one to each page. */
  readonly firstStoreNs: number
  readonly laterStoreNs: number
  /** The same stores to memory that nobody tracks. */
  readonly plainStoreNs: number
}

function allocate(byteLength: number): Uint8Array {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (shape: object) => { buffer: SharedArrayBuffer } }
  }
  const pages = byteLength / wasmPageBytes
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  // Populated, as a guest's memory is.
  return new Uint8Array(memory.buffer).fill(1)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

/** Milliseconds of an action. */
function time(action: () => void): number {
  const start = performance.now()
  action()
  return performance.now() - start
}

function storeToPages(bytes: Uint8Array, everyPages: number): void {
  for (let at = 0; at < bytes.length; at += everyPages * pageBytes) bytes[at]!++
}

function measureScans(tracker: PagemapTracker, bytes: Uint8Array, runs: number) {
  const pageCount = bytes.length / pageBytes
  const dirty = new PageBitmap(pageCount)
  const collect = (): void => {
    for (let page = 0; page < pageCount; page += tracker.collectPagesMax) {
      tracker.collect(page, tracker.collectPagesMax, dirty)
    }
  }
  const scanMs: Record<string, number> = {}
  for (const percent of [0, 1, 10, 100]) {
    const samples = Array.from({ length: runs }, () => {
      if (percent > 0) storeToPages(bytes, 100 / percent)
      return time(collect)
    })
    scanMs[`${percent} %`] = median(samples)
  }
  return scanMs
}

/**
 * Measures on memory of its own.
 *
 * @throws {Error} with the reason when stores cannot be tracked here
 */
export async function measureTracking(byteLength: number, runs: number): Promise<TrackingCost> {
  const bytes = allocate(byteLength)
  const plain = allocate(byteLength)
  const made = await createPagemapTrackers([{ id: 0, name: 'ram', bytes }], pageBytes)
  if ('reason' in made) throw new Error(made.reason)
  const tracker = made.trackers[0]!
  const scanMs = measureScans(tracker, bytes, runs)
  const nsPerStore = (samples: readonly number[]): number =>
    (median(samples) * 1e6) / (byteLength / pageBytes)
  const first: number[] = []
  const later: number[] = []
  const untracked: number[] = []
  for (let run = 0; run < runs; run++) {
    tracker.reset()
    first.push(time(() => storeToPages(bytes, 1)))
    later.push(time(() => storeToPages(bytes, 1)))
    untracked.push(time(() => storeToPages(plain, 1)))
  }
  made.close()
  return {
    scanMs,
    firstStoreNs: nsPerStore(first),
    laterStoreNs: nsPerStore(later),
    plainStoreNs: nsPerStore(untracked),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const byteLength = process.argv[2] === undefined ? GIB : Number(process.argv[2]) * MIB
  console.log(await measureTracking(byteLength, 15))
}
