/**
 * What is agreed of the ways to encode pages, and pages that are held back in round 1.
 */
import type { Primitives } from '@godwit/codec'
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { DestinationOptions } from '@godwit/destination'
import { parseEncode } from '@godwit/policy'
import { FakeClock, randomBytes } from '@godwit/testkit'
import { MemoryHost, nodePrimitives } from 'godwit'
import { describe, expect, it } from 'vitest'
import { sourceThreads } from './fake-threads.ts'
import { mixedBytes } from './memory-contents.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { OnUnit } from './tap.ts'

const pageCount = 2048
const memoryBytes = pageCount * 4096
const node = await nodePrimitives()

/** What a runtime has that lacks some of Node's compressors. */
function without(name: keyof Primitives['compressors']): { primitives: Primitives } {
  return { primitives: { ...node, compressors: { ...node.compressors, [name]: undefined } } }
}

/** A rig that takes in one guest, whose memory is seen. */
async function rigFor(
  options: Partial<DestinationOptions> = {},
): Promise<{ rig: Rig; arrival: Uint8Array }> {
  const arrival = new Uint8Array(memoryBytes)
  const rig = await createRig(new MemoryHost({ memory: arrival }, 2 * memoryBytes), options)
  return { rig, arrival }
}

async function expectMoved(
  rig: Rig,
  arrival: Uint8Array,
  guest: ShadowGuest,
  report: Report,
): Promise<void> {
  await rig.idle()
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference([arrival], guest.snapshot())).toBeUndefined()
  expect(rig.reports.at(-1)!.pages).toEqual(report.pages)
  expect(rig.reports.at(-1)!.wireBytes).toBe(report.wireBytes)
}

describe('a destination that lacks a compressor', () => {
  it.each([
    ['zstd', 'zstd'],
    ['same,delta,zstd,level=3', 'zstd'],
    ['mecom', 'zstd'],
    ['lz4', 'lz4'],
    ['same,mdd,lz4', 'lz4'],
  ] as const)('refuses whoever asks for it by name: %s', async (encode, lacking) => {
    const guest = new ShadowGuest([mixedBytes(pageCount, 4096)])
    const { rig, arrival } = await rigFor(without(lacking))
    const report = await (await rig.source(guest, { encode: parseEncode(encode) })).run()
    expect(report).toMatchObject({ outcome: 'failed', rounds: [] })
    expect(report.error).toMatchObject({ code: 'PROTOCOL_CAPABILITY', phase: 'preparation' })
    expect(report.error!.text).toMatch(new RegExp(`what the source requires: ${lacking}$`))
    expect([guest.isPaused, guest.pauses]).toEqual([false, 0])
    await rig.idle()
    expect(rig.held()).toBe(0)
    const again = await (await rig.source(guest, { encode: parseEncode('same,delta') })).run()
    await expectMoved(rig, arrival, guest, again)
  })

  it('is good enough for auto, which says what is left', async () => {
    const guest = new ShadowGuest([mixedBytes(pageCount, 4096)])
    const { rig, arrival } = await rigFor(without('zstd'))
    const report = await (await rig.source(guest, { encode: parseEncode('auto') })).run()
    await expectMoved(rig, arrival, guest, report)
    expect(report.encoders).toEqual(['zero', 'unchanged', 'delta'])
    expect(report.encoding).toMatchObject({ asked: 'auto' })
    expect(report.encoding).not.toHaveProperty('compression')
    expect(report.pages).toMatchObject({ compressed: 0 })
  })

  it('does with another one what is asked for', async () => {
    const guest = new ShadowGuest([mixedBytes(pageCount, 4096)])
    const { rig, arrival } = await rigFor(without('lz4'))
    const report = await (await rig.source(guest, { encode: parseEncode('same,zstd') })).run()
    await expectMoved(rig, arrival, guest, report)
    expect(report.encoders).toEqual(['zero', 'unchanged', 'same', 'zstd'])
    expect(report.pages!.compressed).toBeGreaterThan(0)
  })
})

describe('a store', () => {
  it.each([0, MIB])('is no larger than the destination allows: %i', async (storeBytes) => {
    const guest = new ShadowGuest([randomBytes(memoryBytes, 1)])
    const { rig, arrival } = await rigFor({ storeBytes })
    const edit = (seed: number) => (): void => {
      for (let page = 0; page < 512; page++)
        guest.storePage(0, page, randomBytes(4096, seed + page))
    }
    const edits = [edit(1000), edit(5000)]
    const migration = await rig.source(guest, {
      encode: parseEncode('same,store=4MiB'),
      onControl: ({ name, direction }) => {
        if (name === 'RoundAck' && direction === 'read') edits.shift()?.()
        return undefined
      },
    })
    const report = await migration.run()
    await expectMoved(rig, arrival, guest, report)
    expect(report.encoding!.store!.usedBytes).toBe(storeBytes)
  })
})

