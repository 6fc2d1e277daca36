import { setImmediate } from 'node:timers/promises'
import type { DirtyTracker, Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest, replay } from '@godwit/guest'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest } from './shadow.ts'
import type { Direction, OnUnit, UnitName, Verdict } from './tap.ts'
import { TapChannel } from './tap.ts'

const memoryBytes = 2 * MIB
const pageBytes = 4096
let guest: WorkloadGuest
let rig: Rig

beforeEach(async () => {
  const spec = `writer,wss=${512 * KIB},rate=20000,content=0/30/20/50`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  // Room for one guest only: one that is not given back keeps the next one out.
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
})
afterEach(async () => {
  await guest.stop()
  for (const session of rig.sessions) await session.guest?.discard()
})

type ChannelName = 'control' | 'data' | 'urgent'
/** The n-th unit of that name in that direction, counted from 1. */
type Point = readonly [ChannelName, Direction, Verdict, UnitName, number]

/** In the order of dialling. */
const channelNames: readonly ChannelName[] = ['control', 'data', 'urgent']

/** One attempt with one channel cut at one place; post-copy unless told otherwise. */
async function attempt(point: Point, settings: SourceSettings = {}): Promise<Report> {
  const [channelName, direction, verdict, name, nth] = point
  let seen = 0
  const onUnit: OnUnit = (unit) => {
    const isIt = unit.direction === direction && unit.name === name && ++seen === nth
    return isIt ? verdict : 'pass'
  }
  const migration = await rig.source(guest, {
    mode: 'post-copy',
    wrap: (channel, index) => {
      return channelNames[index] === channelName ? new TapChannel(channel, onUnit) : channel
    },
    ...settings,
  })
  const report = await migration.run()
  expect(seen, `${name} is on the way`).toBeGreaterThanOrEqual(nth)
  return report
}

/** The guest runs here and only here. */
async function expectAlive(report: Report, code = 'CONNECTION_LOST'): Promise<void> {
  expect(report).toMatchObject({ outcome: 'failed', error: { code } })
  await advances(guest)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
  for (const one of rig.reports) expect(one.outcome).toBe('failed')
}

/** ... and the next attempt moves it. */
async function moveOn(): Promise<string> {
  const report = await (await rig.source(guest, { mode: 'post-copy' })).run()
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
  return report.outcome
}

/** The guest is paused: only then its state can be captured. */
function expectStopped(resume: { mock: { calls: unknown[] } }): void {
  expect(resume.mock.calls).toEqual([])
  expect(() => guest.captureState()).not.toThrow()
}

function bothWays(direction: Direction, ...names: UnitName[]): Point[] {
  return names.flatMap((name): Point[] => [
    ['control', direction, 'lose', name, 1],
    ['control', direction, 'cut', name, 1],
  ])
}

