/**
 * Post-copy that loses its connection and is taken up again.
 */
import { setImmediate } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SourceMigration } from '@godwit/source'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Point } from './cut.ts'
import { cutAt } from './cut.ts'
import { expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { someOf } from './variants.ts'

const memoryBytes = 2 * MIB
let guest: WorkloadGuest
let rig: Rig

beforeEach(async () => {
  const spec = `writer,wss=${512 * KIB},rate=20000,content=0/30/20/50`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }), { recoverMs: Infinity })
})
afterEach(async () => {
  await guest.stop()
  for (const session of rig.sessions) await session.release()
})

function start(settings: SourceSettings): Promise<SourceMigration> {
  return rig.source(guest, { mode: 'post-copy', recoverMs: Infinity, ...settings })
}

/** The guest is there, whole, and went on; it never ran here again. */
async function expectMoved(report: Report, recoveries: number): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  // More where the guest was not yet said to run, and RESUME came too early.
  expect(report.recoveries).toBeGreaterThanOrEqual(recoveries)
  await rig.idle()
  expect([rig.held(), rig.runs(), rig.sessions.length]).toEqual([1, 1, 1])
  expect(rig.reports[0]).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  const arrived = rig.sessions[0]!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

const cuts: Point[] = [
  ['control', 'read', 'cut', 'Running', 1, 0],
  ['control', 'read', 'lose', 'Running', 1, 0],
  ['control', 'written', 'cut', 'Commit', 1, 0],
  ['control', 'written', 'lose', 'RoundBegin', 1, 0],
  ['control', 'written', 'cut', 'RoundBegin', 1, 0],
  ['control', 'written', 'lose', 'RoundEnd', 1, 0],
  ['control', 'written', 'cut', 'RoundEnd', 1, 0],
  ['control', 'read', 'lose', 'RoundAck', 1, 0],
  ['data', 'written', 'lose', 'Pages', 1, 0],
  ['data', 'written', 'cut', 'Pages', 1, 0],
  ['data', 'written', 'lose', 'Pages', 3, 0],
  ['data', 'written', 'cut', 'Barrier', 1, 0],
  ['data', 'written', 'lose', 'Barrier', 1, 0],
  ['data', 'read', 'cut', 'Credit', 1, 0],
  ['urgent', 'read', 'lose', 'PageRequest', 1, 0],
  ['urgent', 'read', 'cut', 'PageRequest', 1, 0],
  ['urgent', 'written', 'lose', 'Pages', 1, 0],
  ['urgent', 'written', 'cut', 'Pages', 3, 0],
  ['urgent', 'written', 'lose', 'Barrier', 1, 0],
]

describe('a connection lost while pages follow', () => {
  it.each(someOf(cuts))('is made again: %s %s %s %s (%i)', async (...point) => {
    const resume = vi.spyOn(guest, 'resume')
    const { settings, done } = cutAt([point])
    const fetch = point[0] === 'urgent' ? 'demand' : 'push'
    const migration = await start({ ...settings, fetch })
    await expectMoved(await migration.run(), 1)
    expect(done()).toBe(1)
    expect(resume.mock.calls).toEqual([])
  })
})

const first: Point = ['data', 'written', 'lose', 'Pages', 2, 0]

describe('a connection lost while checkpoints come back', () => {
  it.each<Point>([
    ['reverse', 'read', 'lose', 'CheckpointBegin', 1, 0],
    ['reverse', 'read', 'cut', 'Pages', 1, 0],
    ['reverse', 'read', 'lose', 'CheckpointEnd', 2, 0],
    ['reverse', 'written', 'lose', 'CheckpointAck', 1, 0],
    ['reverse', 'written', 'cut', 'CheckpointAck', 2, 0],
  ])('is made again: %s %s %s %s (%i)', async (...point) => {
    const { settings, done } = cutAt([point])
    const slow = { maxBandwidth: 4 * MIB, fetch: 'push', checkpointMs: 20 } as const
    const migration = await start({ ...settings, ...slow })
    await expectMoved(await migration.run(), 1)
    expect(done()).toBe(1)
  })
})

describe('a second connection that is lost, too', () => {
  const seconds: Point[] = [
    ['control', 'written', 'lose', 'Preface', 1, 1],
    ['control', 'read', 'lose', 'Preface', 1, 1],
    ['control', 'written', 'lose', 'Resume', 1, 1],
    ['control', 'written', 'cut', 'Resume', 1, 1],
    ['control', 'read', 'lose', 'Lacking', 1, 1],
    ['control', 'read', 'lose', 'Resumed', 1, 1],
    ['control', 'read', 'cut', 'Resumed', 1, 1],
    ['data', 'written', 'lose', 'Preface', 1, 1],
    ['urgent', 'read', 'lose', 'Preface', 1, 1],
    ['data', 'written', 'lose', 'Pages', 1, 1],
    ['control', 'read', 'lose', 'RoundAck', 1, 1],
  ]
  it.each(someOf(seconds))('is made again: %s %s %s %s (%i)', async (...second) => {
    const { settings, done } = cutAt([first, second])
    const migration = await start({ ...settings, fetch: 'push' })
    await expectMoved(await migration.run(), 2)
    expect(done()).toBe(2)
  })
})

describe('a source that stays away', () => {
  it('leaves the guest waiting, and each side may give up', async () => {
    const { settings } = cutAt([['urgent', 'read', 'lose', 'PageRequest', 1, 0]])
    let isDown = false
    const migration = await start({
      ...settings,
      fetch: 'demand',
      onDial: () => {
        if (isDown) throw new Error('the network is down')
      },
      onSuspended: () => {
        isDown = true
      },
    })
    const running = migration.run()
    while (!migration.isSuspended) await setImmediate()
    while (!rig.sessions[0]!.isSuspended) await setImmediate()
    expect(migration.canCancel).toBe(false)
    expect(rig.sessions[0]!.state).toBe('paused')
    migration.giveUp()
    const report = await running
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expect(rig.sessions[0]!.state).toBe('paused')
    rig.sessions[0]!.giveUp()
    await rig.idle()
    expect(rig.reports[0]).toMatchObject({ outcome: 'failed', error: { code: 'POST_COPY_LOST' } })
    expect(rig.sessions[0]!.state).toBe('stranded')
  })

  it('is given up after a while where that was asked for', async () => {
    rig = await createRig(new WorkloadHost(), { recoverMs: 50 })
    const { settings } = cutAt([['data', 'written', 'lose', 'Pages', 1, 0]])
    let isDown = false
    const migration = await start({
      ...settings,
      fetch: 'push',
      recoverMs: 50,
      onDial: () => {
        if (isDown) throw new Error('the network is down')
      },
      onSuspended: () => {
        isDown = true
      },
    })
    expect(await migration.run()).toMatchObject({ error: { code: 'POST_COPY_LOST' } })
    await rig.idle()
    expect(rig.sessions[0]!.state).toBe('stranded')
  })
})
