import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { GIB, MIB, PageBitmap, pagesCovering, type Region } from '@godwit/core'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { completeGuest, parseGuest } from './guest-spec.ts'
import { splitMemory } from './layout.ts'
import { Machine } from './machine.ts'
import { replay } from './replay.ts'
import { stepsOf } from './state-package.ts'
import { WorkloadGuest, type WorkloadGuestOptions } from './workload-guest.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-guest-'))
const file = join(folder, 'image')
const image = Buffer.alloc(100_001, 'some image ')
writeFileSync(file, image)
afterAll(() => rmSync(folder, { recursive: true }))

const guests: WorkloadGuest[] = []
afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.stop()))
})

async function start(
  text: string,
  memoryBytes?: number,
  options?: WorkloadGuestOptions,
): Promise<WorkloadGuest> {
  const parsed = parseGuest(text, memoryBytes)
  const guest = await WorkloadGuest.start(parsed.identity, parsed.memoryBytes, options)
  guests.push(guest)
  return guest
}

async function stepped(guest: WorkloadGuest, more: number): Promise<void> {
  const target = guest.steps() + more
  while (guest.steps() < target) await setImmediate()
}

function digest(regions: readonly Region[]): string {
  const hash = createHash('sha256')
  for (const region of regions) hash.update(region.bytes)
  return hash.digest('hex')
}

describe('a throttled guest', () => {
  /** Time for so many steps. */
  async function timeFor(guest: WorkloadGuest, steps: number): Promise<number> {
    const beginMs = performance.now()
    await stepped(guest, steps)
    return performance.now() - beginMs
  }

  it.each(['writer,wss=300KiB,rate=20000,threads=2', 'cpu,load=100'])(
    'does less, by the clock or not, and is itself again at once: %s',
    // Time is measured: a machine that does something else meanwhile is given another try.
    { retry: 2 },
    async (spec) => {
      const guest = await start(spec, MIB)
      const free = spec.startsWith('cpu') ? 20_000 : 4000
      await timeFor(guest, free)
      guest.throttle(0.99)
      const throttledMs = await timeFor(guest, free / 4)
      guest.throttle(0)
      const freeMs = await timeFor(guest, free)
      // A quarter takes 25 times as long; a machine that is busy takes its time at 100 % only.
      expect(throttledMs).toBeGreaterThan(1.5 * freeMs)
    },
  )

  it('parks at once, and ends like its replay', async () => {
    const guest = await start('writer,wss=300KiB,rate=200000,threads=2', MIB)
    await stepped(guest, 1000)
    guest.throttle(0.99)
    await stepped(guest, 100)
    const beginMs = performance.now()
    await guest.pause()
    expect(performance.now() - beginMs).toBeLessThan(5000)
    const replayed = await replay(guest.identity, MIB, stepsOf(guest.captureState()))
    expect(digest(guest.regions)).toBe(digest(replayed.regions))
    expect(guest.captureState()).toEqual(replayed.registers)
  })

  it.each([-0.1, 1, Number.NaN])('cannot lose %s of its time', async (share) => {
    const guest = await start('idle', MIB)
    expect(() => guest.throttle(share)).toThrow(/a throttle of/)
  })
})

const specs = [
  'idle',
  'cpu,load=50',
  'memory-read',
  'memory-write,wss=300KiB',
  'writer,wss=300KiB,threads=2',
  'writer,wss=300KiB,style=page,order=rand,rate=200000',
  `writer,wss=300KiB,file=${file}`,
  'kcs,wss=300KiB,drift=30',
  'ikcs,wss=300KiB,busy=5ms,pause=5ms',
  'disk,wss=300KiB,size=400KiB',
  `image,file=${file}`,
]

describe.each(specs)('guest %s', (spec) => {
  it('stands still while paused, goes on afterwards, and ends like its replay', async () => {
    const guest = await start(spec, 2 * MIB + 777, {
      regionBytesMax: MIB + 5,
    })
    expect(guest.regions.length).toBe(3)
    for (const more of [1, 3, 7]) {
      await stepped(guest, more)
      await guest.pause()
      const state = guest.captureState()
      const before = digest(guest.regions)
      for (let i = 0; i < 20; i++) await setImmediate()
      expect(digest(guest.regions)).toBe(before)
      expect(guest.captureState()).toEqual(state)
      guest.resume()
    }
    await stepped(guest, 2)
    await guest.pause()
    const state = guest.captureState()
    const regions = guest.regions.map(({ id, name, bytes }) => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
      return { id, name, bytes: shared.fill(1) }
    })
    const replayed = await replay(guest.identity, regions, stepsOf(state))
    expect(replayed.registers).toEqual(state)
    expect(digest(replayed.regions)).toBe(digest(guest.regions))
    expect(stepsOf(state).reduce((a, b) => a + b)).toBe(guest.steps())
  })
})

