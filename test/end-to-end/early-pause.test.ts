/**
 * Nobody reports stores to the guest, and the last pages of a long round are still on their way:
 * the look at all of memory that its pause begins with does not wait for them.
 */
import type { Clock } from '@godwit/core'
import { MIB, systemClock } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceThread } from './fake-threads.ts'
import { sourceThreads } from './fake-threads.ts'
import { HeldChannel } from './held-channel.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
/** Of which the credit of two channels is less than a quarter. */
const pageCount = (136 * MIB) / pageBytes
const noise = randomBytes(MIB, 1)

/** All of it is noise, in memory that threads may be given. */
function createGuest(): ShadowGuest {
  const bytes = new Uint8Array(new SharedArrayBuffer(pageCount * pageBytes))
  for (let at = 0; at < bytes.length; at += noise.length) bytes.set(noise, at)
  return new ShadowGuest([bytes])
}

interface Stage {
  readonly rig: Rig
  readonly arrival: Uint8Array
  readonly settings: SourceSettings
  readonly started: readonly SourceThread[]
  /** The destination's acknowledgement of round 1 is on its way, at last. */
  readonly acknowledge: () => void
  /** What round 1 seems to take longer than it does, and how fast time goes on. */
  readonly time: { jumpMs: number; rate: number }
}

/** The destination acknowledges round 1 when it is let, and not before. */
async function setUp(hasThreads = false): Promise<Stage> {
  const arrival = new Uint8Array(pageCount * pageBytes)
  let control: HeldChannel | undefined
  const rig = await createRig(new MemoryHost({ memory: [arrival] }, 256 * MIB), {}, (channel) => {
    if (control !== undefined) return channel
    control = new HeldChannel(channel)
    return control
  })
  const time = { jumpMs: 2000, rate: 1 }
  let aheadMs = 0
  let isHeld = false
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() * time.rate + aheadMs }
  const started: SourceThread[] = []
  const settings: SourceSettings = {
    tracker: 'scan',
    clock,
    stop: 'max-rounds=1',
    onControl: ({ direction, name }) => {
      if (direction === 'read' || name !== 'RoundBegin' || isHeld) return undefined
      isHeld = true
      aheadMs = time.jumpMs
      control!.hold()
      return undefined
    },
    ...(hasThreads && { lanes: 2, startLane: sourceThreads(rig.dial, started) }),
  }
  return { rig, arrival, settings, started, acknowledge: () => control!.allow(Infinity), time }
}

/** Tells when the guest was stopped, and stores to it right before. */
function whenPaused(guest: ShadowGuest): Promise<void> {
  const pause = guest.pause.bind(guest)
  return new Promise((resolve) => {
    guest.pause = async () => {
      for (let page = 0; page < pageCount; page += 100) {
        guest.store(0, page * pageBytes, Uint8Array.of(page))
      }
      await pause()
      resolve()
    }
  })
}

describe('a guest whose last pages of a long round are on their way', () => {
  it.each([false, true])('is stopped and looked through meanwhile: %s', async (hasThreads) => {
    const guest = createGuest()
    const { rig, arrival, settings, started, acknowledge } = await setUp(hasThreads)
    const migration = await rig.source(guest, settings)
    const paused = whenPaused(guest)
    const running = migration.run()
    await paused
    expect(migration.state).toBe('acknowledging')
    acknowledge()
    const report = await running
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.stop).toMatchObject({ rule: 'max-rounds', round: 1 })
    const [first, last, ...none] = report.rounds
    expect(none).toEqual([])
    expect(first!.pages).toBe(pageCount)
    // With the time until it was acknowledged.
    expect(first!.ms).toBeGreaterThan(2000)
    expect(last).toMatchObject({ pages: Math.ceil(pageCount / 100), paused: true })
    expect(last!.scanMs).toBeGreaterThan(0)
    expect([guest.pauses, guest.resumes]).toEqual([1, 0])
    expect(started).toHaveLength(hasThreads ? 2 : 0)
    expect(difference([arrival], guest.snapshot())).toBeUndefined()
  })

  it('goes on here where the connection is lost then', async () => {
    const guest = createGuest()
    const { rig, settings } = await setUp()
    const migration = await rig.source(guest, settings)
    const paused = whenPaused(guest)
    const running = migration.run()
    await paused
    const [report] = await Promise.all([running, rig.agent.close()])
    expect(report).toMatchObject({ outcome: 'failed' })
    expect([guest.isPaused, guest.pauses, guest.resumes]).toEqual([false, 1, 1])
    await rig.idle()
    expect(rig.held()).toBe(0)
  })

  it('goes on here where somebody cancels then, and can be moved afterwards', async () => {
    const guest = createGuest()
    const { rig, arrival, settings } = await setUp()
    const migration = await rig.source(guest, settings)
    const paused = whenPaused(guest)
    const running = migration.run()
    await paused
    migration.cancel()
    const report = await running
    expect(report).toMatchObject({ outcome: 'cancelled' })
    expect([guest.isPaused, guest.pauses, guest.resumes]).toEqual([false, 1, 1])
    await rig.idle()
    const again = await rig.source(guest, { tracker: 'scan', stop: 'max-rounds=1' })
    expect(await again.run()).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference([arrival], guest.snapshot())).toBeUndefined()
  })

  it('is stopped for what was foreseen, whatever is asked for then', async () => {
    const guest = createGuest()
    const { rig, arrival, settings, acknowledge } = await setUp()
    const migration = await rig.source(guest, settings)
    const paused = whenPaused(guest)
    const running = migration.run()
    await paused
    migration.endRounds({ rule: 'timeout', numbers: { limitMs: 1 } })
    acknowledge()
    const report = await running
    expect(report).toMatchObject({ outcome: 'completed', stop: { rule: 'max-rounds' } })
    expect(report.rounds.map(({ paused: isLast }) => isLast)).toEqual([false, true])
    expect(difference([arrival], guest.snapshot())).toBeUndefined()
  })

  it('goes on where it cannot be stopped', async () => {
    const failing = createGuest()
    const { rig, settings } = await setUp()
    failing.pause = async () => {
      throw new Error('it does not stop')
    }
    const migration = await rig.source(failing, settings)
    expect(await migration.run()).toMatchObject({ outcome: 'failed' })
    expect([failing.isPaused, failing.resumes]).toEqual([false, 1])
  })

  it('is stopped when they are there, after a round too short to tell when', async () => {
    const guest = createGuest()
    const { rig, settings, acknowledge, time } = await setUp()
    Object.assign(time, { jumpMs: 0, rate: 0.001 })
    const short = await rig.source(guest, settings)
    const states: string[] = []
    const pause = guest.pause.bind(guest)
    guest.pause = async () => {
      states.push(short.state)
      await pause()
    }
    const running = short.run()
    while (short.state !== 'acknowledging') await new Promise(setImmediate)
    // Time enough for whoever would not wait.
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate)
    acknowledge()
    expect(await running).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(states).toEqual(['pausing'])
  })
})
