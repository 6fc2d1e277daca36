/**
 * Whether this machine, with its kernel and its sandbox, tracks stores: tried, not guessed.
 *
 * @module
 */
import { PAGE_BYTES_MAX, PageBitmap, type Region, toGodwitError } from '@godwit/core'
import { PagemapTracker } from './pagemap-tracker.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'
import { WriteWatch } from './write-watch.ts'

/** `reason` is one line for people. */
export type Probe = { readonly ok: true } | { readonly ok: false; readonly reason: string }

const wasmPageBytes = 65536
const probePages = 8

interface WasmMemoryConstructor {
  new (shape: { initial: number; maximum: number; shared: boolean }): { buffer: SharedArrayBuffer }
}

let cached: Promise<Probe> | undefined

/** Tracks a little memory and compares with what was stored. Runs once; never rejects. */
export function probePagemap(): Promise<Probe> {
  cached ??= probeWith(loadSystemCalls)
  return cached
}

/** {@link probePagemap} with system calls of one's own, every time. */
export async function probeWith(load: () => Promise<SystemCalls>): Promise<Probe> {
  try {
    return tryTracking(await load())
  } catch (error) {
    return { ok: false, reason: toGodwitError(error).message }
  }
}

function tryTracking(calls: SystemCalls): Probe {
  const watch = new WriteWatch(calls)
  try {
    const region: Region = { id: 0, name: 'probe', bytes: allocateProbe(probePages) }
    const tracker = new PagemapTracker({ region, pageBytes: PAGE_BYTES_MAX, watch })
    for (const [wanted, store] of steps(region.bytes)) {
      store()
      const found = collectAll(tracker)
      if (found === wanted) continue
      const reason = `the kernel reports pages "${found}" as stored to, where "${wanted}" were`
      return { ok: false, reason }
    }
    return { ok: true }
  } finally {
    watch.close()
  }
}

/** Memory as a guest has it, of so many of the largest pages. */
export function allocateProbe(pageCount: number): Uint8Array {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: WasmMemoryConstructor }
  }
  const pages = (pageCount * PAGE_BYTES_MAX) / wasmPageBytes
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  return new Uint8Array(memory.buffer)
}

/** What to do, each with the pages that must be found afterwards, and no others. */
function steps(bytes: Uint8Array): readonly (readonly [string, () => void])[] {
  const store = (page: number): void => {
    bytes[page * PAGE_BYTES_MAX + 5000]!++
  }
  const loadAll = (): number => bytes.reduce((sum, byte) => sum + byte, 0)
  return [
    ['', () => {}],
    ['', loadAll],
    ['3', () => store(3)],
    ['1 3 7', () => [1, 3, 7].forEach(store)],
    ['', loadAll],
  ]
}

/** The dirty pages, as `1 3 7`. */
function collectAll(tracker: PagemapTracker): string {
  const dirty = new PageBitmap(probePages)
  tracker.collect(0, probePages, dirty)
  return [...Array(probePages).keys()].filter((page) => dirty.has(page)).join(' ')
}
