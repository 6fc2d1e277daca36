/**
 * Guests whose sibling is at the destination: what it has is not sent, and whatever it has, memory
 * arrives.
 */
import { randomBytes as random } from 'node:crypto'
import type { Report, ZeroMemory } from '@godwit/core'
import { KIB, MIB, allocateShared } from '@godwit/core'
import { StaticScan } from '@godwit/codec'
import type { DestinationOptions, FoundSet, StaticFinder } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { parseEncode } from '@godwit/policy'
import { FakeClock } from '@godwit/testkit'
import { MemoryHost, nodeSealTools, receive, send } from 'godwit'
import { describe, expect, it, vi } from 'vitest'
import { LocalLanes } from '../../packages/source/src/local-lanes.ts'
import { sourceThreads } from './fake-threads.ts'
import { expectSameCounts } from './mixed-memory.ts'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import {
  SiblingFinder,
  content,
  hashesOf,
  imageOf,
  mapOffering,
  memoryOf,
  samePlace,
  sharedPages,
  siblingGuest,
  siblingMemory,
  siblingSet,
} from './static-sibling.ts'

interface Move {
  readonly source: Report
  readonly destination: Report
  readonly rig: Rig
}

/** Moves the guest, all of whose memory arrives. */
async function move(
  finder: StaticFinder | undefined,
  settings: SourceSettings,
  options: Partial<DestinationOptions> = {},
  more: (rig: Rig) => SourceSettings = () => ({}),
): Promise<Move> {
  const guest = siblingGuest()
  const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length).fill(0xee))
  const known = finder === undefined ? {} : { static: finder }
  const rig = await createRig(new MemoryHost({ memory: arrival }, 64 * MIB), {
    ...known,
    ...options,
  })
  const source = await (await rig.source(guest, { ...settings, ...more(rig) })).run()
  await rig.idle()
  expect(source).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference(arrival, guest.snapshot())).toBeUndefined()
  const destination = rig.reports[0]!
  expectSameCounts({ source, destination })
  return { source, destination, rig }
}

const plain = (mode: 'position' | 'content', settings: SourceSettings = {}): SourceSettings => {
  return { static: [mapOffering(mode)], ...settings }
}

const finderOf = (): SiblingFinder => new SiblingFinder(siblingMemory(), [mapOffering('content')])