describe('WorkloadGuest', () => {
  it('pauses within 2 ms, as a rule', async () => {
    const guest = await start('writer,style=page,rate=1000000', 2 * MIB)
    const took: number[] = []
    for (let i = 0; i < 51; i++) {
      await stepped(guest, 50)
      const startMs = performance.now()
      await guest.pause()
      took.push(performance.now() - startMs)
      guest.resume()
    }
    took.sort((a, b) => a - b)
    expect(took[25]).toBeLessThan(2)
  })

  it.each([4096, 16384])('tracks every store by barrier, in pages of %s', async (pageBytes) => {
    const guest = await start('writer,wss=512KiB', 3 * MIB + 5, {
      pageBytes,
      regionBytesMax: MIB + 9,
    })
    for (const tracker of guest.trackers) tracker.reset()
    const copies = guest.regions.map((region) => region.bytes.slice())
    const round = (): number => copyDirty(guest, copies, pageBytes)
    for (let i = 0; i < 5; i++) {
      await stepped(guest, 100)
      expect(round()).toBeGreaterThan(0)
    }
    await guest.pause()
    round()
    guest.regions.forEach(({ bytes }, i) => {
      expect(Buffer.compare(bytes, copies[i]!)).toBe(0)
    })
  })

  it('starts with the image, and zeros after it', async () => {
    const guest = await start(`image,file=${file}`)
    const { bytes } = guest.regions[0]!
    expect(bytes.byteLength).toBe(25 * 4096)
    expect(Buffer.compare(bytes.subarray(0, image.length), image)).toBe(0)
    expect(bytes.subarray(image.length).every((byte) => byte === 0)).toBe(true)
  })

  it('reaches its threads whole when a region has 4 GiB', async () => {
    const guest = await start(`image,file=${file}`, 4 * GIB)
    const { bytes } = guest.regions[0]!
    expect(bytes.byteLength).toBe(4 * GIB)
    expect(Buffer.compare(bytes.subarray(0, image.length), image)).toBe(0)
  })

  it('tells when its file cannot be read or does not fit', async () => {
    const none = { kind: 'image', options: { file: join(folder, 'none') } }
    await expect(WorkloadGuest.start(none, MIB)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    const small = { kind: 'image', options: { file } }
    await expect(WorkloadGuest.start(small, 8192)).rejects.toMatchObject({ code: 'GUEST_OPTION' })
  })

  it('refuses everything once it was stopped', async () => {
    const guest = await start('idle', MIB)
    await guest.stop()
    await expect(guest.pause()).rejects.toMatchObject({ code: 'GUEST_FAILED' })
    await guest.stop()
  })

  it('captures nothing while it runs', async () => {
    const guest = await start('idle', MIB)
    expect(() => guest.captureState()).toThrow('running')
  })

  it('fails as a whole when a thread dies', async () => {
    const shapes = splitMemory(MIB)
    const regions = shapes.map(({ id, name, byteLength }) => {
      return { id, name, bytes: new Uint8Array(new SharedArrayBuffer(byteLength)) }
    })
    const identity = completeGuest({ kind: 'writer', options: { threads: 2 } }, [MIB])
    const parts = { identity, regions, pageBytes: 4096, barrier: true }
    const machine = new Machine({ ...parts, prepare: 'fill' })
    await machine.ready()
    const guest = new WorkloadGuest(machine)
    guests.push(guest)
    guest.resume()
    await stepped(guest, 100)
    void machine.crew.workers[1]!.terminate()
    // The dying thread never answers: without the failure this would wait for ever.
    const pausing = (async () => {
      for (;;) {
        await guest.pause()
        guest.resume()
      }
    })()
    await expect(pausing).rejects.toMatchObject({ code: 'GUEST_FAILED' })
    expect((await guest.failed).code).toBe('GUEST_FAILED')
    await machine.crew.ended
  })
})

/** Copies what all trackers find; returns how many pages that were. */
function copyDirty(guest: WorkloadGuest, copies: Uint8Array[], pageBytes: number): number {
  let found = 0
  guest.regions.forEach(({ bytes }, i) => {
    const pageCount = pagesCovering(bytes.byteLength, pageBytes)
    const dirty = new PageBitmap(pageCount)
    found += guest.trackers[i]!.collect(0, pageCount, dirty)
    for (let page = dirty.nextSet(0); page < pageCount; page = dirty.nextSet(page + 1)) {
      const at = page * pageBytes
      copies[i]!.set(bytes.subarray(at, at + pageBytes), at)
    }
  })
  return found
}

describe('replay', () => {
  it('allocates memory itself when told its size', async () => {
    const { identity } = parseGuest('memory-write', MIB)
    const ends = [await replay(identity, MIB, [500]), await replay(identity, MIB, [500])]
    expect(digest(ends[0]!.regions)).toBe(digest(ends[1]!.regions))
    const other = await replay(identity, MIB, [501])
    expect(digest(other.regions)).not.toBe(digest(ends[0]!.regions))
    expect(stepsOf(other.registers)).toEqual([501])
  })

  it('takes one step count per thread, and shared memory only', async () => {
    const { identity } = parseGuest('writer,threads=2', MIB)
    await expect(replay(identity, MIB, [1])).rejects.toMatchObject({ code: 'USAGE' })
    const own = [{ id: 0, name: 'ram', bytes: new Uint8Array(MIB) }]
    await expect(replay(identity, own, [1, 1])).rejects.toMatchObject({ code: 'USAGE' })
  })
})