describe('a failure before COMMIT', () => {
  it('leaves the guest at the source, cancelled while pages are named before it', async () => {
    const pause = vi.spyOn(guest, 'pause')
    const resume = vi.spyOn(guest, 'resume')
    let isSwitching = false
    // Page by page, so that others have their turn in between.
    const trackers = guest.trackers.map(
      (tracker): DirtyTracker => ({
        name: tracker.name,
        collectPagesMax: 1,
        reset: () => tracker.reset(),
        collect: (page, count, into) => {
          if (isSwitching && migration.canCancel) migration.cancel()
          return tracker.collect(page, count, into)
        },
      }),
    )
    vi.spyOn(guest, 'trackers', 'get').mockReturnValue(trackers)
    const migration = await rig.source(guest, {
      mode: 'post-copy',
      onControl: ({ name }) => {
        isSwitching ||= name === 'SwitchOverAck'
        return 'pass'
      },
    })
    expect(await migration.run()).toMatchObject({ outcome: 'cancelled' })
    expect(pause.mock.calls.length).toBe(resume.mock.calls.length)
    await advances(guest)
    vi.restoreAllMocks()
    expect(await moveOn()).toBe('completed')
  })

  it('leaves the guest at the source, wherever control is cut', async () => {
    const points: Point[] = [
      ['control', 'written', 'lose', 'Preface', 1],
      ...bothWays('written', 'Hello', 'Reserve', 'SwitchOver', 'Discard', 'State'),
      ...bothWays('read', 'Preface', 'Welcome', 'Reserved', 'SwitchOverAck'),
      ['control', 'read', 'lose', 'Ready', 1],
    ]
    for (const point of points) await expectAlive(await attempt(point))
    expect(await moveOn()).toBe('completed')
  })

  it.each<[string, SourceSettings, readonly Point[]]>([
    [
      'before any page',
      {},
      (['data', 'urgent'] as const).flatMap((name): Point[] => [
        [name, 'written', 'lose', 'Preface', 1],
        [name, 'written', 'cut', 'Preface', 1],
        [name, 'read', 'lose', 'Preface', 1],
        [name, 'read', 'cut', 'Preface', 1],
      ]),
    ],
    [
      'in rounds before it',
      { mode: 'hybrid', hybrid: { rounds: 2 }, stop: 'max-rounds=9' },
      [
        ['data', 'written', 'lose', 'Pages', 1],
        ['data', 'written', 'cut', 'Pages', 2],
        ['data', 'written', 'cut', 'Barrier', 1],
        ['data', 'written', 'lose', 'Barrier', 2],
        ['data', 'read', 'cut', 'Credit', 1],
        ['urgent', 'written', 'lose', 'Barrier', 1],
        ['urgent', 'written', 'cut', 'Barrier', 1],
        ['urgent', 'written', 'lose', 'Barrier', 2],
      ],
    ],
  ])('leaves it there: of pages, %s', async (_name, settings, points) => {
    for (const point of points) await expectAlive(await attempt(point, settings))
    expect(await moveOn()).toBe('completed')
  })

  it('leaves it there where a guest cannot wait for pages, and was refused for that', async () => {
    const plain = new ShadowGuest([randomBytes(MIB, 1)])
    rig = await createRig(new MemoryHost({}, 64 * MIB))
    for (const mode of ['post-copy', 'hybrid'] as const) {
      let dialled = 0
      const migration = await rig.source(plain, { mode, onDial: () => dialled++ })
      const report = await migration.run()
      expect(report.error).toMatchObject({ code: 'PROTOCOL_CAPABILITY', phase: 'reservation' })
      // Not even a channel for pages was dialled.
      expect([dialled, plain.pauses]).toEqual([1, 0])
      await rig.idle()
      expect([rig.held(), rig.runs()]).toEqual([0, 0])
    }
    const again = await (await rig.source(plain)).run()
    expect(again).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  })
})

describe('a connection lost around COMMIT', () => {
  it.each<Point>([
    ['control', 'written', 'lose', 'Commit', 1],
    ['control', 'read', 'cut', 'Ready', 1],
  ])('leaves no owner in doubt there: %s %s %s %s', async (...point) => {
    const resume = vi.spyOn(guest, 'resume')
    const report = await attempt(point)
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'OWNERSHIP_IN_DOUBT' } })
    await rig.idle()
    expect([rig.held(), rig.runs()]).toEqual([0, 0])
    expectStopped(resume)
  })

  it.each<Point>([
    ['control', 'written', 'cut', 'Commit', 1],
    ['control', 'read', 'lose', 'Running', 1],
  ])('leaves the guest there, waiting: %s %s %s %s', async (...point) => {
    const resume = vi.spyOn(guest, 'resume')
    const report = await attempt(point, { fetch: 'demand' })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'OWNERSHIP_IN_DOUBT' } })
    await expectStranded()
    expectStopped(resume)
  })
})