describe('a sibling at the destination', () => {
  it.each([
    ['content', {}, sharedPages],
    ['position', {}, samePlace],
    ['content', { encode: parseEncode('lz4'), hash: 'sha256' }, sharedPages],
    ['content', { encode: parseEncode('same,mdd,lz4'), lanes: 2 }, sharedPages],
    ['position', { encode: parseEncode('delta,zstd'), tracker: 'scan' }, samePlace],
  ] as const)('has pages that need not travel: %s %o', async (mode, settings, pages) => {
    const { source, destination } = await move(finderOf(), plain(mode, settings))
    const about = { mode, os: 'debian/13', hypervisor: 'qemu/10', mapVersion: 2 }
    const known = { ...about, entries: 58, heldEntries: 48, pages }
    expect(source.static).toMatchObject({ ...known, repairedPages: 0 })
    expect(destination.static).toMatchObject(known)
    for (const { static: of, pages: counts, stages } of [source, destination]) {
      expect(of!.ms).toBeGreaterThanOrEqual(0)
      expect(of!.reason).toBeUndefined()
      expect(counts!.static).toBe(pages)
      const names = stages.map(({ name }) => name)
      expect(names.slice(0, 4)).toEqual(['preparation', 'reservation', 'static', 'pre-copy'])
    }
    expect(source.savedBytes!['static']).toBe(pages * (4096 - 4))
  })

  it('has them for lanes on threads', async () => {
    const settings = plain('content', { lanes: 2 })
    const { source } = await move(finderOf(), settings, {}, (rig) => {
      return { startLane: sourceThreads(() => rig.dial(), []) }
    })
    expect(source.static!.pages).toBe(sharedPages)
  })

  it('has them where both sides have a key', async () => {
    const security = { ...nodeSealTools, method: 'psk', key: new Uint8Array(random(32)) } as const
    const { source } = await move(finderOf(), plain('content', { security }), { security })
    expect(source).toMatchObject({ security: 'psk', static: { pages: sharedPages } })
  })

  it('has them by the library, over TCP, on threads of both sides', async () => {
    const guest = siblingGuest()
    const arrival = guest.regions.map(({ bytes }) => {
      return new Uint8Array(new SharedArrayBuffer(bytes.length))
    })
    const receiver = await receive(
      { memory: arrival },
      { listen: '127.0.0.1:0', lanes: 2, static: finderOf() },
    )
    const settings = { lanes: 2, static: { map: mapOffering('content') }, encode: 'zstd' } as const
    const memory = guest.regions.map(({ bytes }) => bytes)
    const source = await send(
      { memory, pause: async () => {}, resume() {} },
      { to: receiver.address, ...settings },
    )
    expect(source.error).toBeUndefined()
    const destination = await receiver.arrival()
    await receiver.close()
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    expect(source.static).toMatchObject({ pages: sharedPages, repairedPages: 0 })
    expect(destination.static).toMatchObject({ heldEntries: 48, pages: sharedPages })
  })

  it('is looked at while room is made', async () => {
    const asked = Promise.withResolvers<void>()
    const known = finderOf()
    const find: StaticFinder['find'] = (...all) => {
      asked.resolve()
      return known.find(...all)
    }
    // Memory is not there before somebody has begun to look.
    const zero: ZeroMemory = async (regions) => {
      await asked.promise
      for (const { bytes } of regions) bytes.fill(0)
    }
    const { source } = await move({ find }, plain('content'), { zero })
    expect(source.static!.pages).toBe(sharedPages)
  })

  it('may change after it was looked at: then pages come as they are', async () => {
    const memory = siblingMemory()
    const finder = new SiblingFinder(memory, [mapOffering('content')])
    const { source, destination } = await move(finder, {
      ...plain('content'),
      onControl: ({ direction, name }) => {
        if (direction === 'read' && name === 'Reserved') memory.set(content(9), 3 * 4096)
        return undefined
      },
    })
    expect(source.static!.repairedPages).toBeGreaterThan(0)
    expect(destination.static).toMatchObject({ heldEntries: 48, pages: sharedPages })
  })
})

describe('a guest that runs meanwhile', () => {
  it.each([
    ['pre-copy', 'max-rounds=2', {}],
    ['hybrid', 'max-rounds=2', {}],
    ['hybrid', 'max-rounds=9', { hybrid: { rounds: 1 } }],
    ['post-copy', 'max-rounds=9', {}],
  ] as const)('goes on as if it had stayed: %s, %s %o', async (mode, stop, settings) => {
    const spec = `writer,wss=${512 * KIB},rate=5,content=10/30/20/40`
    const { identity } = parseGuest(spec, MIB)
    const guest = await WorkloadGuest.start(identity, MIB, { regionBytesMax: MIB })
    await advances(guest)
    const sibling = allocateShared(MIB)
    sibling.set(guest.regions[0]!.bytes)
    const set = { pageBytes: 4096, hashes: hashesOf(sibling), positions: new Uint32Array(0) }
    const offering = mapOffering('content', set)
    const rig = await createRig(new WorkloadHost(), {
      static: new SiblingFinder(sibling, [offering]),
    })
    const migration = await rig.source(guest, { mode, stop, static: [offering], ...settings })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await rig.idle()
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
    expect(report.static!.pages > 0).toBe(mode !== 'post-copy')
    await guest.stop()
    await arrived.discard()
  })
})

