/**
 * `godwit agent`: guests that are started, listed, moved there, back and on, as an operator does.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { AgentProcess } from './agents.ts'
import {
  allGone,
  beginMigration,
  guestWhen,
  guestsOf,
  logOf,
  move,
  outcomeOf,
  runGuest,
  startAgent,
  statesOf,
} from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, startDestination, startGodwit } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 120_000 }

describe('guests of an agent', () => {
  it(
    'are started, listed, moved there, back and on, and compute as if they had stayed',
    busy,
    async () => {
      const [a, b] = [await startAgent(), await startAgent()]
      const at = ['--control', a.control]
      const guest = ['writer,wss=1MiB,rate=2000,threads=2', '--memory', '8MiB']
      const run = await runCommandLine('run', ...guest, '--name', 'web1', ...at)
      expect(run).toEqual({ code: 0, stdout: 'web1 runs (writer, 8 MiB)\n', stderr: '' })
      const cpu = await runCommandLine('run', 'cpu', '--memory', '1MiB', ...at)
      expect(cpu.stdout).toBe('cpu-1 runs (cpu, 1 MiB)\n')
      const json = await runCommandLine('run', 'idle', '--memory', '64KiB', '--json', ...at)
      expect(JSON.parse(json.stdout)).toMatchObject({ name: 'idle-2', state: 'running' })
      expect(await statesOf(a)).toEqual({
        web1: 'running',
        'cpu-1': 'running',
        'idle-2': 'running',
      })

      await guestWhen(a, 'web1', ({ steps = 0 }) => steps > 50)
      const sent = await runCommandLine('migrate', 'web1', '--to', b.address, ...at)
      expect([sent.code, sent.stdout]).toEqual([
        0,
        expect.stringMatching(/^outcome +moved; it runs there\n/),
      ])
      const [left] = (await guestsOf(a)).filter(({ name }) => name === 'web1')
      expect(left).toMatchObject({ state: 'left', peer: b.address, role: 'source' })
      expect(left).not.toHaveProperty('steps')
      const there = await guestWhen(b, 'web1', ({ steps = 0 }) => steps > 100)
      expect(there).toMatchObject({ state: 'running', kind: 'writer', memoryBytes: 8 * 2 ** 20 })
      expect(there.session).toBe(left!.session)

      expect(await move(b, 'web1', a, '--mode=post-copy')).toMatchObject({ outcome: 'completed' })
      const back = await guestWhen(a, 'web1', ({ state }) => state === 'running')
      expect(back.steps).toBeGreaterThan(there.steps!)
      expect(await statesOf(b)).toEqual({ web1: 'left' })

      const c = await startDestination('--once', '--run-for', '200ms')
      const file = freshPath('report.json')
      const on = await runCommandLine('migrate', 'web1', '--to', c.address, '--json', file, ...at)
      expect(on.code).toBe(0)
      const report = readReport(file)
      expect(report).toMatchObject({ memory: { equal: true }, guestProof: { continuous: true } })
      expect(report.guestProof!.stepsBefore).toBeGreaterThan(back.steps!)
      expect((await c.process.ended).code).toBe(0)
      expect(await statesOf(a)).toMatchObject({ web1: 'left', 'cpu-1': 'running' })
    },
  )

  it('are a table for people', async () => {
    const a = await startAgent()
    const at = ['--control', a.control]
    expect((await runCommandLine('ls', ...at)).stdout).toBe('no guests\n')
    await runGuest(a, 'web1')
    const { stdout } = await runCommandLine('ls', ...at)
    const [head, line] = stdout.split('\n')
    expect(head).toMatch(/^name +kind +memory +state +steps +since +peer$/)
    expect(line).toMatch(/^web1 +writer +4 MiB +running +[\d,]+ +[\d.]+ (?:ms|s) ago$/)
    const overview = await callControl(a.control, 'status')
    expect(overview).toMatchObject({ role: 'agent', listening: a.address, guests: 1, leaving: 0 })
    const one = await runCommandLine('status', 'web1', '--json', ...at)
    expect(JSON.parse(one.stdout)).toMatchObject({ name: 'web1', state: 'running' })
  })

  it('move several at a time, in both directions', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    for (const name of ['one', 'two']) await runGuest(a, name)
    await runGuest(b, 'three')
    for (const [agent, name] of [
      [a, 'one'],
      [a, 'two'],
      [b, 'three'],
    ] as const) {
      await guestWhen(agent, name, ({ steps = 0 }) => steps > 50)
    }
    const slow = '--max-bandwidth=64Mbit'
    const going: [AgentProcess, string][] = [
      [a, await beginMigration(a, 'one', b, slow)],
      [a, await beginMigration(a, 'two', b, slow)],
      [b, await beginMigration(b, 'three', a, slow)],
    ]
    // At that rate none of them can be over yet.
    expect(await statesOf(a)).toMatchObject({ one: 'leaving', two: 'leaving' })
    for (const [agent, migration] of going) {
      expect(await outcomeOf(agent, migration)).toMatchObject({ outcome: 'completed' })
    }
    for (const [agent, names] of [
      [a, ['three']],
      [b, ['one', 'two']],
    ] as const) {
      for (const name of names) await guestWhen(agent, name, ({ state }) => state === 'running')
    }
    expect(await statesOf(a)).toEqual({ one: 'left', two: 'left', three: 'running' })
    expect(await statesOf(b)).toEqual({ one: 'running', two: 'running', three: 'left' })
  })

  it('have names of their own: one that is taken is not taken twice', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    for (const agent of [a, b]) await runGuest(agent, 'web1')
    const at = ['--control', a.control]
    const again = await runCommandLine('run', 'idle', '--name', 'web1', ...at)
    expect(again).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a guest "web1" here already/),
    })
    const odd = await runCommandLine('run', 'idle', '--name', '../x', ...at)
    expect(odd).toMatchObject({ code: 2, stderr: expect.stringMatching(/is no name/) })
    expect(await move(a, 'web1', b)).toMatchObject({ outcome: 'completed' })
    await guestWhen(b, 'web1-1', ({ state }) => state === 'running')
    expect(await statesOf(b)).toEqual({ web1: 'running', 'web1-1': 'running' })
    // What is not here any more holds no name.
    await runGuest(a, 'web1')
    expect(await statesOf(a)).toEqual({ web1: 'running' })
  })

  it('are ended, and what they held is there again', async () => {
    const a = await startAgent('--memory-limit', '6MiB')
    await runGuest(a, 'web1')
    await expect(runGuest(a, 'web2')).rejects.toMatchObject({ code: 'NO_ROOM' })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
    const { stdout } = await runCommandLine('stop', 'web1', '--control', a.control)
    expect(stdout).toBe('web1 is ended\n')
    await runGuest(a, 'web2')
    expect(await statesOf(a)).toEqual({ web2: 'running' })
  })

  it('share the room with guests that arrive', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent('--memory-limit', '6MiB')]
    for (const agent of [a, b]) await runGuest(agent, agent === a ? 'web1' : 'here')
    const refused = await move(a, 'web1', b)
    expect(refused).toMatchObject({ outcome: 'failed', error: { code: 'NO_ROOM' } })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
    expect(await statesOf(b)).toEqual({ here: 'running' })
  })
})

describe('a migration of an agent', () => {
  it('can be looked at, changed and cancelled by the name of its guest', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    const at = ['--control', a.control]
    const way = ['--to', b.address, '--max-bandwidth', '8Mbit']
    const waiting = startGodwit('migrate', 'web1', ...way, ...at, '--quiet')
    const arriving = await guestWhen(b, 'web1', ({ state }) => state === 'arriving')
    const leaving = await guestWhen(a, 'web1', ({ session }) => session !== undefined)
    expect(leaving.session).toBe(arriving.session)
    const status = await runCommandLine('status', 'web1', '--json', ...at)
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'leaving', peer: b.address })
    const set = await runCommandLine('set', 'web1', 'max-bandwidth=4Mbit', ...at)
    expect([set.code, set.stderr]).toEqual([0, ''])
    const wrong = await runCommandLine('set', 'web1', 'colour=red', ...at)
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/"colour" cannot be set/),
    })
    const again = await runCommandLine('migrate', 'web1', '--to', b.address, ...at)
    expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/TOO_LATE/) })
    expect((await runCommandLine('cancel', 'web1', ...at)).code).toBe(0)
    expect((await waiting.ended).code).toBe(3)
    const here = await guestWhen(a, 'web1', ({ state }) => state === 'running')
    await guestWhen(a, 'web1', ({ steps = 0 }) => steps > here.steps!)
    // Whoever was to get it has forgotten it soon.
    await allGone(b)
    expect((await runCommandLine('cancel', 'web1', ...at)).code).toBe(1)
  })

  it('can be cancelled where it arrives', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    const migration = await beginMigration(a, 'web1', b, '--max-bandwidth=8Mbit')
    await guestWhen(b, 'web1', ({ state }) => state === 'arriving')
    await callControl(b.control, 'cancel', { guest: 'web1' })
    expect(await outcomeOf(a, migration)).toMatchObject({ error: { code: 'CANCELLED' } })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
  })

  it(
    'is cancelled by Ctrl-C of who waits for it, and goes on when that is ended',
    busy,
    async () => {
      const [a, b] = [await startAgent(), await startAgent()]
      await runGuest(a, 'web1')
      const way = ['web1', '--to', b.address, '--control', a.control]
      const first = startGodwit('migrate', ...way, '--max-bandwidth', '8Mbit')
      await guestWhen(b, 'web1', ({ state }) => state === 'arriving')
      await first.line(/round/)
      first.signal('SIGINT')
      expect(await first.ended).toMatchObject({
        code: 3,
        stdout: expect.stringMatching(/cancelled/),
      })
      expect(await statesOf(a)).toEqual({ web1: 'running' })
      const second = startGodwit('migrate', ...way, '--max-bandwidth', '16Mbit')
      await second.line(/round/)
      second.signal('SIGTERM')
      expect(await second.ended).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/the agent goes on with it/),
      })
      await guestWhen(b, 'web1', ({ state }) => state === 'running')
      await guestWhen(a, 'web1', ({ state }) => state === 'left')
    },
  )

  it('that fails leaves the guest here, and tells as send does', busy, async () => {
    const a = await startAgent()
    await runGuest(a, 'web1')
    const at = ['--control', a.control]
    const nobody = await runCommandLine('migrate', 'web1', '--to', '127.0.0.1:9', ...at)
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringMatching(/CONNECTION_REFUSED/) })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
    for (const [args, text] of [
      [['web2', '--to', '127.0.0.1:9'], /no guest "web2"/],
      [['web1', '--to', '127.0.0.1:9', '--mode', 'fast'], /fast/],
      [['web1', '--to', '127.0.0.1:9', '--mode', 'pre-copy', '--fetch', 'push'], /fetch|push/],
      [['web1'], /--to/],
    ] as const) {
      const wrong = await runCommandLine('migrate', ...args, ...at)
      expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(text) })
    }
    const log = logOf(a)
    expect(log.every((line) => ['level', 'time', 'msg'].every((key) => key in line))).toBe(true)
    expect(log.filter((line) => 'session' in line && !('guest' in line))).toEqual([])
    expect(log.filter(({ msg }) => msg === 'migration ended')).toMatchObject([
      { level: 'warn', guest: 'web1', code: 'CONNECTION_REFUSED', state: 'running' },
    ])
  })
})
