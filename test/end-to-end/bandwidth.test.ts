/**
 * Caps on bandwidth round by round: what policies grant is in force, and in the report.
 */
import type { Report, RoundReport } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { BandwidthPolicy, BandwidthStatistics } from '@godwit/policy'
import { parseBandwidth } from '@godwit/policy'
import type { SourceMigration } from '@godwit/source'
import { createMigration } from 'godwit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sourceThreads } from './fake-threads.ts'
import { expectContinuous } from './oracle.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'

const memoryBytes = 8 * MIB
let guest: WorkloadGuest
let rig: Rig

async function start(kind: string): Promise<void> {
  const { identity } = parseGuest(`${kind},content=0/0/0/100`, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
}

beforeEach(async () => {
  await start('writer,wss=2MiB,rate=5000')
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
})
afterEach(async () => {
  await guest.stop()
  for (const session of rig.sessions) await session.guest?.discard()
})

async function expectMoved(report: Report): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await rig.idle()
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

/** Grants these, round by round, and notes what it was told of each at last. */
function scripted(rates: readonly number[], measuresLink = false) {
  const seen: BandwidthStatistics[] = []
  const bandwidth: BandwidthPolicy = {
    name: 'scripted',
    setting: 'scripted,rates=here',
    measuresLink,
    grant: (statistics) => {
      seen[statistics.round - 1] = statistics
      return rates[statistics.round - 1]!
    },
  }
  return { bandwidth, seen }
}

const grants = ({ rounds }: Report) => rounds.map(({ grantedBandwidth }) => grantedBandwidth)

/** What is in force may be exceeded by 5 %, and by what is sent without a wait at first. */
function expectWithin(round: RoundReport): void {
  const cap = round.grantedBandwidth!
  const grainBytes = 0.02 * cap
  expect(round.bytes).toBeLessThanOrEqual((1.05 * cap * round.ms) / 1e3 + grainBytes)
}

describe('a policy', () => {
  const rates = [16 * MIB, 4 * MIB, 8 * MIB, 32 * MIB]

  it.each([
    { lanes: 1, threads: false },
    { lanes: 2, threads: false },
    { lanes: 2, threads: true },
  ])('has its way in every round: %o', async ({ lanes, threads }) => {
    const { bandwidth, seen } = scripted(rates)
    const startLane = sourceThreads(() => rig.dial(), [])
    const more: SourceSettings = threads ? { lanes, startLane } : { lanes }
    const settings = { ...more, bandwidth, stop: 'max-rounds=3' }
    const report = await (await rig.source(guest, settings)).run()
    expect(grants(report)).toEqual(rates)
    for (const round of report.rounds) expectWithin(round)
    expect(report.policies).toMatchObject({ bandwidth: 'scripted,rates=here' })
    await expectMoved(report)
    const dirtyRates = report.rounds.slice(0, 3).map(({ dirtyRate }) => dirtyRate!)
    expect(seen).toEqual(
      [0, 1, 2, 3].map((rounds) => ({
        round: rounds + 1,
        isLast: rounds === 3,
        dirtyRates: dirtyRates.slice(0, rounds),
        usedByOthers: 0,
      })),
    )
  })

  it('knows what others send, and tells what this migration has sent', async () => {
    const { bandwidth, seen } = scripted(Array<number>(3).fill(1e9), true)
    const own: number[] = []
    const linkUse = { usedByOthers: (bytes: number) => own.push(bytes) * 1000 }
    const report = await (await rig.source(guest, { bandwidth, linkUse })).run()
    expect(seen.map(({ usedByOthers }) => usedByOthers)).toEqual([1000, 2000, 3000])
    expect(own[0]).toBeLessThan(1000)
    expect(own[1]).toBeGreaterThan(report.rounds[0]!.bytes)
    expect(own[2]! - own[1]!).toBeGreaterThan(report.rounds[1]!.bytes)
    await expectMoved(report)
  })

  it.each([
    'clark,min=100Mbit,max=1Gbit',
    'bda,link=400Mbit,used=0',
    'bda-smooth,link=400Mbit,used=0',
  ])('by name: %s', async (text) => {
    const bandwidth = parseBandwidth(text)
    const report = await (await rig.source(guest, { bandwidth, stop: 'max-rounds=4' })).run()
    const { rounds } = report
    const rates = rounds.map(({ dirtyRate = 0 }) => dirtyRate)
    const expected = rounds.map(({ round, paused }) =>
      bandwidth.grant({
        round,
        isLast: paused,
        dirtyRates: rates.slice(0, round - 1),
        usedByOthers: 0,
      }),
    )
    expect(grants(report)).toEqual(expected)
    for (const round of rounds) expectWithin(round)
    await expectMoved(report)
  })

  it('is bounded by the cap on bandwidth', async () => {
    const { bandwidth } = scripted([2 * MIB, 64 * MIB, 64 * MIB])
    const report = await (await rig.source(guest, { bandwidth, maxBandwidth: 32 * MIB })).run()
    expect(grants(report)).toEqual([2 * MIB, 32 * MIB, 32 * MIB])
    await expectMoved(report)
  })
})

/** Sets a cap as soon as pages are under way. */
async function runSetting(settings: SourceSettings, bytesPerSecond: number): Promise<Report> {
  let migration: SourceMigration | undefined
  migration = await rig.source(guest, {
    ...settings,
    onData: ({ name }) => {
      if (name === 'Pages') migration!.limitBandwidth(bytesPerSecond)
      return 'pass'
    },
  })
  return migration.run()
}

describe('a cap that is set while the migration goes on', () => {
  it('takes the place of a policy, to the end', async () => {
    // Round 1 would take eight seconds thousand times.
    const { bandwidth } = scripted([1000, 1000, 1000])
    const report = await runSetting({ bandwidth }, 40 * MIB)
    expect(grants(report)).toEqual([40 * MIB, 40 * MIB, 40 * MIB])
    await expectMoved(report)
  })

  it('is none at all where that is wanted, and leaves the cap of the pause', async () => {
    const { bandwidth } = scripted([1000, 1000, 1000])
    const report = await runSetting({ bandwidth, pauseBandwidth: 48 * MIB }, Infinity)
    expect(grants(report)).toEqual([undefined, undefined, 48 * MIB])
    await expectMoved(report)
  })
})

describe('a cap of nothing', () => {
  it.each([0, -1, Number.NaN])('is refused before anything is begun: %d', async (no) => {
    for (const name of ['maxBandwidth', 'pauseBandwidth', 'postCopyBandwidth']) {
      const migration = createMigration(guest, { to: '127.0.0.1:9', [name]: no })
      await expect(migration).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(`${name} is to be above 0 bytes per second, not ${no}`),
      })
    }
  })

  it.each([0, Number.NaN])('and while a migration goes on, which goes on: %d', async (no) => {
    const migration = await rig.source(guest, { maxBandwidth: 40 * MIB })
    const usage = expect.objectContaining({ code: 'USAGE' })
    expect(() => migration.limitBandwidth(no)).toThrow(usage)
    const report = await migration.run()
    expect(grants(report)).toEqual([40 * MIB, 40 * MIB, 40 * MIB])
    await expectMoved(report)
  })
})