/** Bit of a page's state: a thread waits for it. */
const awaited = 2

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** The guest waits there for pages that do not come; everything it did before is right. */
async function expectStranded(): Promise<void> {
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const [report] = rig.reports
  expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
  const session = rig.sessions[0]!
  expect([session.state, session.ownsGuest]).toEqual(['stranded', true])
  const arrived = session.guest as IncomingWorkload
  const [states] = arrived.pager!.states
  while (!states!.words.some((word) => (word & awaited) !== 0)) await setImmediate()
  const steps = arrived.steps()
  expect(steps).toBeGreaterThanOrEqual(guest.steps())
  const oracle = guest.regions.map((region) => ({
    ...region,
    bytes: new Uint8Array(new SharedArrayBuffer(region.bytes.length)),
  }))
  await replay(guest.identity, oracle, [steps])
  // What is not there has not come nor been stored to, and is as the source has it.
  const [there, here, right] = [arrived, guest, { regions: oracle }].map((one) => {
    return one.regions[0]!.bytes
  })
  const zeros = new Uint8Array(pageBytes)
  const wrong: number[] = []
  let missing = 0
  for (let page = 0; page < memoryBytes / pageBytes; page++) {
    const [come, left, should] = [there!, here!, right!].map((bytes) => {
      return bytes.subarray(page * pageBytes, (page + 1) * pageBytes)
    })
    const isThere = states!.isPresent(page)
    if (!isThere) missing++
    const isRight = isThere ? same(come!, should!) : same(come!, zeros) && same(left!, should!)
    if (!isRight) wrong.push(page)
  }
  expect(wrong).toEqual([])
  expect(missing).toBeGreaterThan(0)
  expect(arrived.steps()).toBe(steps)
  await session.release()
  expect(rig.held()).toBe(0)
  expect(arrived.regions).toEqual([])
}

describe('a connection lost while pages follow', () => {
  it.each<Point>([
    ['control', 'read', 'cut', 'Running', 1],
    ['control', 'written', 'lose', 'RoundBegin', 1],
    ['control', 'written', 'cut', 'RoundBegin', 1],
    ['data', 'written', 'lose', 'Pages', 1],
    ['data', 'written', 'cut', 'Pages', 1],
    ['data', 'written', 'lose', 'Pages', 3],
    ['data', 'read', 'cut', 'Credit', 1],
    ['urgent', 'read', 'lose', 'PageRequest', 1],
    ['urgent', 'read', 'cut', 'PageRequest', 1],
    ['urgent', 'written', 'lose', 'Pages', 1],
    ['urgent', 'written', 'cut', 'Pages', 3],
  ])('leaves the guest there, waiting: %s %s %s %s (%i)', async (...point) => {
    const resume = vi.spyOn(guest, 'resume')
    const fetch = point[0] === 'data' ? 'push' : 'demand'
    const report = await attempt(point, { fetch })
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expect(report.error!.phase).toMatch(/^(activation|post-copy)$/)
    await expectStranded()
    expectStopped(resume)
  })

  it('that nobody needs any more is no loss', async () => {
    const resume = vi.spyOn(guest, 'resume')
    const report = await attempt(['control', 'read', 'lose', 'Verified', 1])
    expect(report).toMatchObject({ outcome: 'completed', error: { code: 'VERIFY_INCOMPLETE' } })
    expectStopped(resume)
    await rig.idle()
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
  })

  it.each<Point>([
    ['control', 'written', 'lose', 'RoundEnd', 1],
    ['control', 'read', 'lose', 'RoundAck', 1],
    ['data', 'written', 'lose', 'Barrier', 1],
    ['urgent', 'written', 'lose', 'Barrier', 1],
  ])('after the last of them leaves no two owners: %s %s %s %s', async (...point) => {
    const resume = vi.spyOn(guest, 'resume')
    const report = await attempt(point)
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expectStopped(resume)
    await rig.idle()
    expect([rig.held(), rig.runs()]).toEqual([1, 1])
    await rig.sessions[0]!.release()
    expect(rig.held()).toBe(0)
  })
})
