/**
 * A destination that dies in post-copy, and the guest goes on at the source.
 */
import { setImmediate } from 'node:timers/promises'
import { MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest, replay } from '@godwit/guest'
import type { SourceMigration } from '@godwit/source'
import type { CheckpointAck, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FRAME_HEADER_BYTES,
  FrameType,
  decodeMessage,
  decodePreface,
} from '@godwit/wire'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous, expectReplayed } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { difference } from './shadow.ts'
import type { Unit, Verdict } from './tap.ts'
import { TapChannel } from './tap.ts'

const memoryBytes = 2 * MIB
/** Slow enough that a page of one checkpoint is seldom in the next one, too. */
const spec = `writer,wss=${1 * MIB},rate=500,content=0/30/20/50`
let guest: WorkloadGuest
let rig: Rig
/** Cuts what was dialled. */
let cut: (() => void)[]
let isDown = false

beforeEach(async () => {
  isDown = false
  cut = []
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }), { recoverMs: Infinity })
})
afterEach(async () => {
  await guest.stop()
  for (const session of rig.sessions) await session.release()
})

type OnRoleUnit = (role: number, unit: Unit, bytes: Uint8Array) => Verdict

function start({
  onUnit = () => 'pass',
  ...settings
}: SourceSettings & { readonly onUnit?: OnRoleUnit }): Promise<SourceMigration> {
  return rig.source(guest, {
    mode: 'post-copy',
    recoverMs: Infinity,
    onDial: () => {
      if (isDown) throw new Error('the host is down')
    },
    wrap: (channel) => {
      let preface: Preface | undefined
      const tap = new TapChannel(channel, (unit, bytes) => {
        preface ??= decodePreface(bytes)!
        return isDown ? 'lose' : onUnit(preface.role, unit, bytes)
      })
      cut.push(() => channel.destroy())
      return tap
    },
    ...settings,
  })
}

/** Power off: its guest is gone, and nothing answers any more. */
async function killDestination(): Promise<void> {
  isDown = true
  for (const one of cut) one()
  await rig.agent.abandon()
}

/** Waits until the guest runs at the destination, and its pages are slow to come. */
async function handedOver(migration: SourceMigration): Promise<void> {
  while (migration.state !== 'pushing') await setImmediate()
}

/** Slow enough for the destination to die while pages follow. */
const slow = { maxBandwidth: 1 * MIB, pauseBandwidth: 1 * MIB, fetch: 'push' } as const

/** Collects the numbers of checkpoints that the source has whole. */
function noteAcknowledged(into: number[]): OnRoleUnit {
  return (_role, { direction, name }, bytes) => {
    if (direction === 'written' && name === 'CheckpointAck') {
      const { body } = decodeMessage(FrameType.CheckpointAck, bytes.subarray(FRAME_HEADER_BYTES))
      into.push((body as CheckpointAck).number)
    }
    return 'pass'
  }
}

