import { closeSync, openSync } from 'node:fs'
import { type DirtyTracker, PageBitmap } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'
import {
  type RegionToTrack,
  type StressResult,
  stressTracker,
  type TrackerSetup,
} from '@godwit/testkit/tracker-compliance'
import { describe, expect, test } from 'vitest'
import { probePagemap } from './probe.ts'
import * as system from './system-calls.ts'

const probe = await probePagemap()
const reason = probe.ok ? '' : ` (${probe.reason})`

/** A byte map whose marks are looked at first and cleared afterwards, in two sweeps. */
class LateClearing implements DirtyTracker {
  readonly name = 'late clearing'
  readonly collectPagesMax = 1 << 20
  /** Called between the two sweeps. */
  between: () => void = () => {}
  readonly #map: Uint8Array

  constructor(map: Uint8Array) {
    this.#map = map
  }

  reset(): void {
    this.#map.fill(0)
  }

  collect(_firstPage: number, _pageCount: number, into: PageBitmap): number {
    let found = 0
    for (let page = 0; page < this.#map.length; page++) {
      if (this.#map[page] === 0) continue
      into.add(page)
      found++
    }
    this.between()
    this.#map.fill(0)
    return found
  }
}

/** A right tracker, asked too late: what is reported was cleared by the round before. */
class LateReport implements DirtyTracker {
  readonly name = 'late report'
  readonly collectPagesMax = 1 << 20
  readonly #map: Uint8Array
  readonly #reported: number[] = []

  constructor(map: Uint8Array) {
    this.#map = map
  }

  reset(): void {
    this.#map.fill(0)
    this.#reported.length = 0
  }

