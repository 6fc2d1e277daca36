import { setImmediate } from 'node:timers/promises'
import {
  type DemandPager,
  GodwitError,
  type GuestOffer,
  MIB,
  pagesCovering,
  type Region,
  type ZeroMemory,
} from '@godwit/core'
import { zeroBytes } from '@godwit/memory'
import { afterEach, describe, expect, it } from 'vitest'
import { completeGuest, parseGuest } from './guest-spec.ts'
import { Machine } from './machine.ts'
import { replay } from './replay.ts'
import { stepsOf } from './state-package.ts'
import { WorkloadGuest } from './workload-guest.ts'
import { type IncomingWorkload, WorkloadHost } from './workload-host.ts'

const zero: ZeroMemory = async (regions, isFresh) => {
  for (const { bytes } of regions) zeroBytes(bytes, isFresh)
}
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
})

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await setImmediate()
}

/** For what must not happen to have had its chance. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await setImmediate()
}

async function stepped(guest: { steps(): number }, more: number): Promise<void> {
  const target = guest.steps() + more
  await until(() => guest.steps() >= target)
}

/** A guest that was taken over without any of its pages. */
interface Moved {
  readonly source: WorkloadGuest
  readonly incoming: IncomingWorkload
  readonly pager: DemandPager
  /** Pages of each region. */
  readonly pageCounts: readonly number[]
  readonly install: (region: number, page: number) => void
}

/** Runs a guest, stops it, and restores all but its memory in another. */
async function take(spec: string, memoryBytes: number, pageBytes = 4096): Promise<Moved> {
  const { identity } = parseGuest(spec, memoryBytes)
  const options = { pageBytes, regionBytesMax: MIB }
  const source = await WorkloadGuest.start(identity, memoryBytes, options)
  cleanups.push(() => source.stop())
  await stepped(source, 300)
  await source.pause()
  const regions = source.regions.map(({ id, name, bytes }) => {
    return { id, name, byteLength: bytes.byteLength }
  })
  const offer = { identity: source.identity, pageBytes, regions, isPostCopy: true }
  const incoming = await new WorkloadHost().reserve(offer, zero)
  cleanups.push(() => incoming.discard())
  const pager = incoming.pager!
  const pageCounts = regions.map(({ byteLength }) => pagesCovering(byteLength, pageBytes))
  pager.states.forEach((states, i) => states.discard(0, pageCounts[i]!))
  incoming.restoreState(source.captureState())
  const install = (region: number, page: number): void => {
    const at = page * pageBytes
    const bytes = source.regions[region]!.bytes.subarray(at, at + pageBytes)
    incoming.regions[region]!.bytes.set(bytes, at)
    pager.states[region]!.arrived(page)
  }
  return { source, incoming, pager, pageCounts, install }
}

function sharedLike(regions: readonly Region[]): Region[] {
  return regions.map(({ id, name, bytes }) => {
    return { id, name, bytes: new Uint8Array(new SharedArrayBuffer(bytes.byteLength)) }
  })
}

/** Stops a guest and compares it with one that never moved. */
async function checkEnd({ source, incoming }: Moved): Promise<void> {
  const { registers } = await incoming.stop()
  const steps = stepsOf(registers)
  const stayed = await replay(source.identity, sharedLike(source.regions), steps)
  expect(registers).toEqual(stayed.registers)
  incoming.regions.forEach(({ bytes }, i) => {
    expect(Buffer.compare(bytes, stayed.regions[i]!.bytes)).toBe(0)
  })
}

describe('WorkloadHost, for post-copy', () => {
  const { identity } = parseGuest('idle', MIB)
  const regions = [
    { id: 0, name: 'a', byteLength: MIB },
    { id: 1, name: 'b', byteLength: 70_001 },
  ]
  const offer: GuestOffer = { identity, pageBytes: 16384, regions }

  it('reserves a guest whose pages are all there until they are discarded', async () => {
    const incoming = await new WorkloadHost().reserve({ ...offer, isPostCopy: true }, zero)
    cleanups.push(() => incoming.discard())
    const { states, name, faults } = incoming.pager!
    expect(name).toBe('gate')
    expect(states.map(({ words }) => words.length)).toEqual([64, 5])
    expect(states.every((one) => one.words.every((_, page) => one.isPresent(page)))).toBe(true)
    expect(faults.count).toBe(0)
  })

  it.each([{}, { isPostCopy: false }])('has no pager when it is not asked to: %j', async (more) => {
    const incoming = await new WorkloadHost().reserve({ ...offer, ...more }, zero)
    cleanups.push(() => incoming.discard())
    expect(incoming.pager).toBeUndefined()
  })
})