describe('a takeover', () => {
  it('goes on from the hand-over where nothing came back', async () => {
    const migration = await start(slow)
    const running = migration.run()
    await handedOver(migration)
    const steps = guest.steps()
    await advances({ steps: () => rig.sessions[0]!.guest!.steps!() }, 100)
    await killDestination()
    while (migration.state !== 'paused') await setImmediate()
    expect(migration.takeOver()).toEqual({ checkpoint: 0, ageMs: expect.any(Number) })
    const report = await running
    expect(report).toMatchObject({
      outcome: 'failed',
      error: { code: 'TAKEN_OVER' },
      takeover: { checkpoint: 0, steps, epoch: 2 },
    })
    expect(report.takeover!.ageMs).toBeGreaterThan(0)
    await expectReplayed(guest, steps)
  })

  it('goes on from the last whole checkpoint, and from no other', async () => {
    const acknowledged: number[] = []
    const migration = await start({
      ...slow,
      checkpointMs: 20,
      onUnit: noteAcknowledged(acknowledged),
    })
    const running = migration.run()
    await handedOver(migration)
    const steps = guest.steps()
    while (acknowledged.length < 5) await setImmediate()
    await killDestination()
    while (migration.state !== 'paused') await setImmediate()
    const untouched = guest.regions.map(({ bytes }) => bytes.slice())
    const { checkpoint } = migration.takeOver()
    expect(checkpoint).toBe(acknowledged.at(-1))
    const report = await running
    expect(report).toMatchObject({ error: { code: 'TAKEN_OVER' }, takeover: { checkpoint } })
    expect(report.checkpoints).toMatchObject({ count: acknowledged.length })
    expect(report.takeover!.steps).toBeGreaterThan(steps)
    // Only then, and not before, were its pages put in place.
    const { regions } = await replay(guest.identity, memoryBytes, [steps])
    const handedOverMemory = regions.map(({ bytes }) => bytes)
    expect(difference(untouched, handedOverMemory)).toBeUndefined()
    await expectReplayed(guest, report.takeover!.steps!)
  })

  it.each([
    ['read', 'Pages', 3],
    ['read', 'CheckpointEnd', 3],
  ] as const)('does not use a checkpoint that was cut: %s %s', async (direction, name, nth) => {
    const acknowledged: number[] = []
    const note = noteAcknowledged(acknowledged)
    let seen = 0
    const migration = await start({
      ...slow,
      checkpointMs: 20,
      onUnit: (role, unit, bytes) => {
        note(role, unit, bytes)
        if (role !== ChannelRole.Reverse || unit.name !== name) return 'pass'
        if (unit.direction !== direction || ++seen < nth) return 'pass'
        void killDestination()
        return 'lose'
      },
    })
    const running = migration.run()
    while (migration.state !== 'paused') await setImmediate()
    const last = acknowledged.at(-1) ?? 0
    expect(migration.takeOver().checkpoint).toBe(last)
    const report = await running
    expect(report.takeover!.checkpoint).toBe(last)
    expect(last).toBeLessThanOrEqual(3)
    await expectReplayed(guest, report.takeover!.steps!)
  })

  it('may follow a recovery, in which a checkpoint was lost', async () => {
    const acknowledged: number[] = []
    const note = noteAcknowledged(acknowledged)
    let isCut = false
    const migration = await start({
      ...slow,
      checkpointMs: 20,
      onUnit: (role, unit, bytes) => {
        note(role, unit, bytes)
        if (isCut || unit.name !== 'CheckpointEnd' || acknowledged.length < 2) return 'pass'
        isCut = true
        return 'lose'
      },
    })
    const running = migration.run()
    while (acknowledged.length < 6) await setImmediate()
    await killDestination()
    while (migration.state !== 'paused') await setImmediate()
    migration.takeOver()
    const report = await running
    expect(report.recoveries).toBeGreaterThanOrEqual(1)
    expect(report.takeover!.checkpoint).toBe(acknowledged.at(-1))
    await expectReplayed(guest, report.takeover!.steps!)
  })

  it('waits for the operator where the destination was started anew, or gave up', async () => {
    const acknowledged: number[] = []
    const note = noteAcknowledged(acknowledged)
    let dials = 0
    const onUnit: OnRoleUnit = (role, unit, bytes) => {
      if (unit.name === 'Preface' && unit.direction === 'read') dials++
      return note(role, unit, bytes)
    }
    const migration = await start({ ...slow, checkpointMs: 20, onUnit })
    const running = migration.run()
    while (acknowledged.length === 0) await setImmediate()
    await rig.agent.abandon()
    await rig.idle()
    while (migration.state !== 'paused') await setImmediate()
    // It is reached several times, and knows of nothing.
    dials = 0
    while (dials < 4) await setImmediate()
    while (migration.state !== 'paused') await setImmediate()
    migration.takeOver()
    const report = await running
    expect(report).toMatchObject({ error: { code: 'TAKEN_OVER' } })
    await expectReplayed(guest, report.takeover!.steps!)
  })

  it('is refused where the destination may be alive', async () => {
    const migration = await start(slow)
    const refusal = expect.objectContaining({ code: 'TOO_LATE' })
    expect(() => migration.takeOver()).toThrow(refusal)
    const running = migration.run()
    await handedOver(migration)
    expect(() => migration.takeOver()).toThrow(refusal)
    migration.limitBandwidth(Infinity)
    expect(await running).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(() => migration.takeOver()).toThrow(refusal)
  })
})

describe('a migration with checkpoints', () => {
  it.each([
    ['post-copy', undefined],
    ['hybrid', { rounds: 1 }],
  ] as const)('is as good as one without: %s', async (mode, hybrid) => {
    const acknowledged: number[] = []
    const migration = await start({
      ...slow,
      mode,
      ...(hybrid === undefined ? {} : { hybrid }),
      stop: 'max-rounds=9',
      checkpointMs: 20,
      onUnit: noteAcknowledged(acknowledged),
    })
    const running = migration.run()
    while (acknowledged.length < 3) await setImmediate()
    migration.limitBandwidth(Infinity)
    const report = await running
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await rig.idle()
    for (const { checkpoints } of [report, rig.reports[0]!]) {
      expect(checkpoints!.count).toBeGreaterThanOrEqual(3)
      expect(checkpoints!.pages).toBeGreaterThan(0)
      expect(checkpoints!.pauseMaxMs).toBeGreaterThanOrEqual(checkpoints!.pauseP50Ms)
    }
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
  })

  it.each([
    ['a mode without post-copy', { mode: 'pre-copy' }],
    ['no time to wait', { recoverMs: 0 }],
  ] as const)('is not begun with %s', async (_, settings) => {
    const usage = expect.objectContaining({ code: 'USAGE' })
    await expect(start({ checkpointMs: 20, ...settings })).rejects.toThrow(usage)
  })
})