describe('a connection that is lost', () => {
  it('is made again without them', async () => {
    const { identity } = parseGuest(`writer,wss=${512 * KIB},rate=5,content=10/30/20/40`, MIB)
    const guest = await WorkloadGuest.start(identity, MIB, { regionBytesMax: MIB })
    await advances(guest)
    const sibling = allocateShared(MIB)
    sibling.set(guest.regions[0]!.bytes)
    const set = { pageBytes: 4096, hashes: hashesOf(sibling), positions: new Uint32Array(0) }
    const offering = mapOffering('content', set)
    const finder = new SiblingFinder(sibling, [offering])
    const rig = await createRig(new WorkloadHost(), { static: finder, recoverMs: Infinity })
    const opens = vi.spyOn(LocalLanes.prototype, 'open')
    let isCut = false
    const migration = await rig.source(guest, {
      mode: 'hybrid',
      hybrid: { rounds: 1 },
      stop: 'max-rounds=9',
      static: [offering],
      recoverMs: Infinity,
      onControl: ({ direction, name }) => {
        const isTime = direction === 'read' && name === 'Running' && !isCut
        isCut ||= isTime
        return isTime ? 'lose' : undefined
      },
    })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', recoveries: 1, memory: { equal: true } })
    expect(report.static!.pages).toBeGreaterThan(0)
    expect(finder.asked).toHaveLength(1)
    // Lanes of the second connection know nothing of it: their pages would be refused.
    expect(opens.mock.calls.map(([lookup]) => lookup === undefined)).toEqual([false, true])
    opens.mockRestore()
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
    await guest.stop()
    await arrived.discard()
  })
})

describe('a page that was stored to', () => {
  it('goes as any other when it goes again', async () => {
    const guest = siblingGuest()
    const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length))
    const host = new MemoryHost({ memory: arrival }, 64 * MIB)
    const rig = await createRig(host, { static: finderOf() })
    const migration = await rig.source(guest, {
      ...plain('content'),
      stop: 'max-rounds=2',
      onControl: ({ direction, name }) => {
        // Another content of the map: known at the destination, but it is too late for that.
        if (direction === 'read' && name === 'RoundAck' && !guest.isPaused) {
          guest.storePage(0, 5, content(40))
        }
        return undefined
      },
    })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    expect(report.rounds.length).toBeGreaterThanOrEqual(2)
    expect(report.static!.pages).toBe(sharedPages)
  })
})

describe('the past of a guest', () => {
  it('is at the destination: what it still holds of it is not sent', async () => {
    const image = imageOf(memoryOf([...Array(40).keys(), 700, 701, 702]))
    const finder = new SiblingFinder(siblingMemory(), [], [image])
    const { source, destination } = await move(finder, { static: [image] })
    const known = { entries: 43, heldEntries: 43, pages: 48 }
    expect(source.static).toMatchObject(known)
    expect(destination.static).toMatchObject(known)
    expect(source.static!.os).toBeUndefined()
  })

  it('is told of beside a map, one behind the other', async () => {
    const image = imageOf(memoryOf([...Array(12).keys()].map((i) => 200 + i)))
    const map = mapOffering('content')
    const finder = new SiblingFinder(siblingMemory(), [map], [image])
    for (const offered of [
      [map, image],
      [image, map],
    ]) {
      const { source } = await move(finder, { static: offered })
      expect(source.static).toMatchObject({ entries: 70, heldEntries: 60, pages: sharedPages + 12 })
    }
  })

  it('is handed over with the guest, and told nobody else', async () => {
    const images = [imageOf(memoryOf([1]), 3), imageOf(memoryOf([2]), 4)].map(({ id, token }) => {
      return { id, token }
    })
    const { rig, source, destination } = await move(undefined, { images })
    expect(rig.sessions[0]!.images).toEqual(images)
    for (const report of [source, destination]) {
      const hex = Buffer.from(images[0]!.token).toString('hex')
      expect(JSON.stringify(report)).not.toContain(hex)
      expect(report.static).toBeUndefined()
    }
  })
})

