/**
 * The source's lanes on threads of their own.
 */
import type { Primitives } from '@godwit/codec'
import { GodwitError, LimitError, MIB } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { LANES_MAX, MemoryHost, nodePrimitives, receive, send } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceThread } from './fake-threads.ts'
import { laneSeconds, sourceThreads } from './fake-threads.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { Edit } from './watched.ts'
import { moveWatched, oddGuest, traps } from './watched.ts'

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

function sharedGuest(guest: ShadowGuest): ShadowGuest {
  return new ShadowGuest(
    guest.regions.map(({ bytes }) => shared(bytes)),
    guest.pageBytes,
  )
}

/** Threads of the migration, and the settings with which it uses them. */
function threadsFor(
  lanes: number,
  onReport?: Parameters<typeof sourceThreads>[2],
  primitives?: Primitives,
): { started: SourceThread[]; settings: (rig: Rig) => SourceSettings } {
  const started: SourceThread[] = []
  const settings = (rig: Rig): SourceSettings => ({
    lanes,
    startLane: sourceThreads(() => rig.dial(), started, onReport, primitives),
  })
  return { started, settings }
}

describe('lanes of a source on threads', () => {
  it.each([
    { lanes: 1, tracker: 'barrier', hash: 'xxh3', pageBytes: 4096 },
    { lanes: 3, tracker: 'barrier', hash: 'xxh64', pageBytes: 4096 },
    { lanes: 3, tracker: 'scan', hash: 'sha256', pageBytes: 16384 },
  ] as const)('bring every change over: %o', async ({ lanes, ...settings }) => {
    const { started, settings: onThreads } = threadsFor(lanes)
    const { pageBytes } = settings
    const guest = sharedGuest(oddGuest(pageBytes))
    const report = await moveWatched(guest, traps(pageBytes), settings, onThreads)
    expect(report.rounds).toHaveLength(5)
    expect(started).toHaveLength(lanes)
    for (const { commands, reports, isOver } of started) {
      expect(commands.slice(0, 3)).toEqual(['prepare', 'pace', 'open'])
      expect(commands.filter((command) => command === 'send-round')).toHaveLength(5)
      expect([reports[0], reports.at(-1), isOver]).toEqual(['opened', 'ended', true])
    }
  })

  it('share the pages of a large region, each once a round', async () => {
    const { started, settings } = threadsFor(2)
    const memory = shared(randomBytes(32 * MIB, 1))
    const all: Edit = (guest) => {
      for (let page = 0; page < 8192; page++) guest.store(0, page * 4096, Uint8Array.of(page))
    }
    const report = await moveWatched(new ShadowGuest([memory]), [all], {}, settings)
    expect(report.rounds.map(({ pages }) => pages)).toEqual([8192, expect.any(Number)])
    expect(started).toHaveLength(2)
  })

  it('add their CPU time to that of the agent', async () => {
    const { settings } = threadsFor(2)
    const usage = { start() {}, exclude() {}, read: () => ({ cpuSeconds: 1 }) }
    const guest = new ShadowGuest([shared(randomBytes(MIB, 1))])
    const report = await moveWatched(guest, [], { usage }, settings)
    expect(report.cpu).toEqual({ sourceSeconds: 1 + 2 * laneSeconds })
  })

  it('are not used for memory that is not shared', async () => {
    const { started, settings } = threadsFor(2)
    await moveWatched(oddGuest(4096), [], {}, settings)
    expect(started).toEqual([])
  })

  it('are refused at once where the wire has no room for them', async () => {
    const own = { memory: shared(new Uint8Array(4096)), pause() {}, resume() {} }
    const sending = send(own, { to: '127.0.0.1:1', lanes: LANES_MAX + 1 })
    await expect(sending).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('are real ones through the library', async () => {
    const memory = shared(randomBytes(24 * MIB + 7, 2))
    const arrival = new Uint8Array(new SharedArrayBuffer(memory.length))
    const receiver = await receive({ memory: arrival }, { listen: '127.0.0.1:0', lanes: 3 })
    const own = { memory, pause() {}, resume() {} }
    const report = await send(own, { to: receiver.address, lanes: 3 })
    await receiver.close()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference([arrival], [memory])).toBeUndefined()
  })
})

describe('a thread of a source that dies', () => {
  const died = new GodwitError('INTERNAL', 'The thread "lane" ended by itself')

  it.each<[string, SourceThread['reports'][number], number]>([
    ['when it has connected', 'opened', 1],
    ['after a round', 'sent', 1],
    ['after the last round', 'sent', 3],
  ])('%s leaves the guest where it is', async (_name, type, count) => {
    const { started, settings } = threadsFor(2, (thread, report) => {
      if (thread !== started[1] || report.type !== type) return
      if (thread.reports.filter((one) => one === type).length === count) thread.die(died)
    })
    const guest = new ShadowGuest([shared(randomBytes(4 * MIB, 1))])
    const arrival = new Uint8Array(4 * MIB)
    const rig = await createRig(new MemoryHost({ memory: arrival }, 8 * MIB))
    const migration = await rig.source(guest, settings(rig))
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'failed' })
    expect(guest.isPaused).toBe(false)
    expect(started.every((thread) => thread.isOver)).toBe(true)
    await rig.idle()
    expect(rig.held()).toBe(0)
    const again = await rig.source(guest, { lanes: 2 })
    expect(await again.run()).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference([arrival], guest.snapshot())).toBeUndefined()
  })

  it('is no loss when it could not even begin: the others end', async () => {
    const { started, settings } = threadsFor(3)
    const guest = new ShadowGuest([shared(randomBytes(MIB, 1))])
    const rig = await createRig(new MemoryHost({ memory: new Uint8Array(MIB) }, 8 * MIB))
    const usual = settings(rig)
    const startLane = (): ReturnType<NonNullable<SourceSettings['startLane']>> => {
      if (started.length === 2) throw new Error('no threads left')
      return usual.startLane!()
    }
    const report = await (await rig.source(guest, { ...usual, startLane })).run()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'INTERNAL' } })
    expect(started.map((thread) => thread.isOver)).toEqual([true, true])
    await rig.idle()
  })

  it('tells why, when it cannot get ready', async () => {
    const primitives = await nodePrimitives()
    const { started, settings } = threadsFor(1, undefined, {
      ...primitives,
      get kernelsWasm(): never {
        throw new LimitError('NO_ROOM', 'no', { limit: 'addressSpace', value: 1, maximum: 0 })
      },
    })
    const guest = new ShadowGuest([shared(randomBytes(MIB, 1))])
    const rig = await createRig(new MemoryHost({ memory: new Uint8Array(MIB) }, 8 * MIB))
    const report = await (await rig.source(guest, settings(rig))).run()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'NO_ROOM', text: 'no' } })
    expect(started.map((thread) => thread.isOver)).toEqual([true])
    await rig.idle()
  })

  it('takes a cancel while lanes are dialled', async () => {
    const { started, settings } = threadsFor(2)
    const guest = new ShadowGuest([shared(randomBytes(MIB, 1))])
    const rig = await createRig(new MemoryHost({ memory: new Uint8Array(MIB) }, 8 * MIB))
    const migration = await rig.source(guest, {
      ...settings(rig),
      onControl: ({ name }) => {
        if (name === 'Reserved') setImmediate(() => migration.cancel())
        return undefined
      },
    })
    expect(await migration.run()).toMatchObject({ outcome: 'cancelled' })
    expect(guest.isPaused).toBe(false)
    expect(started.every((thread) => thread.isOver)).toBe(true)
    await rig.idle()
  })
})