describe('a guest that runs before its pages are there', () => {
  it('makes no step without its page, and goes on page by page', async () => {
    const moved = await take('writer,wss=256KiB,seed=5', MIB)
    const { source, incoming, pager, install } = moved
    const heard: number[] = []
    pager.listen((_, page) => heard.push(page))
    const before = source.steps()
    expect(before).toBeGreaterThanOrEqual(300)
    await incoming.run()
    // The working set is the last 64 of 256 pages, written in order.
    for (let i = 0; i < 40; i++) {
      await until(() => heard.length === i + 1)
      await turns()
      const page = 192 + ((before + i) % 64)
      expect(heard[i]).toBe(page)
      expect(heard.length).toBe(i + 1)
      expect(incoming.steps()).toBeLessThanOrEqual(before + i)
      const bytes = incoming.regions[0]!.bytes.subarray(page << 12, (page + 1) << 12)
      expect(bytes.every((byte) => byte === 0)).toBe(true)
      install(0, page)
    }
    await until(() => heard.length === 41)
    expect(incoming.steps()).toBeGreaterThan(before)
    pager.listen((_, page) => install(0, page))
    install(0, heard[40]!)
    for (let page = 0; page < 192; page++) install(0, page)
    await until(() => pager.states[0]!.words.every((word) => word === 0))
    pager.close()
    await stepped(incoming, 1000)
    await checkEnd(moved)
    expect(pager.faults.count).toBe(64)
  })

  it.each([
    ['writer,wss=400KiB,threads=2', 4096],
    ['writer,wss=400KiB,threads=3,order=rand', 16384],
    ['writer,wss=300KiB,style=page', 8192],
    ['memory-write,wss=300KiB', 4096],
    ['kcs,wss=200KiB,drift=40', 4096],
    ['disk,wss=300KiB,size=200KiB', 16384],
    ['memory-read', 4096],
    ['memory-read', 65536],
    ['cpu', 4096],
  ])('ends like its replay: %s in pages of %s', async (spec, pageBytes) => {
    const moved = await take(spec, 2 * MIB + 70_001, pageBytes)
    const { incoming, pager, pageCounts, install } = moved
    const asked: string[] = []
    const come = (region: number, page: number): boolean => {
      if (!pager.states[region]!.claim(page)) return false
      install(region, page)
      return true
    }
    pager.listen((region, page) => {
      asked.push(`${region}/${page}`)
      come(region, page)
    })
    await incoming.run()
    if (spec !== 'cpu') await until(() => asked.length > 0)
    // Pages that nobody has asked for come, too.
    for (const [region, pageCount] of pageCounts.entries()) {
      for (let page = pageCount - 1; page >= 0; page--) {
        if (come(region, page)) await setImmediate()
      }
    }
    await stepped(incoming, 1000)
    pager.close()
    await checkEnd(moved)
    expect(new Set(asked).size).toBe(asked.length)
    // A guest without memory asks for none.
    expect(asked.length === 0).toBe(spec === 'cpu')
    expect(pager.faults.count === 0).toBe(spec === 'cpu')
  })

  it('is moved on when all pages have come', async () => {
    const moved = await take('writer,wss=256KiB', MIB)
    const { incoming, pager, install } = moved
    pager.listen(install)
    await incoming.run()
    for (let page = 0; page < 192; page++) install(0, page)
    await until(() => pager.states[0]!.words.every((word) => word === 0))
    pager.close()
    const guest = incoming.asGuest()
    await guest.pause()
    guest.resume()
    await stepped(guest, 1000)
    await checkEnd(moved)
    expect(pager.faults.count).toBe(64)
  })
})

