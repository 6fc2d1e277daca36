import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { GodwitError, MIB, PageBitmap, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PagemapTracker } from './pagemap-tracker.ts'
import { loadDescriptorCalls } from './descriptor-calls.ts'
import { loadSystemCalls, refused, type SystemCalls } from './system-calls.ts'
import { UserfaultPager, type UserfaultPagerOptions } from './userfault-pager.ts'
import { UserfaultPages } from './userfault-pages.ts'
import { probeUserfault, probeUserfaultWith } from './userfault-probe.ts'
import { Userfault } from './userfault.ts'
import { WriteWatch } from './write-watch.ts'

const probe = await probeUserfault()
const reason = probe.ok ? '' : ` (${probe.reason})`

const pageBytes = 4096

function errorOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof GodwitError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

const allocate = (byteLength: number, id = 0): Region =>
  allocateRegion({ id, name: `r${id}`, byteLength })

const pageOf = (content: number): Uint8Array => new Uint8Array(pageBytes).fill(content)

describe(`UserfaultPager${reason}`, () => {
  let calls: SystemCalls
  let pagers: UserfaultPager[] = []
  let endings = 0
  beforeEach(async ({ skip }) => {
    if (!probe.ok) skip(probe.reason)
    calls = await loadSystemCalls()
    pagers = []
    endings = 0
  })
  afterEach(() => {
    for (const pager of pagers) {
      placeAll(pager)
      pager.close()
    }
  })

  function create(regions: readonly Region[], more: Partial<UserfaultPagerOptions> = {}) {
    const endProcess = (): void => {
      endings++
    }
    const pager = new UserfaultPager({ calls, regions, pageBytes, endProcess, ...more })
    pagers.push(pager)
    return pager
  }

  function place(pager: UserfaultPager, page: number, content = 1): void {
    if (!pager.states[0]!.claim(page)) return
    pager.placers[0]!.put(page, pageOf(content), 0, pageBytes)
    pager.states[0]!.arrived(page)
  }

  function placeAll(pager: UserfaultPager): void {
    pager.states.forEach((states, region) => {
      const { length } = states.words
      for (let page = 0; page < length; page++) {
        if (states.claim(page)) pager.placers[region]!.clear(page, page + 1)
        states.arrived(page)
      }
    })
  }

  test('is not closed while a page is missing, and then is', () => {
    const region = allocate(3 * pageBytes)
    const pager = create([region])
    pager.discard(0, 1, 2)
    pager.arm()
    expect(errorOf(() => pager.close())).toMatch(/^INTERNAL: Pages are missing/)
    place(pager, 1, 9)
    pager.close()
    expect([...region.bytes.subarray(pageBytes, pageBytes + 2)]).toEqual([9, 9])
    expect(endings).toBe(0)
  })

  test('is given up harmlessly before it is armed, or when all pages are there', () => {
    const [first, second] = [create([allocate(pageBytes)]), create([allocate(pageBytes)])]
    first.discard(0, 0, 1)
    first.abandon()
    second.discard(0, 0, 1)
    second.arm()
    place(second, 0)
    second.abandon()
    for (const pager of pagers.splice(0)) {
      pager.abandon()
      pager.close()
    }
    expect(endings).toBe(0)
  })

  test('ends the process when it is given up while pages are missing, and closes nothing', () => {
    const region = allocate(2 * pageBytes)
    const pager = create([region])
    pager.discard(0, 0, 2)
    pager.arm()
    pager.abandon()
    pager.abandon()
    pager.close()
    expect(endings).toBe(1)
    // Still there: pages can be put in place.
    pager.placers[0]!.clear(0, 2)
    closeSync(pager.descriptor)
    pagers = []
  })

  test('leaves memory to a tracker once it is closed, which is exact at once', () => {
    const region = allocate(MIB)
    region.bytes.fill(5)
    const pager = create([region])
    const watch = new WriteWatch(calls)
    pager.discard(0, 10, 200)
    pager.arm()
    const track = (): PagemapTracker => new PagemapTracker({ region, pageBytes, watch })
    // One of them has the memory.
    expect(errorOf(track)).toMatch(/^INTERNAL: UFFDIO_REGISTER: .*EBUSY/)
    pager.placers[0]!.clear(10, 100)
    pager.placers[0]!.put(100, new Uint8Array(100 * pageBytes).fill(8), 0, 100 * pageBytes)
    for (let page = 10; page < 200; page++) pager.states[0]!.arrived(page)
    pager.close()
    const tracker = track()
    const collect = (): number[] => {
      const dirty = new PageBitmap(256)
      tracker.collect(0, 256, dirty)
      return Array.from({ length: 256 }, (_, page) => page).filter((page) => dirty.has(page))
    }
    expect(collect()).toEqual([])
    const sum = region.bytes.reduce((all, byte) => all + byte, 0)
    expect(sum).toBe(pageBytes * (66 * 5 + 100 * 8))
    for (const page of [9, 10, 99, 100, 199, 200]) region.bytes[page * pageBytes + 7] = 1
    expect(collect()).toEqual([9, 10, 99, 100, 199, 200])
    tracker.close()
    watch.close()
  })

  test('leaves pages alone that are there, in the middle of others, too', () => {
    const region = allocate(8 * pageBytes)
    const pager = create([region])
    pager.discard(0, 0, 8)
    pager.arm()
    for (const page of [0, 3]) place(pager, page, 50 + page)
    const run = new Uint8Array(6 * pageBytes).fill(7)
    pager.placers[0]!.put(0, run, 0, run.length)
    pager.placers[0]!.put(0, run, 0, run.length)
    pager.placers[0]!.clear(2, 8)
    for (let page = 0; page < 8; page++) pager.states[0]!.arrived(page)
    const firsts = Array.from({ length: 8 }, (_, page) => region.bytes[page * pageBytes])
    expect(firsts).toEqual([50, 7, 7, 53, 7, 7, 0, 0])
  })

  test('keeps what is behind a region, in the last page of the kernel', () => {
    const memory = allocate(65536).bytes
    memory.fill(3)
    const regions = [
      { id: 0, name: 'a', bytes: memory.subarray(0, 2 * pageBytes + 100) },
      { id: 1, name: 'b', bytes: memory.subarray(4 * pageBytes, 4 * pageBytes + 7) },
    ]
    const pager = create(regions)
    pager.discard(0, 0, 3)
    pager.discard(1, 0, 1)
    pager.arm()
    pager.placers[0]!.put(2, pageOf(9), 50, 150)
    pager.placers[0]!.clear(0, 2)
    pager.placers[1]!.clear(0, 1)
    for (const states of pager.states) states.words.fill(0)
    const at = 2 * pageBytes
    expect([...memory.subarray(at - 1, at + 1)]).toEqual([0, 9])
    expect([...memory.subarray(at + 99, at + 101)]).toEqual([9, 3])
    expect(memory.subarray(at + 100, 2 * at).every((byte) => byte === 3)).toBe(true)
    expect([...memory.subarray(2 * at, 2 * at + 9)]).toEqual([0, 0, 0, 0, 0, 0, 0, 3, 3])
    expect(memory.subarray(2 * at + 7).every((byte) => byte === 3)).toBe(true)
  })

  test('registers memory before it drops pages, which the kernel could else fill', () => {
    const done: string[] = []
    const noted: SystemCalls = {
      ...calls,
      ioctl: (what, ...rest) => {
        done.push(what)
        return calls.ioctl(what, ...rest)
      },
      dropPages: (start, byteLength) => {
        done.push(`drop ${byteLength / pageBytes}`)
        calls.dropPages(start, byteLength)
      },
    }
    const pager = create([allocate(8 * pageBytes), allocate(pageBytes, 1)], { calls: noted })
    pager.discard(0, 1, 3)
    pager.discard(0, 6, 8)
    expect(done).toEqual(['UFFDIO_API'])
    pager.arm()
    pager.discard(1, 0, 1)
    const registered = ['UFFDIO_REGISTER', 'UFFDIO_REGISTER', 'drop 2', 'drop 2', 'drop 1']
    expect(done.slice(1)).toEqual(registered)
  })

  test('does not let the kernel make huge pages of what is missing', async () => {
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null)
    const madvise = library.func('int madvise(uintptr_t start, size_t length, int advice)')
    const mincore = library.func('int mincore(uintptr_t start, size_t length, void *found)')
    /** `MADV_COLLAPSE` of `asm-generic/mman-common.h`. */
    const collapse = 25
    const hugeBytes = 2 * MIB
    const hugeStart = ({ bytes }: Region): number =>
      Math.ceil(calls.addressOf(bytes) / hugeBytes) * hugeBytes
    const isPresent = (region: Region): boolean => {
      const found = new Uint8Array(1)
      expect(mincore(hugeStart(region) + 5 * pageBytes, pageBytes, found)).toBe(0)
      return (found[0]! & 1) === 1
    }
    const [region, other] = [allocate(6 * MIB), allocate(6 * MIB)]
    for (const { bytes } of [region, other]) bytes.fill(1)
    const page = (hugeStart(region) - calls.addressOf(region.bytes)) / pageBytes + 5
    const pager = create([region])
    pager.discard(0, page, page + 1)
    pager.arm()
    calls.dropPages(hugeStart(other) + 5 * pageBytes, pageBytes)
    expect([isPresent(region), isPresent(other)]).toEqual([false, false])
    madvise(hugeStart(region), hugeBytes, collapse)
    const isFilled = madvise(hugeStart(other), hugeBytes, collapse) === 0
    expect([isPresent(region), isPresent(other)]).toEqual([false, isFilled])
    place(pager, page, 2)
    expect([isPresent(region), region.bytes[page * pageBytes]]).toEqual([true, 2])
  })

  test('without the right to more, system calls fail at what is missing', () => {
    const limited: SystemCalls = {
      ...calls,
      openUserfault: (flags) => {
        if (flags === 0) throw refused('userfaultfd', 1)
        return calls.openUserfault(flags)
      },
    }
    const region = allocate(2 * pageBytes)
    const pager = create([region], { calls: limited })
    const right = create([allocate(1)])
    expect([pager.servesSystemCalls, right.servesSystemCalls]).toEqual([false, true])
    pager.discard(0, 1, 2)
    pager.arm()
    const path = join(tmpdir(), `uffd-${process.pid}`)
    const file = openSync(path, 'w')
    const page = region.bytes.subarray(pageBytes)
    const code = (): string => {
      try {
        return `${writeSync(file, page)} bytes`
      } catch (error) {
        return (error as NodeJS.ErrnoException).code!
      }
    }
    expect(code()).toBe('EFAULT')
    place(pager, 1)
    expect(code()).toBe('4096 bytes')
    closeSync(file)
    rmSync(path)
  })

  test('says why memory does not fit', () => {
    const plain = allocateRegion({ id: 0, name: 'heap', byteLength: 8192, backing: 'plain' })
    const { bytes } = allocate(65536)
    const part = (from: number, to: number): Region => {
      return { id: from, name: `at ${from}`, bytes: bytes.subarray(from, to) }
    }
    const reasonOf = (...regions: Region[]): string => errorOf(() => create(regions))
    expect(reasonOf(plain)).toMatch(/^USAGE: region "heap" is in an ArrayBuffer/)
    expect(reasonOf(part(100, 200))).toMatch(/^USAGE: region "at 100" starts 100 bytes into/)
    expect(reasonOf(part(0, 5000), part(4096, 8192))).toMatch(/^USAGE: two regions share/)
    const large = { ...calls, kernelPageBytes: 16384 }
    expect(errorOf(() => create([allocate(65536)], { calls: large }))).toMatch(
      /^USAGE: pages of 4096 bytes are smaller than the kernel's/,
    )
    expect(pagers.length).toBe(0)
  })

  test('lets a thread have zeros of what nobody touched, also while it is closed', async () => {
    const region = allocate(4 * pageBytes)
    const pager = create([region])
    pager.discard(0, 0, 1)
    pager.arm()
    const found = new Int32Array(new SharedArrayBuffer(4))
    const source = `
      const { bytes, found } = require('node:worker_threads').workerData
      found[0] = 1 + bytes[${3 * pageBytes}]
    `
    const workerData = { bytes: region.bytes, found }
    const worker = new Worker(source, { eval: true, workerData })
    const entries = Int32Array.of(pager.descriptor, 1)
    const descriptors = await loadDescriptorCalls()
    while (!descriptors.poll(entries, 0)) await setImmediate()
    expect(found[0]).toBe(0)
    place(pager, 0)
    pager.close()
    while (found[0] === 0) await setImmediate()
    expect(found[0]).toBe(1)
    await worker.terminate()
  })
})

