import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { constants } from 'node:os'
import { Worker } from 'node:worker_threads'
import { GodwitError, MIB, PageBitmap, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PagemapTracker } from './pagemap-tracker.ts'
import { probePagemap } from './probe.ts'
import { loadSystemCalls, refused, type SystemCalls, UFFDIO_WRITEPROTECT } from './system-calls.ts'
import { WriteWatch } from './write-watch.ts'

const probe = await probePagemap()
const reason = probe.ok ? '' : ` (${probe.reason})`

/** `MADV_HUGEPAGE` of `asm-generic/mman-common.h`. */
const MADV_HUGEPAGE = 14

function collect(tracker: PagemapTracker, pageCount: number): number[] {
  const dirty = new PageBitmap(pageCount)
  const found = tracker.collect(0, pageCount, dirty)
  const pages: number[] = []
  for (let page = dirty.nextSet(0); page < pageCount; page = dirty.nextSet(page + 1)) {
    pages.push(page)
  }
  expect(found).toBe(pages.length)
  return pages
}

function errorOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof GodwitError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

describe(`PagemapTracker${reason}`, () => {
  let calls: SystemCalls
  let watch: WriteWatch
  beforeEach(async ({ skip }) => {
    if (!probe.ok) skip(probe.reason)
    calls = await loadSystemCalls()
    watch = new WriteWatch(calls)
  })
  afterEach(() => {
    if (probe.ok) watch.close()
  })

  const track = (region: Region, pageBytes = 4096): PagemapTracker =>
    new PagemapTracker({ region, pageBytes, watch })
  const allocate = (byteLength: number): Region =>
    allocateRegion({ id: 0, name: 'ram', byteLength })

  test('loses nothing that is stored between two scans of one collect', () => {
    const region = allocate(32 * MIB)
    const pageCount = (32 * MIB) / 4096
    const tracker = track(region)
    tracker.reset()
    // The kernel interrupts itself after 512 runs, and says so even where it went on to the end.
    const even: number[] = []
    for (let page = 0; page < 6000; page += 2) even.push(page)
    for (const page of even) region.bytes[page * 4096] = 1
    const scan = watch.scan.bind(watch)
    let stored: number | undefined
    vi.spyOn(watch, 'scan').mockImplementation((start, end) => {
      if (start !== watch.calls.addressOf(region.bytes)) {
        stored = 5901
        region.bytes[stored * 4096] = 1
      }
      return scan(start, end)
    })
    const found = collect(tracker, pageCount)
    const later = collect(tracker, pageCount)
    expect(new Set([...found, ...later])).toEqual(new Set([...even, ...(stored ? [stored] : [])]))
    expect(stored).toBe(5901)
  })

  test('finds more runs of pages than one scan can report', () => {
    const region = allocate(48 * MIB)
    const tracker = track(region)
    const wanted: number[] = []
    for (let page = 1; page < 12_288; page += 2) {
      region.bytes[page * 4096] = 1
      wanted.push(page)
    }
    expect(collect(tracker, 12_288)).toEqual(wanted)
    expect(collect(tracker, 12_288)).toEqual([])
    for (const page of wanted) region.bytes[page * 4096]!++
    tracker.reset()
    expect(collect(tracker, 12_288)).toEqual([])
  })

  test.each([4096, 16384])('knows which pages of %i bytes nobody touched', (pageBytes) => {
    const region = allocate(4 * MIB + 100)
    const pageCount = Math.ceil(region.bytes.length / pageBytes)
    const at = (page: number): number => (page + 1) * pageBytes - 1
    region.bytes[at(3)] = 1
    // Zeros that were stored are no less stored than others.
    region.bytes[at(4)] = 0
    const tracker = track(region, pageBytes)
    region.bytes[at(5)] = 1
    tracker.reset()
    region.bytes[at(6)] = 1
    // Loads leave a page as untouched as it was.
    expect(region.bytes.reduce((sum, byte) => sum + byte, 0)).toBe(3)
    const untouched = new PageBitmap(pageCount)
    tracker.addUntouched(untouched)
    expect(untouched.size).toBe(pageCount - 4)
    expect([3, 4, 5, 6].some((page) => untouched.has(page))).toBe(false)
    expect(collect(tracker, pageCount)).toEqual([6])
    region.bytes[at(8)] = 1
    expect(collect(tracker, pageCount)).toEqual([8])
    const second = new PageBitmap(pageCount)
    tracker.addUntouched(second)
    expect(second.size).toBe(pageCount - 5)
  })

  test.each([8192, 16384, 65536])('counts a page of %i bytes once, whichever part', (pageBytes) => {
    const region = allocate(40 * MIB + 100)
    const tracker = track(region, pageBytes)
    const pageCount = Math.ceil(region.bytes.length / pageBytes)
    for (let at = 0; at < region.bytes.length; at += 2 * 4096) region.bytes[at] = 1
    expect(collect(tracker, pageCount)).toEqual([...Array(pageCount).keys()])
    region.bytes[5 * pageBytes - 1] = 1
    region.bytes[region.bytes.length - 1] = 1
    expect(collect(tracker, pageCount)).toEqual([4, pageCount - 1])
  })

  test('is exact where the kernel uses huge pages', async () => {
    const { load } = await import('koffi')
    const madvise = load(null).func('int madvise(uintptr_t start, size_t length, int advice)')
    const region = allocate(8 * MIB)
    madvise(calls.addressOf(region.bytes), region.bytes.length, MADV_HUGEPAGE)
    region.bytes.fill(1)
    const tracker = track(region)
    for (let round = 0; round < 3; round++) {
      expect(collect(tracker, 2048)).toEqual([])
      for (const page of [3, 700, 701, 1999]) region.bytes[page * 4096 + round] = 2
      expect(collect(tracker, 2048)).toEqual([3, 700, 701, 1999])
      // A part of a huge page is asked for.
      region.bytes.fill(3)
      expect(tracker.collect(100, 50, new PageBitmap(2048))).toBe(50)
      expect(collect(tracker, 2048)).toHaveLength(1998)
    }
  })

  test('counts a store of the value that is there', () => {
    const region = allocate(MIB)
    const tracker = track(region)
    region.bytes[8192] = 0
    expect(collect(tracker, 256)).toEqual([2])
  })

  test('stays exact over child processes and growth of the memory', () => {
    const { WebAssembly } = globalThis as unknown as {
      WebAssembly: {
        Memory: new (shape: object) => { buffer: SharedArrayBuffer; grow(pages: number): number }
      }
    }
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 9, shared: true })
    const bytes = new Uint8Array(memory.buffer)
    const tracker = track({ id: 0, name: 'ram', bytes })
    bytes[4096] = 1
    spawnSync(process.execPath, ['--version'])
    bytes[5 * 4096] = 1
    memory.grow(7)
    bytes[9 * 4096] = 1
    new Uint8Array(memory.buffer)[20 * 65536 - 1] = 1
    new Uint8Array(memory.buffer)[3 * 65536] = 1
    expect(collect(tracker, 32)).toEqual([1, 5, 9])
  })

  test('sees what other threads of this process read from a file', async () => {
    const region = allocate(MIB)
    const tracker = track(region)
    const file = await open(process.execPath)
    const { bytesRead } = await file.read(region.bytes, 200 * 4096 + 10, 5000, 0)
    await file.close()
    expect(bytesRead).toBe(5000)
    expect(collect(tracker, 256)).toEqual([200, 201])
  })

  test('tracks several regions by one watch, each by itself', () => {
    const regions = [allocate(65536), allocate(3 * 65536), allocate(1000)]
    const trackers = regions.map((region) => track(region))
    regions[0]!.bytes[4096] = 1
    regions[1]!.bytes[40 * 4096] = 1
    regions[2]!.bytes[999] = 1
    const counts = [16, 48, 1]
    expect(trackers.map((one, i) => collect(one, counts[i]!))).toEqual([[1], [40], [0]])
    regions.forEach(({ bytes }) => bytes.fill(1))
    trackers[1]!.close()
    expect(collect(trackers[0]!, 16)).toHaveLength(16)
    expect(collect(trackers[2]!, 1)).toEqual([0])
  })

  test('can be closed while a thread stores, and tracked again', async () => {
    const region = allocate(4 * MIB)
    const tracker = track(region)
    const source = `
      const { bytes, stop } = require('node:worker_threads').workerData
      for (let at = 0; Atomics.load(stop, 0) === 0; at = (at + 4096) % bytes.length) {
        Atomics.add(bytes, at, 1)
        Atomics.store(stop, 1, 1)
      }`
    const stop = new Int32Array(new SharedArrayBuffer(8))
    const workerData = { bytes: region.bytes, stop }
    const writer = new Worker(source, { eval: true, workerData })
    while (Atomics.load(stop, 1) === 0) await new Promise(setImmediate)
    expect(collect(tracker, 1024).length).toBeGreaterThan(0)
    tracker.close()
    tracker.close()
    expect(() => collect(tracker, 1)).toThrow('closed')
    const again = track(region)
    collect(again, 1024)
    watch.close()
    again.close()
    watch = new WriteWatch(calls)
    const third = track(region)
    Atomics.store(stop, 0, 1)
    await once(writer, 'exit')
    collect(third, 1024)
    region.bytes[7 * 4096]!++
    expect(collect(third, 1024)).toEqual([7])
  })

  test('refuses memory that moves, starts inside a page, or is tracked already', () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(65536, { maxByteLength: 65536 * 2 }))
    const named = (part: Uint8Array): Region => ({ id: 1, name: 'own', bytes: part })
    expect(errorOf(() => track(named(new Uint8Array(65536))))).toMatch(
      /^USAGE: region "own" is in an ArrayBuffer/,
    )
    expect(errorOf(() => track(named(bytes.subarray(10))))).toMatch(
      /^USAGE: region "own" starts 10 bytes into a page/,
    )
    const part = track(named(bytes.subarray(8192, 8192 + 4097)))
    expect(errorOf(() => track(named(bytes)))).toMatch(/^USAGE: two regions share memory/)
    bytes[8191] = 1
    bytes[8192 + 4096] = 1
    expect(collect(part, 2)).toEqual([1])
    const other = new WriteWatch(calls)
    const options = { region: named(bytes), pageBytes: 4096, watch: other }
    expect(errorOf(() => new PagemapTracker(options))).toMatch(/^INTERNAL: .*busy.* \(EBUSY\)$/)
    other.close()
  })

  test('leaves a region alone that the kernel does not protect', () => {
    let isRefusing = true
    const ioctl: SystemCalls['ioctl'] = (what, descriptor, request, argument) => {
      if (isRefusing && request === UFFDIO_WRITEPROTECT) throw refused(what, constants.errno.ENOMEM)
      return calls.ioctl(what, descriptor, request, argument)
    }
    const moody = new WriteWatch({ ...calls, ioctl })
    const options = { region: allocate(65536), pageBytes: 4096, watch: moody }
    expect(errorOf(() => new PagemapTracker(options))).toMatch(/^INTERNAL: .* \(ENOMEM\)$/)
    isRefusing = false
    const tracker = track(options.region)
    options.region.bytes[4096] = 1
    expect(collect(tracker, 16)).toEqual([1])
    tracker.close()
    moody.close()
  })

  test('refuses pages that are no pages, or smaller than those of the kernel', () => {
    expect(errorOf(() => track(allocate(100), 5000))).toMatch(/^USAGE: 5000 is not a page size/)
    const large = new WriteWatch({ ...calls, kernelPageBytes: 16384 })
    const options = { region: allocate(65536), pageBytes: 4096, watch: large }
    expect(errorOf(() => new PagemapTracker(options))).toMatch(/4096 .* smaller .* 16384$/)
    large.close()
  })
})