describe('post-copy', () => {
  const hybrid = { mode: 'hybrid', hybrid: { rounds: 1 }, fetch: 'push' } as const

  it('has a cap of its own', async () => {
    const caps = { maxBandwidth: 64 * MIB, pauseBandwidth: 1000, postCopyBandwidth: 4 * MIB }
    const report = await (await rig.source(guest, { ...hybrid, ...caps })).run()
    expect(grants(report)).toEqual([64 * MIB, 4 * MIB])
    await expectMoved(report)
  })

  it('is held to it where the guest waits for nothing', async () => {
    await guest.stop()
    await start('idle')
    const caps = { maxBandwidth: 1000, postCopyBandwidth: 16 * MIB }
    const report = await (await rig.source(guest, { mode: 'post-copy', ...caps })).run()
    expect(grants(report)).toEqual([16 * MIB])
    expect(report.rounds[0]!.bytes).toBeGreaterThan(memoryBytes)
    expectWithin(report.rounds[0]!)
    await expectMoved(report)
  })

  it('has what a policy grants to the last round, where it has none', async () => {
    const { bandwidth, seen } = scripted([64 * MIB, 16 * MIB])
    const report = await (await rig.source(guest, { ...hybrid, bandwidth })).run()
    expect(grants(report)).toEqual([64 * MIB, 16 * MIB])
    expect(seen.map(({ isLast }) => isLast)).toEqual([false, true])
    await expectMoved(report)
  })
})

it('nothing is granted where nothing is capped', async () => {
  const report = await (await rig.source(guest)).run()
  expect(grants(report)).toEqual([undefined, undefined, undefined])
  expect(report.policies).not.toHaveProperty('bandwidth')
})
