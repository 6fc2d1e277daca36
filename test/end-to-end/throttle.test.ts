/**
 * Guests that lose time while they dirty too much: in the rounds, and never after them.
 */
import type { Report } from '@godwit/core'
import { GodwitError, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { ThrottlePolicy, ThrottleStatistics } from '@godwit/policy'
import { parseEncode, parseThrottle } from '@godwit/policy'
import type { SourceMigration } from '@godwit/source'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'

const stepsPerSecond = 10_000
let guest: WorkloadGuest
let rig: Rig

afterEach(async () => {
  vi.restoreAllMocks()
  await guest.stop()
  for (const session of rig.sessions) await session.guest?.discard()
})

async function begin(memoryBytes: number, wss: string): Promise<void> {
  const spec = `writer,wss=${wss},rate=${stepsPerSecond},content=0/0/0/100`
  guest = await WorkloadGuest.start(parseGuest(spec, memoryBytes).identity, memoryBytes)
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
}

/** Takes these shares after rounds 1, 2, ..., and notes what it was told. */
function scripted(shares: readonly number[]) {
  const seen: ThrottleStatistics[] = []
  const throttle: ThrottlePolicy = {
    name: 'scripted',
    setting: 'scripted',
    next: (_share, statistics) => shares[seen.push(statistics) - 1]!,
  }
  return { throttle, seen }
}

/** At 1 % of its time it would take half a minute. */
async function expectUnthrottled(who: { steps?(): number }): Promise<void> {
  const beginMs = performance.now()
  await advances(who, 0.3 * stepsPerSecond)
  expect(performance.now() - beginMs).toBeLessThan(10_000)
}

/** Shares in the order in which the guest was told. */
function sharesOf(told: { mock: { calls: unknown[][] } }): unknown[] {
  return told.mock.calls.map(([share]) => share)
}

describe('in the rounds', () => {
  it('the guest loses what the policy says; it arrives with all of its time', async () => {
    await begin(4 * MIB, '1MiB')
    const told = vi.spyOn(guest, 'throttle')
    const { throttle, seen } = scripted([0.5, 0.99])
    const migration = await rig.source(guest, { throttle, stop: 'max-rounds=3' })
    const report = await migration.run()
    expect(sharesOf(told)).toEqual([0.5, 0.99, 0])
    expect(report.rounds.map((round) => round.throttle)).toEqual([0, 0.5, 0.99, undefined])
    expect(report).toMatchObject({ outcome: 'completed', policies: { throttle: 'scripted' } })
    expect(migration.progress.throttle).toBe(0)
    expect(seen).toEqual(
      report.rounds.slice(0, 2).map(({ bytes, dirtyPages, dirtyRate, ms }) => ({
        sentBytes: bytes,
        dirtyBytes: dirtyPages! * 4096,
        dirtyRate,
        ms,
      })),
    )
    await rig.idle()
    const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
    await expectUnthrottled(arrived)
    await expectContinuous(arrived, guest.identity, guest.steps())
  })

  it('progress tells what it loses', async () => {
    await begin(4 * MIB, '1MiB')
    const { throttle } = scripted([0.3])
    const shares = new Set<number>()
    let migration: SourceMigration | undefined
    const onControl = () => {
      shares.add(migration?.progress.throttle ?? 0)
      return 'pass' as const
    }
    migration = await rig.source(guest, { throttle, onControl })
    await migration.run()
    expect([...shares]).toEqual([0, 0.3])
  })
})

type How = 'cancel' | 'cut' | 'pause' | 'state'
const hows: How[] = ['cancel', 'cut', 'pause', 'state']

describe('a migration that comes to nothing', () => {
  it.each(hows)('gives the guest its time back: %s', async (how) => {
    await begin(4 * MIB, '1MiB')
    const told = vi.spyOn(guest, 'throttle')
    const report = await fail(how)
    expect(report.outcome).toBe(how === 'cancel' ? 'cancelled' : 'failed')
    expect(sharesOf(told)).toEqual([0.99, 0])
    await expectUnthrottled(guest)
  })

  /** After round 2, in which the guest had 1 % of its time, or in the pause. */
  async function fail(how: How): Promise<Report> {
    let migration: SourceMigration | undefined
    let rounds = 0
    const settings: SourceSettings = {
      throttle: scripted([0.99]).throttle,
      onControl({ name }) {
        if (name !== 'RoundEnd' || ++rounds !== 2) return 'pass'
        if (how === 'cancel') migration!.cancel()
        return how === 'cut' ? 'cut' : 'pass'
      },
    }
    const broken = new GodwitError('GUEST_FAILED', 'no such guest')
    if (how === 'pause') vi.spyOn(guest, 'pause').mockRejectedValueOnce(broken)
    if (how === 'state') {
      vi.spyOn(guest, 'captureState').mockImplementationOnce(() => {
        throw broken
      })
    }
    migration = await rig.source(guest, settings)
    return migration.run()
  }
})

describe('a guest whose throttle fails', () => {
  const broken = (): never => {
    throw new Error('no\ntimer')
  }

  it('always: the migration ends, and says that the guest may still lose time', async () => {
    await begin(4 * MIB, '1MiB')
    const told = vi.spyOn(guest, 'throttle').mockImplementation(broken)
    const { throttle } = scripted([0.5])
    const report = await (await rig.source(guest, { throttle })).run()
    expect(sharesOf(told)).toEqual([0.5, 0])
    expect(report).toMatchObject({
      outcome: 'failed',
      error: { code: 'GUEST_FAILED', phase: 'pre-copy' },
    })
    expect(report.error!.text).toMatch(/^The guest may still lose time: throttle 0: no/)
    await expectUnthrottled(guest)
  })

  it.each([
    ['when time is taken', [0.5], 0.5, [0.5, 0]],
    ['when it is given back', [0.5], 0, [0.5, 0, 0]],
  ] as const)('once: %s', async (_, shares, bad, expected) => {
    await begin(4 * MIB, '1MiB')
    const take = guest.throttle.bind(guest)
    let failures = 0
    const told = vi.spyOn(guest, 'throttle').mockImplementation((share) => {
      take(share)
      if (share === bad && failures++ === 0) broken()
    })
    const report = await (await rig.source(guest, { throttle: scripted(shares).throttle })).run()
    expect(sharesOf(told)).toEqual(expected)
    expect(report.outcome).toBe('failed')
    expect(report.error).toMatchObject({ code: 'GUEST_FAILED' })
    expect(report.error!.text).toMatch(new RegExp(`^throttle ${bad}: no`))
    await expectUnthrottled(guest)
  })
})

describe('by name', () => {
  it('auto-converge takes more and more while too much is dirty', async () => {
    await begin(4 * MIB, '1MiB')
    // A link that carries a tenth of what the guest dirties.
    const slow = { maxBandwidth: 8 * MIB, stop: 'max-rounds=4' }
    const throttle = parseThrottle('auto-converge,start=60,step=15')
    const report = await (await rig.source(guest, { throttle, ...slow })).run()
    const shares = report.rounds.map((round) => round.throttle)
    const expected = report.rounds.map((_, index) => shareAfter(report, throttle, index))
    expect(shares.slice(0, -1)).toEqual(expected.slice(0, -1))
    expect(shares.at(-2)).toBeGreaterThan(0)
  })

  it('dirty-limit brings a writer that mostly sleeps below its quota', async () => {
    // 41 MB/s, by a thread that is busy for some hundredths of its time.
    await begin(16 * MIB, '12MiB')
    const quota = 8e6
    const throttle = parseThrottle('dirty-limit,rate=8MB')
    // Round 1 is so short that few pages are dirtied twice, later ones long enough to measure.
    const grant = ({ round }: { round: number }): number => (round === 1 ? 80e6 : 10e6)
    const bandwidth = { name: 'steps', setting: 'steps', measuresLink: false, grant }
    const fast = { pauseBandwidth: 80e6, encode: parseEncode('raw') }
    const settings = { throttle, bandwidth, ...fast, stop: 'max-rounds=4' }
    const { rounds } = await (await rig.source(guest, settings)).run()
    expect(rounds[0]!.dirtyRate).toBeGreaterThan(2 * quota)
    // On a machine that has better things to do it may be more than the quota for a while.
    expect(rounds[2]!.dirtyRate).toBeLessThan(2 * quota)
    expect(rounds[3]!.dirtyRate).toBeLessThan(2 * quota)
    expect(rounds[3]!.throttle).toBeGreaterThan(0.5)
    expect(rounds[3]!.throttle).toBeLessThan(0.95)
  })
})

/** By hand: of the round before, what it had then. */
function shareAfter({ rounds }: Report, policy: ThrottlePolicy, index: number): number {
  if (index === 0) return 0
  const { bytes, dirtyPages = 0, dirtyRate = 0, ms } = rounds[index - 1]!
  const before = shareAfter({ rounds } as Report, policy, index - 1)
  return policy.next(before, { sentBytes: bytes, dirtyBytes: dirtyPages * 4096, dirtyRate, ms })
}

it('a guest that cannot be throttled is refused', async () => {
  await begin(4 * MIB, '1MiB')
  const settings = { throttle: parseThrottle('auto-converge') }
  const { identity, regions } = guest
  const rigid = {
    identity,
    regions,
    pause: () => guest.pause(),
    resume: () => guest.resume(),
    captureState: () => guest.captureState(),
  }
  await expect(rig.source(rigid, { ...settings, tracker: 'scan' })).rejects.toMatchObject({
    code: 'USAGE',
    message: 'throttle auto-converge: guest writer has no throttle',
  })
})