describe(`UserfaultPages${reason}`, () => {
  /** Answers what it is told to, one after the other; then success. */
  function pagesOf(answers: readonly (readonly [result: number, placed: bigint])[]) {
    const asked: string[] = []
    let next = 0
    const calls = {
      kernelPageBytes: pageBytes,
      ioctl: (what: string, _: number, __: number, range: BigUint64Array) => {
        asked.push(`${what} ${range.join()}`)
        return 0
      },
      tryIoctl: (_: number, __: number, argument: BigUint64Array) => {
        asked.push(String(argument.slice(0, 3)))
        const [result, placed] = answers[Math.min(next++, answers.length - 1)]!
        argument[argument.length - 1] = BigInt.asUintN(64, placed)
        return result
      },
    } as unknown as SystemCalls
    return { pages: new UserfaultPages(calls, 5), asked }
  }
  const [EAGAIN, EEXIST, ENOENT, ESRCH] = [-11, -17, -2, -3]

  test('goes on where the kernel stopped', () => {
    const { pages, asked } = pagesOf([
      [EAGAIN, 8192n],
      [EAGAIN, -11n],
      [EEXIST, -17n],
      [0, 4096n],
    ])
    pages.copy(1_000_000 * pageBytes, 3, 4 * pageBytes)
    const at = (page: number): number => (1_000_000 + page) * pageBytes
    expect(asked).toEqual([
      `${at(0)},3,16384`,
      `${at(2)},8195,8192`,
      `${at(2)},8195,8192`,
      `UFFDIO_WAKE ${at(2)},4096`,
      `${at(3)},12291,4096`,
    ])
  })

  test('says what the kernel refuses, and asks no more than so often', () => {
    const copy = (answer: readonly [number, bigint]): string => {
      const { pages, asked } = pagesOf([answer])
      const error = errorOf(() => pages.copy(0, 0, pageBytes))
      return `${error} after ${asked.length}`
    }
    expect(copy([ENOENT, -2n])).toMatch(/^INTERNAL: UFFDIO_COPY: .* \(ENOENT\) after 1$/)
    expect(copy([ESRCH, -3n])).toMatch(/^INTERNAL: UFFDIO_COPY: .* \(ESRCH\) after 1$/)
    expect(copy([EAGAIN, -11n])).toMatch(/^INTERNAL: UFFDIO_COPY: .* \(EAGAIN\) after 1001$/)
  })

  test.skipIf(!probe.ok)('cannot place pages of memory that is not registered', async () => {
    const calls = await loadSystemCalls()
    const { bytes } = allocate(pageBytes)
    const userfault = new Userfault(calls, [{ id: 0, name: 'ram', bytes }])
    const pages = new UserfaultPages(calls, userfault.descriptor)
    const [to, from] = [calls.addressOf(bytes), calls.addressOf(pageOf(1))]
    expect(errorOf(() => pages.copy(to, from, pageBytes))).toMatch(/\(ENOENT\)$/)
    userfault.close()
    userfault.close()
  })
})

test('the probe says in one line why it cannot be', async () => {
  const calls = await loadSystemCalls()
  const openUserfault = (): never => {
    throw refused('userfaultfd', 38)
  }
  const found = await probeUserfaultWith(async () => ({ ...calls, openUserfault }))
  expect(found).toEqual({ ok: false, reason: expect.stringMatching(/^userfaultfd: .*\(ENOSYS\)$/) })
})