  collect(_firstPage: number, _pageCount: number, into: PageBitmap): number {
    // These pages were copied since, while their marks were still set.
    for (const page of this.#reported) this.#map[page] = 0
    this.#reported.length = 0
    for (let page = 0; page < this.#map.length; page++) {
      if (this.#map[page] === 0) continue
      into.add(page)
      this.#reported.push(page)
    }
    return this.#reported.length
  }
}

/** Looks by one `PAGEMAP_SCAN`, and protects by a second call. */
class PeekThenProtect implements DirtyTracker {
  readonly name = 'peek then protect'
  readonly collectPagesMax = 1 << 20
  /** Called between the two calls. */
  between: () => void = () => {}
  readonly #calls: system.SystemCalls
  readonly #userfault: number
  readonly #pagemap: number
  readonly #range: readonly [bigint, bigint]
  readonly #runs: BigUint64Array = new BigUint64Array(3 * 4096)
  readonly #start: number
  readonly #pageBytes: number

  constructor(calls: system.SystemCalls, { bytes, pageBytes }: RegionToTrack) {
    this.#calls = calls
    this.#pageBytes = pageBytes
    this.#start = calls.addressOf(bytes)
    this.#range = [BigInt(this.#start), BigInt(Math.ceil(bytes.length / 4096) * 4096)]
    this.#userfault = calls.openUserfault(system.UFFD_USER_MODE_ONLY)
    this.#pagemap = openSync('/proc/self/pagemap', 'r')
    const features = system.UFFD_FEATURE_WP_ASYNC | system.UFFD_FEATURE_WP_UNPOPULATED
    this.#ask(system.UFFDIO_API, BigInt(system.UFFD_API), BigInt(features), 0n)
    const mode = BigInt(system.UFFDIO_REGISTER_MODE_WP)
    this.#ask(system.UFFDIO_REGISTER, ...this.#range, mode, 0n)
  }

  #ask(request: number, ...fields: readonly bigint[]): void {
    this.#calls.ioctl('request', this.#userfault, request, BigUint64Array.from(fields))
  }

  reset(): void {
    const mode = BigInt(system.UFFDIO_WRITEPROTECT_MODE_WP)
    this.#ask(system.UFFDIO_WRITEPROTECT, ...this.#range, mode)
  }

  collect(_firstPage: number, _pageCount: number, into: PageBitmap): number {
    const [start, length] = this.#range
    const vec = BigInt(this.#calls.addressOf(new Uint8Array(this.#runs.buffer)))
    const written = BigInt(system.PAGE_IS_WRITTEN)
    const noFlags = 0n
    const scan = [96n, noFlags, start, start + length, 0n, vec, 4096n, 0n, 0n, written, 0n, written]
    const argument = BigUint64Array.from(scan)
    const runs = this.#calls.ioctl('peek', this.#pagemap, system.PAGEMAP_SCAN, argument)
    this.between()
    this.reset()
    let found = 0
    for (let run = 0; run < runs; run++) {
      const [from, to] = [Number(this.#runs[run * 3]!), Number(this.#runs[run * 3 + 1]!)]
      for (let at = from; at < to; at += this.#pageBytes, found++) {
        into.add((at - this.#start) / this.#pageBytes)
      }
    }
    return found
  }

  close(): void {
    closeSync(this.#pagemap)
    closeSync(this.#userfault)
  }
}

/** Stresses until a store is lost; the first time is nearly always enough. */
async function stressUntilLost(setup: TrackerSetup): Promise<StressResult> {
  for (let attempt = 1; ; attempt++) {
    const result = await stressTracker(setup)
    if (result.lost.length > 0 || attempt === 5) return result
  }
}

/** Two rounds, with a store in the middle of the first; whether the copy misses it. */
function losesStoreBetween(
  tracker: DirtyTracker & { between: () => void },
  bytes: Uint8Array,
  mark: () => void,
): boolean {
  const pageCount = bytes.length / 4096
  const copy = new Uint8Array(bytes.length)
  const round = (): void => {
    const dirty = new PageBitmap(pageCount)
    tracker.collect(0, pageCount, dirty)
    for (let page = dirty.nextSet(0); page < pageCount; page = dirty.nextSet(page + 1)) {
      copy.set(bytes.subarray(page * 4096, (page + 1) * 4096), page * 4096)
    }
  }
  tracker.reset()
  tracker.between = () => {
    bytes[4096 + 9] = 1
    mark()
    tracker.between = () => {}
  }
  round()
  round()
  return Buffer.compare(bytes, copy) !== 0
}

describe('a store at the wrong moment is lost by', () => {
  test('marks that are cleared after all of them were looked at', () => {
    const map = new Uint8Array(3)
    const mark = (): void => {
      map[1] = 1
    }
    expect(losesStoreBetween(new LateClearing(map), new Uint8Array(3 * 4096), mark)).toBe(true)
  })

  test('marks that are cleared after their pages were copied', () => {
    const map = Uint8Array.of(0, 1, 0)
    const tracker = new LateReport(map)
    expect(tracker.collect(0, 3, new PageBitmap(3))).toBe(1)
    // The page is copied; then there is a store, and its mark is erased.
    map[1] = 1
    expect(tracker.collect(0, 3, new PageBitmap(3))).toBe(0)
  })

  test.skipIf(!probe.ok)(`a kernel that is asked twice${reason}`, async () => {
    const memory = new SharedArrayBuffer(3 * 4096, { maxByteLength: 4 * 4096 })
    const bytes = new Uint8Array(memory, 0, 3 * 4096)
    const calls = await system.loadSystemCalls()
    const tracker = new PeekThenProtect(calls, { bytes, pageBytes: 4096, pageCount: 3 })
    expect(losesStoreBetween(tracker, bytes, () => {})).toBe(true)
    tracker.close()
  })
})

describe('the stress finds the stores lost by', () => {
  test('marks that are cleared after all of them were looked at', async () => {
    const result = await stressUntilLost(({ pageCount }) => {
      const marks = new Uint8Array(new SharedArrayBuffer(pageCount))
      return { tracker: new LateClearing(marks), marks }
    })
    expect(result.lost).not.toEqual([])
  })

  test('marks that are cleared after their pages were copied', async () => {
    const result = await stressUntilLost(({ pageCount }) => {
      const marks = new Uint8Array(new SharedArrayBuffer(pageCount))
      return { tracker: new LateReport(marks), marks }
    })
    expect(result.lost).not.toEqual([])
  })

  test('a writer that marks nothing', async () => {
    const result = await stressTracker(({ pageCount }) => {
      const map = new Uint8Array(pageCount)
      return { tracker: new ByteMapTracker({ map, pageCount }) }
    })
    expect(result.lost).not.toEqual([])
  })

  test.skipIf(!probe.ok)(`a kernel that is asked twice${reason}`, async () => {
    const calls = await system.loadSystemCalls()
    const result = await stressUntilLost((region) => {
      const tracker = new PeekThenProtect(calls, region)
      return { tracker, close: () => tracker.close() }
    })
    expect(result.lost).not.toEqual([])
  })
})
