/**
 * A cancel at every moment: in every state of either side, in every mode, at every frame border.
 * Before the guest is handed over it goes on at the source; from then on a cancel comes too late,
 * and the guest goes on at the destination.
 */
import type { MigrationMode, Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SourceMigration } from '@godwit/source'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Look } from './looks.ts'
import { lookingAt, lookingHost, lookingOwners } from './looks.ts'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import type { Unit, Verdict } from './tap.ts'
import { TapChannel } from './tap.ts'

const memoryBytes = 1 * MIB
let guest: WorkloadGuest
let rig: Rig
let look: Look

beforeEach(async () => {
  const { identity } = parseGuest(`writer,wss=${256 * KIB},rate=20000`, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  look = () => {}
  // Room for one guest only: one that is not given back keeps the next one out.
  const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
  rig = await createRig(
    lookingHost(host, (unit) => look(unit)),
    {
      owners: lookingOwners((unit) => look(unit)),
    },
  )
})
afterEach(async () => {
  vi.restoreAllMocks()
  await guest.stop()
  for (const session of rig.sessions) await session.release()
})

type SourceName = SourceMigration['state']
type DestinationName = IncomingMigration['state']

const all: readonly MigrationMode[] = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid']
const withRounds: readonly MigrationMode[] = ['pre-copy', 'hybrid']
const withPostCopy: readonly MigrationMode[] = ['post-copy', 'hybrid']
const withPause: readonly MigrationMode[] = ['stop-copy', 'pre-copy']

/** The modes that come through a state when all goes well; a new state has to be entered here. */
const sourceStates = {
  idle: all,
  greeting: all,
  reserving: all,
  opening: all,
  sending: withRounds,
  acknowledging: withRounds,
  deciding: withRounds,
  'switching-over': all,
  pausing: all,
  discarding: withPostCopy,
  'sending-final': withPause,
  capturing: all,
  preparing: all,
  releasing: all,
  released: all,
  pushing: withPostCopy,
  pushed: withPostCopy,
  verifying: all,
  ending: all,
  // With --run-for only.
  'awaiting-final': 'final',
  proving: 'final',
  // When the connection is lost.
  paused: 'lost',
  reconnecting: 'lost',
  // When it is lost in the hand-over; see ownership.test.ts.
  keeping: 'doubt',
  asking: 'doubt',
  bereaved: 'doubt',
  lost: 'doubt',
  resuming: 'lost',
  reopening: 'lost',
  completed: 'over',
  failed: 'over',
  stranded: 'over',
  'in-doubt': 'over',
  'taken-over': 'over',
} as const satisfies Record<
  SourceName,
  readonly MigrationMode[] | 'final' | 'lost' | 'doubt' | 'over'
>

const destinationStates = {
  greeting: all,
  welcomed: all,
  reserving: all,
  reserved: all,
  receiving: [...withRounds, 'stop-copy'],
  'awaiting-state': withPause,
  loading: all,
  preparing: all,
  prepared: all,
  owning: all,
  starting: all,
  filling: withPostCopy,
  running: all,
  holding: 'doubt',
  answering: 'doubt',
  refusing: 'doubt',
  paused: 'lost',
  resuming: 'lost',
  completed: 'over',
  discarded: 'over',
  stranded: 'over',
} as const satisfies Record<DestinationName, readonly MigrationMode[] | 'lost' | 'doubt' | 'over'>

/** In these, and after them, the guest is not the source's to keep. */
const sourceTooLate: readonly SourceName[] = [
  'released',
  'pushing',
  'pushed',
  'verifying',
  'ending',
]
/** READY is out: COMMIT may be on its way. */
const destinationTooLate: readonly DestinationName[] = [
  'prepared',
  'owning',
  'starting',
  'filling',
  'running',
  'completed',
]

function namesOf<Name extends string>(
  states: Readonly<Record<Name, readonly MigrationMode[] | string>>,
  group: MigrationMode | 'final' | 'lost' | 'over',
): Name[] {
  return (Object.keys(states) as Name[]).filter((name) => {
    const where = states[name]
    return typeof where === 'string' ? where === group : where.includes(group as MigrationMode)
  })
}

/** One migration, with `now` called at every moment that can be seen. */
async function move(
  now: (migration: SourceMigration, unit?: Unit) => void,
  settings: SourceSettings = {},
  signal?: AbortSignal,
): Promise<Report> {
  let migration: SourceMigration | undefined
  look = (unit) => {
    if (migration !== undefined) now(migration, unit)
  }
  const hybrid = { rounds: 1 }
  migration = await rig.source(guest, {
    hybrid,
    ...lookingAt(guest, (unit) => look(unit)),
    ...settings,
  })
  const report = await migration.run(signal)
  look = () => {}
  vi.restoreAllMocks()
  return report
}

/** The guest is alive here, and only here. */
async function expectKept(report: Report): Promise<void> {
  expect(report).toMatchObject({ outcome: 'cancelled', error: { code: 'CANCELLED' } })
  await advances(guest)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
}

/** It is alive there, exactly as if it had stayed. */
async function expectGone(report: Report): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed' })
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

const tooLate = expect.objectContaining({ code: 'TOO_LATE' })

/** What a cancel threw. */
function codeOf(cancel: () => void): unknown {
  try {
    cancel()
  } catch (thrown) {
    return (thrown as { code?: unknown }).code
  }
  return undefined
}

/** In the suite, of moments that look the same only the first. */
const isLong = process.env['GODWIT_LONG'] !== undefined

/** What a side's cancel was tried at. */
interface Tried<Name> {
  readonly seen: ReadonlySet<Name>
  /** States in which it came too late, in the one migration in which it did. */
  readonly late: ReadonlySet<Name>
}

/**
 * Migration after migration, each with a cancel at another moment, until one comes too late.
 *
 * @param stateOf - of the side that cancels; undefined as long as it has none
 * @param cancel - whether it was honoured
 */
async function cancelEverywhere<Name>(
  mode: MigrationMode,
  stateOf: (migration: SourceMigration) => Name | undefined,
  cancel: (migration: SourceMigration) => boolean,
): Promise<Tried<Name>> {
  const seen = new Set<Name>()
  const late = new Set<Name>()
  const tried = new Set<string>()
  for (;;) {
    let isDone = false
    let moment = 0
    const report = await move(
      (migration, unit) => {
        const state = stateOf(migration)
        if (state === undefined) return
        seen.add(state)
        if (late.size > 0 && !cancel(migration)) late.add(state)
        const key = [state, unit?.direction, unit?.name, isLong ? moment++ : ''].join()
        if (isDone || tried.has(key)) return
        tried.add(key)
        isDone = true
        if (!cancel(migration)) late.add(state)
      },
      { mode },
    )
    expect(isDone).toBe(true)
    if (late.size > 0) {
      await expectGone(report)
      return { seen, late }
    }
    await expectKept(report)
  }
}

/** Dozens of migrations each. */
const timeout = 120_000

// Hybrid comes through what post-copy comes through, and through rounds.
describe.each(isLong ? all : (['hybrid'] as const))(
  'mode %s: a cancel at every moment',
  { timeout },
  (mode) => {
    it('from the source', async () => {
      const { seen, late } = await cancelEverywhere(
        mode,
        ({ state }) => state,
        (migration) => {
          const { canCancel } = migration
          expect(codeOf(() => migration.cancel())).toBe(canCancel ? undefined : 'TOO_LATE')
          return canCancel
        },
      )
      const expected = namesOf(sourceStates, mode)
      expect([...seen].toSorted()).toEqual(expect.arrayContaining(expected))
      expect([...late].toSorted()).toEqual(
        expected.filter((name) => sourceTooLate.includes(name)).toSorted(),
      )
    })

    it('from the destination', async () => {
      const { seen, late } = await cancelEverywhere(
        mode,
        () => rig.agent.sessions[0]?.state,
        () => rig.agent.cancel() === 1,
      )
      const expected = namesOf(destinationStates, mode)
      expect([...seen].toSorted()).toEqual(expect.arrayContaining(expected))
      const isLate = (name: DestinationName): boolean => destinationTooLate.includes(name)
      expect([...late].filter((name) => name !== 'completed').toSorted()).toEqual(
        expected.filter(isLate).toSorted(),
      )
    })
  },
)

describe('a cancel with --run-for', () => {
  it('comes too late while the guest is waited for to end, and while that is proven', async () => {
    rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }), { runForMs: 1 })
    const late = new Set<SourceName>()
    const report = await move(
      (migration) => {
        if (migration.canCancel) return
        expect(() => migration.cancel()).toThrow(tooLate)
        late.add(migration.state)
      },
      { verify: 'none' },
    )
    expect(report).toMatchObject({ outcome: 'completed', guestProof: { continuous: true } })
    expect([...late]).toEqual(expect.arrayContaining(namesOf(sourceStates, 'final')))
  })
})

