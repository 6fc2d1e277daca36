import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Destination, GodwitProcess } from './process.ts'
import {
  askControl,
  endOthers,
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

/** Serves several tests, one after another. */
let shared: (Destination & { control: string }) | undefined
afterEach(() => (shared === undefined ? endProcesses() : endOthers(shared.process)))
afterAll(endProcesses)

interface Sending {
  readonly source: GodwitProcess
  readonly control: string
  readonly report: string
}

/** A guest that would take for ever to arrive: rounds and rounds of it. */
function startEndless(to: string, ...options: string[]): Sending {
  const [control, report] = [freshPath('source.sock'), freshPath('source.json')]
  // Rounds of a few pages each: what they cost is not what matters.
  const guest = ['writer,wss=1MiB,rate=1000,order=rand', '--memory', '2MiB', '--warmup', '20ms']
  const stop = options.includes('--stop') ? [] : ['--stop', 'max-rounds=1000000']
  const files = ['--max-bandwidth', '10MB', '--control', control, '--json', report]
  const source = startGodwit('send', ...guest, '--to', to, ...stop, ...files, ...options)
  return { source, control, report }
}

function sessionsOf(status: Record<string, unknown>): { stage: string; round: number }[] {
  return status['sessions'] as { stage: string; round: number }[]
}

async function startWatched(listen = '127.0.0.1:0'): Promise<Destination & { control: string }> {
  const control = freshPath('destination.sock')
  return { ...(await startDestination('--control', control, '--listen', listen)), control }
}

/** That nobody is given for a connection of his own while nobody listens at it. */
async function lastingAddress(): Promise<string> {
  const [first, last] = [20_000, 32_000]
  const server = createServer()
  for (;;) {
    const port = first + Math.floor(Math.random() * (last - first))
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return `127.0.0.1:${port}`
  }
}

/** The guest of a source is alive: its steps go on. */
async function expectSteps(control: string): Promise<void> {
  const { steps } = await askControl(control, 'status')
  await statusWhen(control, (status) => Number(status['steps']) > Number(steps))
}

describe('a destination that is killed', () => {
  it('while it reserves memory: the source fails with its guest alive', async () => {
    const { process: destination, address, control } = await startWatched()
    const { source, report } = startEndless(address)
    await statusWhen(control, (status) => sessionsOf(status).length > 0)
    destination.signal('SIGKILL')
    const ended = await source.ended
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^godwit: CONNECTION_LOST: /m)
    expect(ended.stderr).toMatch(/^the guest went on here \(step [\d,]+\)/m)
    expect(readReport(report)).toMatchObject({ outcome: 'failed', role: 'source' })
  })

  it('in a later round, with --keep: the guest goes on until Ctrl-C', async () => {
    const { process: destination, address } = await startWatched()
    const { source, control, report } = startEndless(address, '--keep')
    await statusWhen(control, (status) => Number(status['round']) >= 3)
    destination.signal('SIGKILL')
    await source.line(/^the guest goes on here/)
    await expectSteps(control)
    expect(readReport(report).error).toMatchObject({ code: 'CONNECTION_LOST', phase: 'pre-copy' })
    source.signal('SIGINT')
    expect((await source.ended).code).toBe(1)
  })

  it('mid-round is replaced by another, and --retry moves the guest there', async () => {
    const first = await startWatched(await lastingAddress())
    const retry = ['--stop', 'max-rounds=60', '--retry', '3']
    const { source, report } = startEndless(first.address, ...retry)
    await statusWhen(first.control, (status) => (sessionsOf(status)[0]?.round ?? 0) >= 2)
    first.process.signal('SIGKILL')
    await source.line(/trying again/)
    const once = ['--listen', first.address, '--once', '--run-for', '100ms']
    const second = await startDestination(...once)
    expect((await source.ended).code).toBe(0)
    expect((await second.process.ended).code).toBe(0)
    const { outcome, guestProof, memory, rounds } = readReport(report)
    expect({ outcome, equal: memory!.equal }).toEqual({ outcome: 'completed', equal: true })
    expect(guestProof).toMatchObject({ continuous: true })
    expect(guestProof!.stepsAfter).toBeGreaterThan(0)
    expect(rounds).toHaveLength(61)
  })
})

