import { setImmediate } from 'node:timers/promises'
import {
  GodwitError,
  type GuestOffer,
  MIB,
  PageBitmap,
  pagesCovering,
  type ZeroMemory,
} from '@godwit/core'
import { zeroBytes } from '@godwit/memory'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseGuest } from './guest-spec.ts'
import { replay } from './replay.ts'
import { stepsOf } from './state-package.ts'
import { WorkloadGuest } from './workload-guest.ts'
import { type IncomingWorkload, WorkloadHost } from './workload-host.ts'

const pageBytes = 4096
const zero: ZeroMemory = async (regions, isFresh) => {
  for (const { bytes } of regions) zeroBytes(bytes, isFresh)
}
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()))
})

function offerOf(text: string, byteLength = MIB, count = 1): GuestOffer {
  const { identity } = parseGuest(text, byteLength)
  const regions = Array.from({ length: count }, (_, id) => ({ id, name: `ram${id}`, byteLength }))
  return { identity, pageBytes, regions }
}

async function reserve(host: WorkloadHost, offer: GuestOffer): Promise<IncomingWorkload> {
  const incoming = await host.reserve(offer, zero)
  cleanups.push(() => incoming.discard())
  return incoming
}

async function stepped(guest: { steps(): number }, more: number): Promise<void> {
  const target = guest.steps() + more
  while (guest.steps() < target) await setImmediate()
}

/** Moves a guest as an engine would: rounds while it runs, the rest while it is paused. */
async function move(guest: WorkloadGuest, host: WorkloadHost): Promise<IncomingWorkload> {
  const regions = guest.regions.map(({ id, name, bytes }) => {
    return { id, name, byteLength: bytes.byteLength }
  })
  const incoming = await reserve(host, { identity: guest.identity, pageBytes, regions })
  for (const tracker of guest.trackers) tracker.reset()
  guest.regions.forEach(({ bytes }, i) => incoming.regions[i]!.bytes.set(bytes))
  let dirtyPages = 0
  const copyDirty = (): void => {
    guest.regions.forEach(({ bytes }, i) => {
      const pageCount = pagesCovering(bytes.byteLength, pageBytes)
      const dirty = new PageBitmap(pageCount)
      dirtyPages += guest.trackers[i]!.collect(0, pageCount, dirty)
      for (let page = dirty.nextSet(0); page < pageCount; page = dirty.nextSet(page + 1)) {
        const at = page * pageBytes
        incoming.regions[i]!.bytes.set(bytes.subarray(at, at + pageBytes), at)
      }
    })
  }
  for (let round = 0; round < 3; round++) {
    await stepped(guest, 200)
    copyDirty()
  }
  await guest.pause()
  copyDirty()
  expect(dirtyPages).toBeGreaterThan(10)
  incoming.restoreState(guest.captureState())
  await guest.stop()
  await incoming.run()
  return incoming
}