describe('a cancel while post-copy is interrupted', () => {
  it('comes too late on both sides, and the guest goes on at the destination', async () => {
    const waits = { recoverMs: Infinity }
    const host = new WorkloadHost({ memoryBytesMax: memoryBytes })
    rig = await createRig(
      lookingHost(host, (unit) => look(unit)),
      waits,
    )
    const late = new Set<SourceName>()
    const lateThere = new Set<DestinationName>()
    let isCut = false
    const tryBoth = (migration: SourceMigration): void => {
      if (!isCut) return
      expect(() => migration.cancel()).toThrow(tooLate)
      late.add(migration.state)
      expect(rig.agent.cancel()).toBe(0)
      lateThere.add(rig.agent.sessions[0]!.state)
    }
    const report = await move(tryBoth, {
      mode: 'post-copy',
      ...waits,
      wrap: (channel) =>
        new TapChannel(channel, ({ name }): Verdict => {
          look()
          if (name !== 'Running' || isCut) return 'pass'
          isCut = true
          return 'cut'
        }),
      onSuspended: () => look(),
    })
    await expectGone(report)
    expect([...late]).toEqual(expect.arrayContaining(namesOf(sourceStates, 'lost')))
    expect([...lateThere]).toEqual(expect.arrayContaining(namesOf(destinationStates, 'lost')))
  })
})

