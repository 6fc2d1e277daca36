import type { Report } from '@godwit/core'
import { probePagemap } from '@godwit/linux'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'
import { someOf } from './variants.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

const { ok: hasPagemap } = await probePagemap()

/** What the options ask for; else the best that this machine has. */
function expectedTracker(options: readonly string[]): string {
  const asked = ['scan', 'barrier'].find((name) => options.includes(name))
  return asked ?? (hasPagemap ? 'pagemap' : 'barrier')
}

interface Run {
  readonly source: Report
  readonly destination: Report
}

/** One guest from one process to another, over loopback. */
async function migrate(guest: string, options: readonly string[]): Promise<Run> {
  const [sourceFile, destinationFile] = [freshPath('source.json'), freshPath('destination.json')]
  const brief = ['--once', '--run-for', '200ms', '--json', destinationFile]
  const destination = await startDestination(...brief)
  const isWs = options.includes('ws')
  const to = isWs ? `ws://${destination.address}` : destination.address
  const rest = options.filter((option) => option !== 'ws')
  const warmup = ['--warmup', '60ms', '--quiet', '--json', sourceFile]
  const sent = await runCommandLine('send', guest, '--to', to, ...warmup, ...rest)
  const received = await destination.process.ended
  expect(sent).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(received.stderr).toBe('')
  expect(received.code).toBe(0)
  return {
    source: readReport(sourceFile),
    destination: readReport(destinationFile),
  }
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function checkOutcome({ source, destination }: Run): void {
  for (const report of [source, destination]) {
    expect(report).toMatchObject({ schema: 'godwit.report/1', outcome: 'completed' })
    expect(report).not.toHaveProperty('error')
    expect(report.memory!.equal).toBe(true)
    expect(report.memory!.sourceDigest).toBe(report.memory!.destinationDigest)
  }
  expect([source.role, destination.role]).toEqual(['source', 'destination'])
  expect(source.sessionId).toMatch(/^[0-9a-f]{32}$/)
  expect(destination.sessionId).toBe(source.sessionId)
  expect(destination.memory).toEqual(source.memory)
  expect(destination.guest).toEqual(source.guest)
  expect(destination.memoryBytes).toBe(source.memoryBytes)
  expect(destination.pageBytes).toBe(source.pageBytes)
  expect(destination.mode).toBe(source.mode)
  expect(source.guestProof!.continuous).toBe(true)
  expect(source.guestProof!.stepsAfter).toBeGreaterThan(0)
  checkSteps(source.steps, source.guestProof!.stepsBefore)
  checkSteps(destination.steps, source.guestProof!.stepsAfter)
}

/** Whoever looks from time to time sees some of them. */
function checkSteps(samples: Report['steps'], stepsMax: number): void {
  const steps = total(samples!.map((sample) => sample.steps))
  expect(steps).toBeGreaterThan(0)
  expect(steps).toBeLessThanOrEqual(stepsMax)
}

function checkStages({ source, destination }: Run): void {
  const stages = [
    'preparation',
    'reservation',
    ...(source.mode === 'pre-copy' ? ['pre-copy'] : []),
    'stop-and-copy',
    'commit',
    'activation',
    'verification',
  ]
  expect(source.stages.map((stage) => stage.name)).toEqual([...stages, 'proof'])
  expect(destination.stages.map((stage) => stage.name)).toEqual(stages)
  for (const report of [source, destination]) {
    const moments = report.stages.map((stage) => stage.atMs)
    expect(moments).toEqual(moments.toSorted((a, b) => a - b))
    expect(moments[0]).toBeGreaterThanOrEqual(0)
  }
}

function checkTimes({ source }: Run): void {
  const { pauseMs, pagesMs, stateMs, resumeMs } = source.downtime!
  for (const part of [pauseMs, pagesMs, stateMs, resumeMs]) expect(part).toBeGreaterThan(0)
  expect(pauseMs + pagesMs + stateMs + resumeMs).toBeCloseTo(source.downtimeMs!, 3)
  expect(source.totalMs!).toBeGreaterThanOrEqual(total(source.rounds.map((round) => round.ms)))
  expect(source.reservationMs).toBeGreaterThan(0)
  expect(source.verifyMs).toBeGreaterThan(0)
  for (const side of ['sourceSeconds', 'destinationSeconds'] as const) {
    expect(source.cpu![side]).toBeGreaterThan(0)
  }
  expect(source.overheadBytes!.source).toBeGreaterThanOrEqual(0)
  expect(source.overheadBytes!.destination).toBeGreaterThanOrEqual(0)
}

function checkRounds({ source, destination }: Run): void {
  const { rounds, memoryBytes, pageBytes } = source
  expect(rounds.map((round) => round.round)).toEqual(rounds.map((_, index) => index + 1))
  expect(rounds.map((round) => round.paused)).toEqual(
    rounds.map((_, index) => index === rounds.length - 1),
  )
  expect(rounds[0]!.pages).toBe(Math.ceil(memoryBytes! / pageBytes!))
  if (source.mode === 'stop-copy') expect(rounds).toHaveLength(1)
  else expect(rounds.length).toBeGreaterThan(1)
  expect(destination.rounds.map((round) => round.pages)).toEqual(rounds.map((round) => round.pages))
}

function checkCounters({ source, destination }: Run): void {
  const { raw, zero, unchanged } = source.pages!
  expect(raw + zero + unchanged).toBe(total(source.rounds.map((round) => round.pages)))
  expect(destination.pages).toEqual(source.pages)
  expect(destination.wireBytes).toBe(source.wireBytes)
  const payload = source.sentBytes! + source.resentBytes!
  // Raw pages travel whole, but for the last one, which may be short: once in a round at most.
  const short = source.memoryBytes! % source.pageBytes!
  const missing = raw * source.pageBytes! - payload
  const lacking = short === 0 ? 0 : source.pageBytes! - short
  expect(missing).toBeGreaterThanOrEqual(0)
  expect(missing).toBeLessThanOrEqual(lacking * source.rounds.length)
  expect(lacking === 0 ? missing : missing % lacking).toBe(0)
  expect(destination.rounds.map((round) => round.bytes)).toEqual(
    source.rounds.map((round) => round.bytes),
  )
  const frames = total(source.rounds.map((round) => round.bytes))
  expect(frames).toBeGreaterThan(payload)
  expect(source.wireBytes).toBeGreaterThan(frames)
  expect(source.wireBytes - payload).toBeLessThan(16_384 + 0.01 * source.memoryBytes!)
  if (source.rounds.length > 1) return
  expect(source.resentBytes).toBe(0)
  expect(source.sentBytes! + source.savedBytes!['zero']!).toBe(source.memoryBytes)
}

function checkRun(run: Run): void {
  checkOutcome(run)
  checkStages(run)
  checkTimes(run)
  checkRounds(run)
  checkCounters(run)
}

const odd = String(10 * 1024 * 1024 + 5000)
const image = `image,file=${process.execPath}`

const preCopies: [string, ...string[]][] = [
  ['idle', '--memory', odd],
  ['cpu', '--memory', '8MiB', 'ws'],
  ['memory-read,rate=20000', '--memory', '8MiB', '--page-bytes', '16KiB'],
  ['memory-write,wss=1MiB,rate=5000', '--memory', odd, '--page-bytes', '16KiB'],
  ['kcs,wss=2MiB,rate=20000', '--memory', odd],
  ['disk,size=8MiB,wss=2MiB,rate=5000', '--memory', '8MiB'],
  ['ikcs,wss=2MiB,busy=50ms,pause=50ms', '--memory', '16MiB', 'ws'],
  ['writer,wss=4MiB,rate=20000', '--memory', '16MiB', '--stop', 'max-rounds=5'],
  ['writer,wss=2MiB,rate=5000,style=page', '--memory', odd, '--tracker', 'scan', 'ws'],
  ['writer,wss=4MiB,threads=2,order=rand', '--memory', '16MiB', '--hash', 'sha256'],
  ['writer,wss=4MiB', '--memory', '16MiB', '--tracker', 'barrier', '--hash', 'xxh64'],
  ['writer,wss=1MiB,rate=5000', '--memory', '8MiB', '--verify', 'sha256', '--encode', 'raw'],
  ['writer,wss=1MiB,style=page,threads=2', '--memory', odd, '--page-bytes', '64KiB', 'ws'],
]

describe('pre-copy between two processes', () => {
  it.each(someOf(preCopies))('moves %s %s %s %s %s %s %s', async (guest, ...options) => {
    const run = await migrate(guest, options)
    checkRun(run)
    expect(run.source.mode).toBe('pre-copy')
    expect(run.source.tracker).toBe(expectedTracker(options))
    expect(['downtime', 'max-rounds', 'few-dirty']).toContain(run.source.stop!.rule)
  })

  it('moves memory full of a real file', async () => {
    const run = await migrate(image, [])
    checkRun(run)
    expect(run.source.memoryBytes).toBeGreaterThan(64 * 1024 * 1024)
  })
})

const stopCopies: [string, ...string[]][] = [
  ['idle', '--memory', '8MiB', 'ws', '--verify', 'sha256'],
  ['cpu', '--memory', odd],
  ['memory-read,rate=20000', '--memory', '8MiB', '--hash', 'sha256'],
  ['memory-write,wss=1MiB,rate=5000', '--memory', '8MiB', 'ws'],
  ['writer,wss=4MiB,rate=20000', '--memory', odd, '--page-bytes', '16KiB'],
  ['writer,wss=1MiB,style=page', '--memory', '8MiB', '--encode', 'raw'],
  ['writer,wss=4MiB,threads=2', '--memory', '16MiB', '--tracker', 'scan'],
]

describe('stop-copy between two processes', () => {
  it.each(someOf(stopCopies))('moves %s %s %s %s %s %s', async (guest, ...options) => {
    const run = await migrate(guest, ['--mode', 'stop-copy', ...options])
    checkRun(run)
    expect(run.source.mode).toBe('stop-copy')
    // The pause comes before the round.
    expect(run.source.totalMs).toBe(run.source.downtimeMs)
    expect(run.source.stop).toEqual({ rule: 'mode' })
    const isRaw = options.includes('raw')
    expect(run.source.sentBytes === run.source.memoryBytes).toBe(isRaw)
    expect(run.source.encoders).toEqual(isRaw ? ['raw'] : ['zero', 'unchanged'])
  })
})

describe('a demand for less', () => {
  it('verifies nothing when told so, and still proves the computation', async () => {
    const run = await migrate('writer,wss=1MiB', ['--memory', '8MiB', '--verify', 'none'])
    expect(run.source.memory).toBeUndefined()
    expect(run.source.guestProof).toMatchObject({ continuous: true })
    expect(run.source.stages.map((stage) => stage.name)).not.toContain('verification')
  })
})