describe('WorkloadHost', () => {
  it('takes a guest that moves on: A to B to C, as if it had stayed', async () => {
    const spec = 'writer,wss=400KiB,threads=2,rate=100000,order=rand'
    const { identity, memoryBytes } = parseGuest(spec, 3 * MIB + 123)
    const source = await WorkloadGuest.start(identity, memoryBytes, { regionBytesMax: MIB + 77 })
    cleanups.push(() => source.stop())
    const host = new WorkloadHost({ memoryBytesMax: 16 * MIB })
    const second = await move(source, host)
    const third = await move(second.asGuest(), host)
    await stepped(third, 500)
    const { steps, registers } = await third.stop()
    expect(steps).toBe(stepsOf(registers).reduce((a, b) => a + b))
    const shared = third.regions.map((region) => ({
      ...region,
      bytes: new Uint8Array(new SharedArrayBuffer(region.bytes.byteLength)),
    }))
    const stayed = await replay(source.identity, shared, stepsOf(registers))
    expect(stayed.registers).toEqual(registers)
    third.regions.forEach(({ bytes }, i) => {
      expect(Buffer.compare(bytes, stayed.regions[i]!.bytes)).toBe(0)
    })
  })

  it('says how much is lacking, and has the room again after a discard', async () => {
    const host = new WorkloadHost({ memoryBytesMax: 3 * MIB })
    const first = await reserve(host, offerOf('idle', 2 * MIB))
    await expect(host.reserve(offerOf('idle', 2 * MIB), zero)).rejects.toMatchObject({
      code: 'NO_ROOM',
      message: expect.stringContaining('1 MiB are lacking'),
      maximum: MIB,
    })
    await first.discard()
    expect(first.regions).toEqual([])
    await reserve(host, offerOf('idle', 3 * MIB))
  })

  it('by itself offers less than the machine has', async () => {
    const byteLength = 2 ** 32
    const offer = {
      ...offerOf('idle'),
      regions: [...Array(1000).keys()].map((id) => {
        return { id, name: 'ram', byteLength }
      }),
    }
    await expect(new WorkloadHost().reserve(offer, zero)).rejects.toMatchObject({
      code: 'NO_ROOM',
    })
  })

  it('counts memory from the offer on, whether the system does yet or not', async () => {
    const available = vi.spyOn(process, 'availableMemory').mockReturnValue((256 + 3) * MIB)
    cleanups.push(async () => available.mockRestore())
    const host = new WorkloadHost()
    const lent = Promise.withResolvers<void>()
    const slow = host.reserve(offerOf('idle', 2 * MIB), () => lent.promise)
    cleanups.push(async () => (await slow).discard())
    await expect(host.reserve(offerOf('idle', 2 * MIB), zero)).rejects.toMatchObject({
      code: 'NO_ROOM',
      maximum: MIB,
    })
    lent.resolve()
    await slow
    await reserve(host, offerOf('idle', 3 * MIB))
  })

  it('has the room again when memory cannot be made ready', async () => {
    const host = new WorkloadHost({ memoryBytesMax: 3 * MIB })
    const error = new GodwitError('INTERNAL', 'no way')
    const failing: ZeroMemory = () => Promise.reject(error)
    await expect(host.reserve(offerOf('idle', 3 * MIB), failing)).rejects.toBe(error)
    await reserve(host, offerOf('idle', 3 * MIB))
  })

  it('starts soon, and only when told', async () => {
    const host = new WorkloadHost({ memoryBytesMax: 64 * MIB })
    const incoming = await reserve(host, offerOf('writer', 2 * MIB))
    for (let i = 0; i < 20; i++) await setImmediate()
    expect(incoming.steps()).toBe(0)
    const took: number[] = []
    for (let i = 0; i < 21; i++) {
      const startMs = performance.now()
      await incoming.run()
      took.push(performance.now() - startMs)
      await incoming.stop()
    }
    took.sort((a, b) => a - b)
    expect(took[10]).toBeLessThan(2)
  })

  it("refuses a state that is not this guest's", async () => {
    const host = new WorkloadHost({ memoryBytesMax: 64 * MIB })
    const incoming = await reserve(host, offerOf('writer', 2 * MIB))
    const { steps } = await incoming.stop()
    expect(steps).toBe(0)
    const bad = new Uint8Array(80)
    expect(() => incoming.restoreState(bad)).toThrow(GodwitError)
    const { registers } = await incoming.stop()
    // A cursor far outside of the working set.
    registers[16 + 8 + 4] = 1
    expect(() => incoming.restoreState(registers)).toThrow('cursor')
  })

  const good = offerOf('writer')
  const region = good.regions[0]!
  it.each<[string, Partial<GuestOffer>, string]>([
    ['kind', { identity: { kind: '__proto__', options: {} } }, 'GUEST_UNKNOWN'],
    ['option', { identity: { kind: 'idle', options: { wss: 1 } } }, 'GUEST_OPTION'],
    ['working set', { identity: { kind: 'writer', options: { wss: 2 * MIB } } }, 'GUEST_OPTION'],
    ['page size', { pageBytes: 4097 }, 'PAGE_SIZE_MISMATCH'],
    ['lack of memory', { regions: [] }, 'PROTOCOL_STATE'],
    ['empty region', { regions: [{ ...region, byteLength: 0 }] }, 'PROTOCOL_STATE'],
    ['huge region', { regions: [{ ...region, byteLength: 2 ** 33 }] }, 'PROTOCOL_STATE'],
    ['half byte', { regions: [{ ...region, byteLength: 1.5 }] }, 'PROTOCOL_STATE'],
    ['id', { regions: [{ ...region, id: -1 }] }, 'PROTOCOL_STATE'],
    ['same ids', { regions: [region, region] }, 'PROTOCOL_STATE'],
    ['many regions', { regions: Array<typeof region>(1025).fill(region) }, 'LIMIT_EXCEEDED'],
  ])('refuses an offer for its %s', async (_name, change, code) => {
    const host = new WorkloadHost({ memoryBytesMax: 64 * MIB })
    await expect(host.reserve({ ...good, ...change }, zero)).rejects.toMatchObject({ code })
  })
})
