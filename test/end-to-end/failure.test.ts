import type { Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { FakeClock, FaultyChannel } from '@godwit/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import type { Direction, OnUnit, UnitName, Verdict } from './tap.ts'
import { someOf } from './variants.ts'

const memoryBytes = 2 * MIB
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

async function attempt(settings: SourceSettings): Promise<Report> {
  return (await rig.source(guest, settings)).run()
}

/** The guest runs here and only here. */
async function expectAlive(report: Report): Promise<void> {
  expect(report.outcome).toBe('failed')
  expect(report.error!.code).not.toBe('OWNERSHIP_IN_DOUBT')
  await advances(guest)
  await rig.idle()
  expect(rig.agent.sessions).toEqual([])
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
  for (const one of rig.reports) expect(one.outcome).toBe('failed')
}

/** ... and the next attempt moves it. */
async function expectAliveAndMovable(report: Report): Promise<void> {
  await expectAlive(report)
  const again = await attempt({})
  expect(again.error).toBeUndefined()
  expect(again).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await expectMoved()
}

async function expectMoved(): Promise<void> {
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

/** The guest is paused: only then its state can be captured. */
function expectStopped(resume: { mock: { calls: unknown[] } }): void {
  expect(resume.mock.calls).toEqual([])
  expect(() => guest.captureState()).not.toThrow()
}

const writtenNames: UnitName[] = [
  'Preface',
  'Hello',
  'Reserve',
  'RoundBegin',
  'RoundEnd',
  'RoundBegin',
  'RoundEnd',
  'SwitchOver',
  'RoundBegin',
  'RoundEnd',
  'State',
  'Commit',
  'Verify',
  'End',
]
const readNames: UnitName[] = [
  'Preface',
  'Welcome',
  'Reserved',
  'RoundAck',
  'RoundAck',
  'SwitchOverAck',
  'RoundAck',
  'Ready',
  'Running',
  'Verified',
  'EndAck',
]
const [commit, ready] = [writtenNames.indexOf('Commit'), readNames.indexOf('Ready')]

function at(direction: Direction, index: number, verdict: Verdict): OnUnit {
  return (unit) => (unit.direction === direction && unit.index === index ? verdict : 'pass')
}

type Point = [direction: Direction, verdict: Verdict, name: UnitName, index: number]

function points(direction: Direction, names: readonly UnitName[]): Point[] {
  return names.flatMap((name, index): Point[] => [
    [direction, 'lose', name, index],
    [direction, 'cut', name, index],
  ])
}

describe('the control channel', () => {
  it('carries the frames between which it is cut below', async () => {
    const seen: Record<Direction, UnitName[]> = { written: [], read: [] }
    const report = await attempt({
      onControl: ({ direction, name }) => {
        seen[direction].push(name)
        return 'pass'
      },
    })
    expect(report.outcome).toBe('completed')
    expect(seen).toEqual({ written: writtenNames, read: readNames })
  })

  const beforeCommit = [
    ...points('written', writtenNames.slice(0, commit)).filter(([, verdict]) => verdict === 'cut'),
    ...points('read', readNames.slice(0, ready)).filter(([, verdict]) => verdict === 'cut'),
  ]

  it.each([
    ['written', 'lose', 'Preface', 0] satisfies Point,
    ['read', 'lose', 'Preface', 0] satisfies Point,
    // One guest goes through all of them below.
    ...someOf(beforeCommit, 4),
    // A source that got READY sends COMMIT: from there on it is not alone any more.
    ['read', 'lose', 'Ready', ready] satisfies Point,
  ])('cut before COMMIT: %s, %s %s (%i)', async (direction, verdict, _name, index) => {
    const report = await attempt({ onControl: at(direction, index, verdict) })
    expect(report.error!.code).toBe('CONNECTION_LOST')
    await expectAliveAndMovable(report)
  })

  it.each(someOf([1, 33, 60, 400]))('cut after byte %i', async (cutAfterWritten) => {
    const report = await attempt({
      wrap: (channel, index) =>
        index === 0 ? new FaultyChannel(channel, { cutAfterWritten }) : channel,
    })
    expect(report.error!.code).toBe('CONNECTION_LOST')
    await expectAliveAndMovable(report)
  })

  it.each([
    ['written', 'lose', 'Commit', commit],
    ['read', 'cut', 'Ready', ready],
  ] satisfies Point[])(
    'COMMIT does not arrive: %s, %s %s',
    async (direction, verdict, _, index) => {
      const resume = vi.spyOn(guest, 'resume')
      const report = await attempt({ onControl: at(direction, index, verdict) })
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'OWNERSHIP_IN_DOUBT' } })
      await rig.idle()
      expect([rig.held(), rig.runs()]).toEqual([0, 0])
      expectStopped(resume)
    },
  )

  it.each([
    ['written', 'cut', 'Commit', commit],
    ['read', 'lose', 'Running', ready + 1],
  ] satisfies Point[])(
    'RUNNING does not arrive: %s, %s %s',
    async (direction, verdict, _, index) => {
      const resume = vi.spyOn(guest, 'resume')
      const report = await attempt({ onControl: at(direction, index, verdict) })
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'OWNERSHIP_IN_DOUBT' } })
      expectStopped(resume)
      // Exactly one owner, and it goes on as if nothing had been.
      await expectMoved()
      expectStopped(resume)
    },
  )

  const afterRunning = [
    ...points('written', writtenNames).slice(2 * (commit + 1)),
    ...points('read', readNames).slice(2 * (ready + 1) + 1),
  ]

  it.each(someOf(afterRunning))(
    'cut after RUNNING: %s, %s %s (%i)',
    async (direction, verdict, name, index) => {
      const resume = vi.spyOn(guest, 'resume')
      const report = await attempt({ onControl: at(direction, index, verdict) })
      const isVerified =
        name === 'End' || name === 'EndAck' || `${verdict} ${name}` === 'cut Verified'
      expect(report.outcome).toBe('completed')
      expect(report.error?.code).toBe(isVerified ? undefined : 'VERIFY_INCOMPLETE')
      expectStopped(resume)
      await expectMoved()
    },
  )
})

