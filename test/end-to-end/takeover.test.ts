/**
 * A destination that dies in post-copy, and the guest goes on at the source.
 */
import { setImmediate } from 'node:timers/promises'
import { KIB, MIB } from '@godwit/core'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { SourceMigration } from '@godwit/source'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { advances, expectReplayed } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { TapChannel } from './tap.ts'

const memoryBytes = 2 * MIB
const spec = `writer,wss=${512 * KIB},rate=20000,content=0/30/20/50`
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

function start(settings: SourceSettings): Promise<SourceMigration> {
  return rig.source(guest, {
    mode: 'post-copy',
    recoverMs: Infinity,
    onDial: () => {
      if (isDown) throw new Error('the host is down')
    },
    wrap: (channel) => {
      const tap = new TapChannel(channel, () => (isDown ? 'lose' : 'pass'))
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