describe('pages that are dirty again before their turn in round 1', () => {
  const first = 1500
  const again = 100
  /** A thing of the last pages, which are sent last. */
  const dirty = (guest: ShadowGuest, from: number): void => {
    for (let page = from; page < from + again; page++) {
      guest.storePage(0, page, randomBytes(4096, 7000 + page))
    }
    // This one was sent already.
    guest.store(0, 5, Uint8Array.of(1, 2, 3))
  }

  /** The guest stores while round 1 is at its beginning; time goes by. */
  function storing(guest: ShadowGuest, clock: FakeClock, from = first): OnUnit {
    let frames = 0
    return ({ direction, name }) => {
      if (direction === 'read' || name !== 'Pages' || ++frames > 1) return undefined
      dirty(guest, from)
      clock.advance(60)
      return undefined
    }
  }

  const shared = (bytes: Uint8Array): Uint8Array => {
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
    copy.set(bytes)
    return copy
  }

  async function move(settings: SourceSettings = {}, stores = true): Promise<Report> {
    const guest = new ShadowGuest([shared(randomBytes(memoryBytes, 2))])
    // Without zstd, auto looks at every page, however fast the link is.
    const { rig, arrival } = await rigFor(without('zstd'))
    const clock = new FakeClock()
    const all = { encode: parseEncode('auto'), clock, ...settings }
    const onData = storing(guest, clock)
    const migration = await rig.source(guest, stores ? { ...all, onData } : all)
    const report = await migration.run()
    await expectMoved(rig, arrival, guest, report)
    return report
  }

  it('are left to round 2', async () => {
    const report = await move()
    expect(report.encoding!.heldPages).toBe(again)
    expect(report.rounds.map((round) => round.pages)).toEqual([pageCount - again, again + 1, 0])
    expect(report.rounds[0]!.dirtyPages).toBe(again + 1)
    expect(report.pages).toMatchObject({ raw: pageCount + 1, unchanged: 0 })
  })

  it('are sent at once with a tracker that compares contents', async () => {
    const report = await move({ tracker: 'scan' })
    expect(report.encoding!.heldPages).toBe(0)
    expect(report.rounds.map((round) => round.pages)).toEqual([pageCount, 1, 0])
  })

  it.each(['delta', 'same,mdd'])('are sent at once by %s', async (encode) => {
    const report = await move({ encode: parseEncode(encode) })
    expect(report.encoding!.heldPages).toBe(0)
    expect(report.rounds.map((round) => round.pages)).toEqual([pageCount, again + 1, 0])
  })

  it('are none in the pause', async () => {
    const report = await move({ mode: 'stop-copy' }, false)
    expect(report.encoding!.heldPages).toBe(0)
    expect(report.rounds.map((round) => round.pages)).toEqual([pageCount])
  })

  it('are left to the pause, where it comes next', async () => {
    const report = await move({ stop: 'max-rounds=1' })
    expect(report.encoding!.heldPages).toBe(again)
    expect(report.rounds.map((round) => round.pages)).toEqual([pageCount - again, again + 1])
  })

  it('are known to lanes on threads', async () => {
    const guest = new ShadowGuest([shared(randomBytes(memoryBytes, 2))])
    const { rig, arrival } = await rigFor(without('zstd'))
    const clock = new FakeClock()
    // Time goes by as soon as the thread is told to send.
    const migration = await rig.source(guest, {
      clock,
      encode: parseEncode('auto'),
      startLane: sourceThreads(() => rig.dial(), []),
      onControl: ({ name }) => {
        if (name !== 'RoundBegin') return undefined
        if (guest.isPaused || migration.progress.round > 1) return undefined
        dirty(guest, first)
        setImmediate(() => clock.advance(60))
        return undefined
      },
    })
    const report = await migration.run()
    await expectMoved(rig, arrival, guest, report)
    expect(report.encoding!.heldPages).toBe(again + 1)
    expect(report.rounds[1]!.pages).toBe(again + 1)
  })

  it('are looked for where auto has found the link to be slow', async () => {
    const guest = new ShadowGuest([mixedBytes(pageCount, 4096)])
    const clock = new FakeClock()
    const { rig, arrival } = await rigFor({ clock })
    const store = storing(guest, clock)
    const migration = await rig.source(guest, {
      clock,
      encode: parseEncode('auto'),
      onData: (unit, bytes) => {
        store(unit, bytes)
        // 10 MB/s.
        if (unit.direction === 'written') clock.advance(bytes.length / 1e4)
        return undefined
      },
    })
    const report = await migration.run()
    await expectMoved(rig, arrival, guest, report)
    const { compression } = report.encoding!
    expect(compression!.plainBatches).toBeGreaterThan(0)
    // In this clock what is written takes its time at once, so that words of it come together.
    const { linkBytesPerSecond } = compression!.measured!
    expect(linkBytesPerSecond).toBeGreaterThan(5e6)
    expect(linkBytesPerSecond).toBeLessThan(25e6)
    expect(compression!.reason).toMatch(/: the link takes \d+ MB\/s, /)
  })
})