describe('the data channel', () => {
  it.each<[Verdict, number]>([
    ['lose', 0],
    ['cut', 0],
    ['cut', 1],
    ['lose', 5],
  ])('%s its frame %i', async (verdict, index) => {
    const report = await attempt({ onData: at('written', index, verdict) })
    expect(report.error!.code).toBe('CONNECTION_LOST')
    await expectAliveAndMovable(report)
  })

  it.each<[Verdict, number]>([
    ['cut', 1],
    ['lose', 2],
    ['lose', 3],
  ])('%s the barrier of round %i', async (verdict, round) => {
    let barriers = 0
    const onData: OnUnit = ({ name }) => {
      return name === 'Barrier' && ++barriers === round ? verdict : 'pass'
    }
    await expectAliveAndMovable(await attempt({ onData }))
    expect(barriers).toBe(round)
  })

  it('cut after its last barrier: the guest is here or there, and nobody is in doubt', async () => {
    let barriers = 0
    const report = await attempt({
      onData: ({ name }) => (name === 'Barrier' && ++barriers === 3 ? 'cut' : 'pass'),
    })
    expect(barriers).toBe(3)
    if (report.outcome === 'completed') await expectMoved()
    else await expectAliveAndMovable(report)
  })

  it.each(someOf([31, 50, 5000, 1_000_000]))('cut after byte %i', async (bytes) => {
    const report = await attempt({
      wrap: (channel, index) =>
        index === 1 ? new FaultyChannel(channel, { cutAfterWritten: bytes }) : channel,
    })
    expect(report.error!.code).toBe('CONNECTION_LOST')
    await expectAliveAndMovable(report)
  })

  it('cut when the preface of the destination came, and before', async () => {
    const before = await attempt({ onData: at('read', 0, 'lose') })
    expect(before.error!.code).toBe('CONNECTION_LOST')
    await rig.idle()
    const after = await attempt({ onData: at('read', 0, 'cut') })
    expect(after.error!.code).toBe('CONNECTION_LOST')
    await expectAliveAndMovable(after)
  })

  it('lost after RUNNING changes nothing', async () => {
    let data: FaultyChannel | undefined
    const report = await attempt({
      wrap: (channel, index) => {
        if (index === 0) return channel
        data = new FaultyChannel(channel, {})
        return data
      },
      onControl: ({ name }) => {
        if (name === 'Verify') data!.destroy()
        return 'pass'
      },
    })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.error).toBeUndefined()
    await expectMoved()
  })
})

describe('one guest that fails again and again', () => {
  it('moves in the end', async () => {
    const written = points('written', writtenNames.slice(1, commit))
    const allPoints = [...written, ...points('read', readNames.slice(1, ready))].toReversed()
    for (const [direction, verdict, , index] of allPoints) {
      const report = await attempt({ onControl: at(direction, index, verdict) })
      await expectAlive(report)
    }
    const { outcome, pages, rounds } = await attempt({})
    expect(outcome).toBe('completed')
    // Nothing that a failed attempt sent counts for the next one.
    expect(rounds[0]!.pages).toBe(memoryBytes / 4096)
    expect(pages!.raw + pages!.zero).toBeGreaterThanOrEqual(memoryBytes / 4096)
    await expectMoved()
  })
})

describe('a peer that falls silent without closing', () => {
  const silences = ['Welcome', 'Reserved', 'RoundAck', 'SwitchOverAck', 'Ready'] as const

  it.each<UnitName>(someOf(silences))(
    'instead of %s is given up, and the guest goes on',
    async (silence) => {
      const [heartbeatMs, host] = [100, new WorkloadHost({ memoryBytesMax: memoryBytes })]
      // The destination's time stands still, so that it is the source that gives up.
      rig = await createRig(host, { heartbeatMs, clock: new FakeClock() })
      const report = await attempt({
        heartbeatMs,
        onControl: ({ direction, name }) =>
          direction === 'read' && name === silence ? 'stall' : 'pass',
      })
      expect(report.error!.code).toBe('PEER_SILENT')
      await expectAlive(report)
    },
  )
})
