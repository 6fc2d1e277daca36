/**
 * `--timeout`: what is done when the time is over, wherever the migration is then.
 */
import type { MigrationMode, Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import type { TimeoutAction } from '@godwit/policy'
import { parseEncode } from '@godwit/policy'
import type { SourceMigration } from '@godwit/source'
import { runWithin } from '@godwit/source'
import { FakeClock } from '@godwit/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { sourceThreads } from './fake-threads.ts'
import { advances, expectContinuous } from './oracle.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'
import { lookingAt } from './looks.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'

const memoryBytes = 4 * MIB
const pageCount = memoryBytes / 4096
const limitMs = 5000
let guest: WorkloadGuest
let rig: Rig
let clock: FakeClock

beforeEach(async () => {
  const spec = `writer,wss=${512 * KIB},rate=20000,content=10/30/20/40`
  const { identity } = parseGuest(spec, memoryBytes)
  guest = await WorkloadGuest.start(identity, memoryBytes)
  rig = await createRig(new WorkloadHost({ memoryBytesMax: memoryBytes }))
  clock = new FakeClock()
})
afterAll(endCommandLines)
afterEach(async () => {
  vi.restoreAllMocks()
  await guest.stop()
  for (const session of rig.sessions) await session.guest?.discard()
  await endProcesses()
})

type StateName = SourceMigration['state']

/** Where time runs out: at the first frame that is seen in this state, or in round n there. */
interface Moment {
  readonly state: StateName
  readonly frame?: string
}

/** One migration whose time is over at that moment. */
async function moveInTime(
  action: TimeoutAction,
  { state, frame }: Moment,
  settings: SourceSettings = {},
): Promise<Report> {
  let isOver = false
  let migration: SourceMigration | undefined
  const looks = lookingAt(guest, (unit) => {
    if (isOver || migration?.state !== state) return
    if (frame !== undefined && unit?.name !== frame) return
    isOver = true
    clock.advance(limitMs)
  })
  migration = await rig.source(guest, { clock, stop: 'max-rounds=30', ...looks, ...settings })
  const report = await runWithin(migration, { ms: limitMs, action }, clock)
  expect(isOver).toBe(true)
  expect(clock.timerCount).toBe(0)
  return report
}

async function expectMoved(report: Report): Promise<void> {
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await rig.idle()
  const arrived = rig.sessions.at(-1)!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
}

const timedOut = { rule: 'timeout', limitMs, elapsedMs: limitMs }
const pagesOf = (report: Report): number[] => report.rounds.map(({ pages }) => pages)

describe('cancel', () => {
  it.each<Moment & { mode?: MigrationMode }>([
    { state: 'reserving' },
    { state: 'sending', frame: 'Pages' },
    { state: 'preparing' },
    { state: 'capturing', mode: 'stop-copy' },
    { state: 'discarding', mode: 'post-copy' },
  ])('lets the guest go on here: %o', async ({ mode = 'pre-copy', ...moment }) => {
    const report = await moveInTime('cancel', moment, { mode })
    expect(report).toMatchObject({ outcome: 'cancelled', stop: timedOut })
    const text = 'The migration was cancelled: it took longer than 5.00 s'
    expect(report.error).toMatchObject({ code: 'CANCELLED', text: expect.stringContaining(text) })
    await advances(guest)
    await rig.idle()
    expect([rig.held(), rig.runs()]).toEqual([0, 0])
  })

  it.each<Moment & { mode?: MigrationMode }>([
    { state: 'released' },
    { state: 'verifying' },
    { state: 'pushing', mode: 'post-copy' },
    { state: 'pushed', mode: 'hybrid' },
  ])('does nothing after the hand-over: %o', async ({ mode = 'pre-copy', ...moment }) => {
    const report = await moveInTime('cancel', moment, { mode, hybrid: { rounds: 1 } })
    expect(report.stop?.rule).not.toBe('timeout')
    await expectMoved(report)
  })
})

describe('stop', () => {
  it.each<{ encode?: string; lanes?: number; isThread?: true }>([
    {},
    { encode: 'raw' },
    { encode: 'auto', lanes: 2 },
    { encode: 'same,delta,zstd', lanes: 3, isThread: true },
  ])('cuts a round short; the rest goes in the pause: %o', async (how) => {
    const { encode = 'none', lanes = 1, isThread } = how
    const startLane = sourceThreads(() => rig.dial(), [])
    const report = await moveInTime(
      'stop',
      // Threads have channels of their own, which nobody sees: they go on a little.
      isThread ? { state: 'sending' } : { state: 'sending', frame: 'Pages' },
      { encode: parseEncode(encode), lanes, ...(isThread ? { startLane } : {}) },
    )
    expect(report.stop).toEqual(timedOut)
    const pages = pagesOf(report)
    expect(pages).toHaveLength(2)
    expect(pages[0]).toBeLessThan(pageCount)
    expect(pages[0]! + pages[1]!).toBeGreaterThanOrEqual(pageCount)
    await expectMoved(report)
  })

  it.each<Moment>([{ state: 'idle' }, { state: 'reserving' }])(
    'before the first round leaves everything to the pause: %o',
    async (moment) => {
      const report = await moveInTime('stop', moment)
      expect(report.stop).toEqual(timedOut)
      expect(pagesOf(report)).toEqual([0, pageCount])
      await expectMoved(report)
    },
  )

  it.each<Moment>([{ state: 'acknowledging' }, { state: 'deciding' }])(
    'between rounds is followed by the last one: %o',
    async (moment) => {
      const report = await moveInTime('stop', moment)
      expect(report.stop).toEqual(timedOut)
      expect(pagesOf(report)).toEqual([pageCount, expect.any(Number)])
      await expectMoved(report)
    },
  )

  it('sends what was kept back for post-copy, too', async () => {
    const report = await moveInTime(
      'stop',
      { state: 'reserving' },
      { mode: 'hybrid', hybrid: { workingSetMs: 1000, rounds: 9 } },
    )
    expect(report.stop).toEqual(timedOut)
    expect(report.rounds.at(-1)!.paused).toBe(true)
    await expectMoved(report)
  })

  it('does nothing once the rounds are over', async () => {
    const report = await moveInTime('stop', { state: 'pausing' }, { stop: 'max-rounds=1' })
    expect(report.stop?.rule).toBe('max-rounds')
    await expectMoved(report)
  })
})

describe('post-copy', () => {
  it.each<Moment>([{ state: 'opening' }, { state: 'sending', frame: 'Pages' }])(
    'comes after the round that is going on: %o',
    async (moment) => {
      const report = await moveInTime('post-copy', moment, { mode: 'hybrid' })
      expect(report.stop).toEqual({ ...timedOut, round: 1 })
      expect(report.rounds[0]).toMatchObject({ round: 1, pages: pageCount })
      expect(report.rounds.some(({ paused }) => paused)).toBe(false)
      await expectMoved(report)
    },
  )
})

describe('godwit send --timeout', () => {
  const slow = ['--memory', '32MiB', '--warmup', '20ms', '--max-bandwidth', '20Mbit', '--quiet']

  it('stop: a round of many seconds gives way to the pause', async () => {
    const destination = await startDestination('--once', '--run-for', '200ms')
    const file = freshPath('report.json')
    const options = [...slow, '--pause-bandwidth', '10Gbit', '--json', file]
    const guestSpec = 'writer,wss=1MiB,rate=100,content=0/0/0/100'
    const to = ['--to', destination.address]
    const ended = await runCommandLine(
      'send',
      guestSpec,
      ...to,
      ...options,
      '--timeout',
      '400ms:stop',
    )
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    const report = readReport(file)
    expect(report).toMatchObject({
      stop: { rule: 'timeout', limitMs: 400 },
      memory: { equal: true },
      guestProof: { continuous: true },
    })
    // At the cap the round would have taken 13 s: most pages came later.
    expect(report.rounds).toHaveLength(2)
    expect(report.rounds[0]!.pages).toBeLessThan(report.rounds[1]!.pages)
  })

  it('cancel, which T alone means: the guest goes on here', async () => {
    const destination = await startDestination()
    const file = freshPath('report.json')
    const options = [...slow, '--to', destination.address, '--json', file, '--timeout', '300ms']
    const ended = await runCommandLine(
      'send',
      'writer,content=0/0/0/100',
      ...options,
      '--retry',
      '3',
    )
    expect(ended.code).toBe(3)
    expect(ended.stderr).toBe(
      'godwit: CANCELLED: The migration was cancelled: it took longer than 300 ms\n',
    )
    expect(readReport(file)).toMatchObject({ outcome: 'cancelled', stop: { rule: 'timeout' } })
  })

  it.each<[string[], RegExp]>([
    [['--timeout', '1s:later'], /"1s:later" is not T or T:ACTION .* post-copy, stop, cancel/],
    [['--timeout', '1s:post-copy'], /needs mode hybrid: mode pre-copy/],
    [['--timeout', '1s:stop', '--mode', 'post-copy'], /needs a mode with rounds/],
  ])('is refused before anything is begun: %j', async (options, text) => {
    const ended = await runCommandLine('send', 'idle', '--to', '127.0.0.1:9', '--quiet', ...options)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/^godwit: USAGE: timeout: [^\n]+\n$/)
    expect(ended.stderr).toMatch(text)
  })
})