describe('a checkpoint of a guest that lacks pages', () => {
  const neverAborted = new AbortController().signal

  it('is of one moment, of all its threads', async () => {
    const moved = await take('writer,threads=2,rate=2000,style=page', 2 * MIB)
    const { source, incoming, pageCounts, install } = moved
    await incoming.run()
    pageCounts.forEach((count, region) => {
      for (let page = 0; page < count; page++) install(region, page)
    })
    const before = incoming.steps()
    await stepped(incoming, 50)
    let captured = new Uint8Array(0)
    const copies = sharedLike(incoming.regions)
    const taken = await incoming.checkpoint((state) => {
      captured = new Uint8Array(state)
      incoming.regions.forEach(({ bytes }, i) => copies[i]!.bytes.set(bytes))
    }, neverAborted)
    expect(taken).toBe(true)
    const steps = stepsOf(captured)
    expect(steps.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(before + 50)
    const stayed = await replay(source.identity, sharedLike(source.regions), steps)
    expect(captured).toEqual(new Uint8Array(stayed.registers))
    copies.forEach(({ bytes }, i) => {
      expect(Buffer.compare(bytes, stayed.regions[i]!.bytes)).toBe(0)
    })
    await stepped(incoming, 50)
    await checkEnd(moved)
  })

  it('is given up where a page does not come, and the other threads go on', async () => {
    const { incoming, pager, pageCounts, install } = await take('writer,threads=2', 2 * MIB)
    const asked: [number, number][] = []
    pager.listen((region, page) => asked.push([region, page]))
    await incoming.run()
    await until(() => asked.length === 2)
    const abort = new AbortController()
    let isOver = false
    const taking = incoming
      .checkpoint(() => expect.unreachable(), abort.signal)
      .finally(() => {
        isOver = true
      })
    await turns()
    expect(isOver).toBe(false)
    abort.abort()
    const before = incoming.steps()
    pageCounts.forEach((count, region) => {
      for (let page = 0; page < count; page++) install(region, page)
    })
    expect(await taking).toBe(false)
    await until(() => incoming.steps() > before + 10)
  })

  it('is not begun when its time is over, which waits for one that was', async () => {
    const moved = await take('writer,rate=2000', MIB)
    const { incoming, pageCounts, install } = moved
    await incoming.run()
    pageCounts.forEach((count, region) => {
      for (let page = 0; page < count; page++) install(region, page)
    })
    const first = incoming.checkpoint(() => {}, neverAborted)
    const ended = incoming.stop()
    expect(await first).toBe(true)
    const { steps } = await ended
    expect(await incoming.checkpoint(() => expect.unreachable(), neverAborted)).toBe(false)
    await turns()
    expect(incoming.steps()).toBe(steps)
  })
})

describe('a guest that waits for pages that never come', () => {
  /** With all its threads waiting. */
  async function waiting(): Promise<Moved> {
    const moved = await take('writer,wss=256KiB,threads=2', MIB)
    const heard: number[] = []
    moved.pager.listen((_, page) => heard.push(page))
    await moved.incoming.run()
    await until(() => heard.length === 2)
    return moved
  }

  it('is discarded', async () => {
    const { incoming } = await waiting()
    await incoming.discard()
    expect(incoming.regions).toEqual([])
  })

  it('is stopped, and has not failed then', async () => {
    const { incoming } = await waiting()
    const guest = incoming.asGuest()
    let failure: GodwitError | undefined
    void guest.failed.then((error) => (failure = error))
    await guest.stop()
    await turns()
    expect(failure).toBeUndefined()
  })

  it('fails when they are given up', async () => {
    const { incoming, pager } = await waiting()
    const guest = incoming.asGuest()
    const stopping = incoming.stop()
    pager.abandon()
    await expect(stopping).rejects.toMatchObject({ code: 'GUEST_FAILED' })
    expect((await guest.failed).code).toBe('GUEST_FAILED')
  })

  it('ends when one of its threads dies', async () => {
    const identity = completeGuest({ kind: 'writer', options: { threads: 2 } }, [MIB])
    const bytes = new Uint8Array(new SharedArrayBuffer(MIB))
    const regions = [{ id: 0, name: 'ram', bytes }]
    const parts = { identity, regions, pageBytes: 4096, barrier: true, pager: 'gate' as const }
    const machine = new Machine({ ...parts, prepare: 'none' })
    cleanups.push(() => machine.release())
    await machine.ready()
    const { pager, crew } = machine
    pager!.states[0]!.discard(0, 256)
    const heard: number[] = []
    pager!.listen((_, page) => heard.push(page))
    machine.run()
    await until(() => heard.length === 2)
    void crew.workers[1]!.terminate()
    expect((await crew.failed).code).toBe('GUEST_FAILED')
    // The other one waits for a page, and hears of no command.
    await crew.ended
  })
})
