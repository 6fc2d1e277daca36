import type { MigrationMode, Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SourceState } from '@godwit/session'
import type { SourceMigration } from '@godwit/source'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig } from './rig.ts'
import { createRig } from './rig.ts'

const memoryBytes = 2 * MIB
let guest: WorkloadGuest
let rig: Rig

beforeEach(async () => {
  const { identity } = parseGuest(`writer,wss=${512 * KIB},rate=20000`, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await guest.stop()
  for (const session of rig.sessions) await session.guest?.discard()
})

/** Runs one migration and calls `look` at every moment a test can see: each state is seen. */
async function watch(
  look: (migration: SourceMigration) => void,
  signal?: AbortSignal,
  mode: MigrationMode = 'pre-copy',
): Promise<Report> {
  let migration: SourceMigration | undefined
  const now = (): 'pass' => {
    if (migration !== undefined) look(migration)
    return 'pass'
  }
  const pause = guest.pause.bind(guest)
  const capture = guest.captureState.bind(guest)
  const collect = guest.trackers[0]!.collect.bind(guest.trackers[0])
  vi.spyOn(guest, 'pause').mockImplementation(() => {
    now()
    return pause()
  })
  vi.spyOn(guest, 'captureState').mockImplementation(() => {
    now()
    return capture()
  })
  vi.spyOn(guest.trackers[0]!, 'collect').mockImplementation((from, count, into) => {
    now()
    return collect(from, count, into)
  })
  migration = await rig.source(guest, {
    mode,
    onDial: now,
    onControl: now,
    onData: now,
  })
  const report = await migration.run(signal)
  vi.restoreAllMocks()
  return report
}

type StateName = SourceState['name']

/** Every state there is: a new one does not compile until it is entered here. */
const cancellable: Readonly<Record<StateName, boolean>> = {
  idle: true,
  greeting: true,
  reserving: true,
  opening: true,
  sending: true,
  acknowledging: true,
  deciding: true,
  'switching-over': true,
  pausing: true,
  'sending-final': true,
  capturing: true,
  preparing: true,
  releasing: true,
  released: false,
  verifying: false,
  'awaiting-final': false,
  proving: false,
  ending: false,
  completed: false,
  failed: false,
  'in-doubt': false,
  discarding: true,
  pushing: false,
  pushed: false,
  paused: false,
  reconnecting: false,
  resuming: false,
  reopening: false,
  stranded: false,
  asking: false,
  bereaved: false,
  lost: false,
  'taken-over': false,
}
const all = Object.keys(cancellable) as StateName[]
const seldom: readonly StateName[] = [
  'awaiting-final',
  'proving',
  'completed',
  'failed',
  'in-doubt',
  'stranded',
  'asking',
  'bereaved',
  'lost',
  'paused',
  'reconnecting',
  'resuming',
  'reopening',
  'taken-over',
]
/** States that only post-copy has. */
const postCopy: readonly StateName[] = ['discarding', 'pushing', 'pushed']
const modeOf = (name: StateName): MigrationMode => {
  return postCopy.includes(name) ? 'post-copy' : 'pre-copy'
}

async function expectMovable(): Promise<void> {
  await advances(guest)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([0, 0])
  expect((await (await rig.source(guest)).run()).memory!.equal).toBe(true)
  await rig.idle()
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

describe('a cancel', () => {
  it.each(all.filter((name) => cancellable[name]))('in state %s is honoured', async (name) => {
    const abort = new AbortController()
    const report = await watch(
      ({ state }) => {
        if (state === name) abort.abort()
      },
      abort.signal,
      modeOf(name),
    )
    expect(abort.signal.aborted).toBe(true)
    expect(report).toMatchObject({ outcome: 'cancelled', error: { code: 'CANCELLED' } })
    await rig.idle()
    for (const one of rig.reports) expect(one.outcome).toMatch(/^(cancelled|failed)$/)
    await expectMovable()
  })

  it.each(all.filter((name) => !cancellable[name] && !seldom.includes(name)))(
    'in state %s comes too late',
    async (name) => {
      const refused: unknown[] = []
      const abort = new AbortController()
      const report = await watch(
        (migration) => {
          if (migration.state !== name) return
          expect(migration.canCancel).toBe(false)
          abort.abort()
          try {
            migration.cancel()
          } catch (error) {
            refused.push(error)
          }
        },
        abort.signal,
        modeOf(name),
      )
      expect(refused.length).toBeGreaterThan(0)
      for (const one of refused) expect(one).toMatchObject({ code: 'TOO_LATE' })
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    },
  )

  it('is told to the destination', async () => {
    const abort = new AbortController()
    await watch(({ state }) => {
      if (state === 'acknowledging') abort.abort()
    }, abort.signal)
    await rig.idle()
    expect(rig.reports).toMatchObject([{ outcome: 'cancelled', error: { code: 'CANCELLED' } }])
  })

  it('before the start dials nobody in the end', async () => {
    const report = await watch(() => {}, AbortSignal.abort())
    expect(report).toMatchObject({ outcome: 'cancelled', wireBytes: 0, rounds: [] })
    await expectMovable()
  })

  it('at the destination leaves the guest at the source', async () => {
    let asked = false
    const report = await watch(({ state }) => {
      if (state !== 'acknowledging' || asked) return
      asked = true
      expect(rig.agent.cancel()).toBe(1)
    })
    expect(report).toMatchObject({ outcome: 'cancelled', error: { code: 'CANCELLED' } })
    await expectMovable()
  })

  it('after the end comes too late', async () => {
    const migration = await rig.source(guest)
    await migration.run()
    expect(() => migration.cancel()).toThrow(expect.objectContaining({ code: 'TOO_LATE' }))
  })
})