describe('a cancel when all is over', () => {
  type Cut = readonly [frame: string, verdict: Verdict]
  it.each<[SourceName, MigrationMode, Cut | undefined]>([
    ['completed', 'pre-copy', undefined],
    ['failed', 'pre-copy', ['Welcome', 'cut']],
    ['in-doubt', 'pre-copy', ['Commit', 'cut']],
    ['stranded', 'post-copy', ['Running', 'cut']],
  ])('comes too late: %s', async (name, mode, cut) => {
    const migration = await rig.source(guest, {
      mode,
      wrap: (channel) =>
        new TapChannel(channel, (unit) => (unit.name === cut?.[0] ? cut[1] : 'pass')),
    })
    await migration.run()
    expect(migration.state).toBe(name)
    expect(() => migration.cancel()).toThrow(tooLate)
    expect(rig.agent.cancel()).toBe(0)
    if (name === 'failed') await advances(guest)
  })

  it('comes too late for a guest that was taken over, which goes on here', async () => {
    let isDown = false
    const migration: SourceMigration = await rig.source(guest, {
      mode: 'post-copy',
      recoverMs: Infinity,
      onDial: () => {
        if (isDown) throw new Error('the host is down')
      },
      wrap: (channel) =>
        new TapChannel(channel, ({ name }) => {
          isDown ||= name === 'Running'
          return isDown ? 'lose' : 'pass'
        }),
      onSuspended: () => {
        if (migration.state === 'paused') migration.takeOver()
      },
    })
    await migration.run()
    expect(migration.state).toBe('taken-over')
    expect(() => migration.cancel()).toThrow(tooLate)
    await advances(guest)
  })

  it('has a test for every way to be over', () => {
    const tested: SourceName[] = ['completed', 'failed', 'in-doubt', 'stranded', 'taken-over']
    expect(tested.toSorted()).toEqual(namesOf(sourceStates, 'over').toSorted())
  })
})

describe('a cancel', () => {
  it('is told to the destination', async () => {
    const abort = new AbortController()
    await move(
      ({ state }) => {
        if (state === 'acknowledging') abort.abort()
      },
      {},
      abort.signal,
    )
    await rig.idle()
    expect(rig.reports).toMatchObject([{ outcome: 'cancelled', error: { code: 'CANCELLED' } }])
  })

  it('before the start dials nobody in the end', async () => {
    const report = await move(() => {}, {}, AbortSignal.abort())
    expect(report).toMatchObject({ outcome: 'cancelled', wireBytes: 0, rounds: [] })
    await expectKept(report)
  })
})