describe('a destination that stalls', () => {
  it('is given up after five heartbeats, and the guest goes on', async () => {
    const { process: destination, address } = await startWatched()
    const { source, control, report } = startEndless(address, '--keep')
    await statusWhen(control, (status) => Number(status['round']) >= 3)
    destination.signal('SIGSTOP')
    try {
      await source.line(/^godwit: PEER_SILENT: /)
      await expectSteps(control)
      expect(readReport(report)).toMatchObject({ error: { code: 'PEER_SILENT' } })
    } finally {
      destination.signal('SIGCONT')
    }
    source.signal('SIGTERM')
    expect((await source.ended).code).toBe(1)
  })
})

describe('a source that is killed', () => {
  it('leaves nothing behind: the destination has room for the next guest', async () => {
    const control = freshPath('destination.sock')
    const limits = ['--memory-limit', '2MiB', '--run-for', '500ms', '--control', control]
    const { address } = await startDestination(...limits)
    const { source } = startEndless(address)
    await statusWhen(control, (status) => (sessionsOf(status)[0]?.round ?? 0) >= 3)
    source.signal('SIGKILL')
    await source.ended
    const idle = await statusWhen(control, (status) => sessionsOf(status).length === 0)
    expect(idle['guests']).toEqual([])
    const next = ['--memory', '2MiB', '--warmup', '20ms', '--quiet']
    const ended = await runGodwit('send', 'idle', '--to', address, ...next)
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })
})

describe('a cancel', () => {
  beforeAll(async () => {
    shared = await startWatched()
  })
  afterAll(() => {
    shared = undefined
  })

  it('by the control socket of the source: exit code 3', async () => {
    const { address, control: destination } = shared!
    const { source, control, report } = startEndless(address)
    await statusWhen(control, (status) => Number(status['round']) >= 2)
    const cancel = await runGodwit('cancel', '--control', control)
    expect(cancel).toMatchObject({ code: 0, stderr: '' })
    const ended = await source.ended
    expect(ended.code).toBe(3)
    expect(ended.stderr).toMatch(/^godwit: CANCELLED: /m)
    expect(readReport(report)).toMatchObject({ outcome: 'cancelled' })
    await statusWhen(destination, (status) => sessionsOf(status).length === 0)
  })

  it('by the control socket of the destination leaves the guest at the source', async () => {
    const { address, control } = shared!
    const { source, report } = startEndless(address)
    await statusWhen(control, (status) => (sessionsOf(status)[0]?.round ?? 0) >= 2)
    expect(await askControl(control, 'cancel')).toEqual({ cancelled: 1 })
    expect((await source.ended).code).toBe(3)
    expect(readReport(report)).toMatchObject({ error: { code: 'CANCELLED' } })
  })

  it('by Ctrl-C keeps the guest; the second ends the process', async () => {
    const { address } = shared!
    const { source, control, report } = startEndless(address)
    await statusWhen(control, (status) => Number(status['round']) >= 2)
    source.signal('SIGINT')
    await source.line(/^the guest goes on here .*Ctrl-C ends it/)
    await expectSteps(control)
    expect(readReport(report).outcome).toBe('cancelled')
    expect(source.isOver).toBe(false)
    source.signal('SIGINT')
    expect((await source.ended).code).toBe(3)
  })

  it('by Ctrl-C while the guest warms up keeps it, too', async () => {
    const { address } = shared!
    const { source, control } = startEndless(address, '--warmup', '1h')
    await statusWhen(control, (status) => Number(status['steps']) > 0)
    const early = await runGodwit('cancel', '--control', control)
    expect(early).toMatchObject({ code: 1, stderr: expect.stringMatching(/^godwit: TOO_LATE: /) })
    source.signal('SIGINT')
    await source.line(/^the guest goes on here/)
    await expectSteps(control)
    source.signal('SIGINT')
    expect((await source.ended).code).toBe(3)
  })

  it('by SIGTERM ends at once', async () => {
    const { address } = shared!
    const { source, control } = startEndless(address)
    await statusWhen(control, (status) => Number(status['round']) >= 2)
    source.signal('SIGTERM')
    expect((await source.ended).code).toBe(3)
  })
})