describe('nothing is lost but time', () => {
  const stale = mapOffering('content', siblingSet(), 1)

  it.each([
    ['the destination has another version', () => new SiblingFinder(siblingMemory(), [stale])],
    ['the destination has no map', () => new SiblingFinder(siblingMemory())],
    [
      'the sibling is none',
      () => new SiblingFinder(memoryOf([600, 601]), [mapOffering('content')]),
    ],
  ])('where %s', async (_what, make) => {
    const { source, destination } = await move(make(), plain('content'))
    const nothing = { entries: 58, heldEntries: 0, pages: 0 }
    expect(source.static).toMatchObject(nothing)
    expect(destination.static).toMatchObject(nothing)
    expect(source.pages!.raw).toBeGreaterThan(sharedPages)
  })

  it('in a mode that has no round', async () => {
    const finder = finderOf()
    const guest = siblingGuest()
    const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length))
    const host = new MemoryHost({ memory: arrival }, 64 * MIB)
    const rig = await createRig(host, { static: finder })
    const migration = await rig.source(guest, { ...plain('content'), mode: 'stop-copy' })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', static: { entries: 0, pages: 0 } })
    expect(report.static!.reason).toContain('no round')
    expect(finder.asked).toHaveLength(0)
  })

  it('where the destination has nowhere to look', async () => {
    const { source, destination } = await move(undefined, plain('content'))
    expect(source.static).toMatchObject({ pages: 0, reason: 'the destination has nowhere to look' })
    expect(destination.static).toBeUndefined()
  })

  it('where looking fails', async () => {
    const find = () => Promise.reject(new Error('the disk is gone'))
    const { source, destination } = await move({ find }, plain('content'))
    expect(source.static).toMatchObject({ heldEntries: 0, pages: 0 })
    expect(destination.static).toMatchObject({ heldEntries: 0, reason: 'the disk is gone' })
  })

  it('where looking takes too long', async () => {
    const clock = new FakeClock()
    const signals: AbortSignal[] = []
    const find = (_offers: unknown, _guest: unknown, signal: AbortSignal) => {
      signals.push(signal)
      setImmediate(() => clock.advance(10_000))
      return new Promise<readonly FoundSet[]>(() => {})
    }
    const { destination } = await move({ find }, plain('content'), { clock })
    expect(destination.static!.reason).toBe('nothing was found within 10000 ms')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  })

  it('where the source is told to stop meanwhile', async () => {
    const guest = siblingGuest()
    const looks = Promise.withResolvers<AbortSignal>()
    const find = (_offers: unknown, _guest: unknown, signal: AbortSignal) => {
      looks.resolve(signal)
      return new Promise<readonly FoundSet[]>(() => {})
    }
    const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length))
    const host = new MemoryHost({ memory: arrival }, 64 * MIB)
    // No time passes: it is not the deadline that ends it.
    const rig = await createRig(host, { static: { find }, clock: new FakeClock() })
    const migration = await rig.source(guest, plain('content'))
    const running = migration.run()
    const signal = await looks.promise
    migration.cancel()
    expect(await running).toMatchObject({ outcome: 'cancelled' })
    await rig.idle()
    expect(signal.aborted).toBe(true)
    expect([rig.held(), guest.isPaused]).toEqual([0, false])
    expect(rig.reports).toMatchObject([{ outcome: 'cancelled', static: { heldEntries: 0 } }])
  })

  it('where the migration fails before there is room: pages are looked up no further', async () => {
    const memory = allocateShared(16 * MIB).fill(1)
    const guest = new ShadowGuest([memory])
    const steps = vi.spyOn(StaticScan.prototype, 'step')
    const host = new MemoryHost({ memory: [new Uint8Array(memory.length)] }, 64 * MIB)
    // There is no room before somebody has looked at some pages, and then there is none at all.
    const zero: ZeroMemory = async () => {
      while (steps.mock.calls.length < 3) await new Promise(setImmediate)
      throw new Error('there is no room')
    }
    const rig = await createRig(host, { static: finderOf(), zero })
    const report = await (await rig.source(guest, plain('content'))).run()
    expect(report).toMatchObject({ outcome: 'failed' })
    const count = steps.mock.calls.length
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(steps).toHaveBeenCalledTimes(count)
    // A quarter of a mebibyte each, and one that finds that there are no more.
    expect(count).toBeLessThan(64)
    steps.mockRestore()
    await rig.idle()
  })
})
