/**
 * How an agent ends, and what the next one says of the guests that were there.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { AgentProcess } from './agents.ts'
import {
  beginMigration,
  guestWhen,
  guestsOf,
  logOf,
  move,
  runGuest,
  startAgent,
  statesOf,
} from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 60_000 }

async function told({ process }: AgentProcess, text: RegExp): Promise<void> {
  await process.line(text)
}

describe('an agent that is told to end', () => {
  it('does so at once where no guest is', async () => {
    const a = await startAgent()
    a.process.signal('SIGTERM')
    expect((await a.process.ended).code).toBe(0)
    expect(logOf(a).at(-1)).toMatchObject({ level: 'info', msg: 'ended' })
  })

  it('waits for its guests, takes no others, and ends when the last has moved', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    await runGuest(b, 'web2')
    a.process.signal('SIGTERM')
    await told(a, /guests are here, and the agent waits for them/)
    await expect(runGuest(a, 'more')).rejects.toMatchObject({ code: 'TOO_LATE' })
    const refused = await move(b, 'web2', a)
    expect(refused).toMatchObject({ outcome: 'failed', error: { code: 'TOO_LATE' } })
    expect(await statesOf(a)).toEqual({ web1: 'running' })
    const way = ['migrate', 'web1', '--to', b.address, '--control', a.control, '--detach']
    expect((await runCommandLine(...way)).code).toBe(0)
    expect((await a.process.ended).code).toBe(0)
    await guestWhen(b, 'web1', ({ state }) => state === 'running')
  })

  it('ends with its guests when it is told so twice', busy, async () => {
    const a = await startAgent()
    await runGuest(a, 'web1')
    a.process.signal('SIGTERM')
    await told(a, /a second signal ends them/)
    a.process.signal('SIGTERM')
    expect((await a.process.ended).code).toBe(0)
    const [line] = logOf(a).filter(({ msg }) => msg === 'a guest ends with the agent')
    expect(line).toMatchObject({ level: 'warn', guest: 'web1' })
  })

  it('ends with its guests where that was said before', busy, async () => {
    const a = await startAgent('--stop-guests')
    await runGuest(a, 'web1')
    a.process.signal('SIGTERM')
    expect((await a.process.ended).code).toBe(0)
    expect(logOf(a).some(({ msg }) => msg === 'a guest ends with the agent')).toBe(true)
  })

  it('sends its guests to where they are to go, and ends', busy, async () => {
    const b = await startAgent()
    const a = await startAgent('--evacuate-to', b.address)
    for (const name of ['one', 'two', 'three']) await runGuest(a, name)
    const { steps } = await guestWhen(a, 'three', (guest) => guest.steps! > 50)
    a.process.signal('SIGTERM')
    expect((await a.process.ended).code).toBe(0)
    for (const name of ['one', 'two', 'three']) {
      await guestWhen(b, name, (guest) => guest.state === 'running' && guest.steps! > steps!)
    }
    expect(logOf(a).some(({ msg }) => msg === 'a guest ends with the agent')).toBe(false)
  })

  it('gives up what is on its way, which goes on where it was', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    await runGuest(a, 'web1')
    await beginMigration(a, 'web1', b, '--max-bandwidth=8Mbit')
    await guestWhen(b, 'web1', ({ state }) => state === 'arriving')
    b.process.signal('SIGTERM')
    expect((await b.process.ended).code).toBe(0)
    await guestWhen(a, 'web1', ({ state }) => state === 'running')
  })
})

describe('an agent that follows one that died', () => {
  it('says of each guest what became of it', busy, async () => {
    const [a, b] = [await startAgent(), await startAgent()]
    for (const name of ['gone', 'here', 'moving']) await runGuest(a, name)
    expect(await move(a, 'gone', b)).toMatchObject({ outcome: 'completed' })
    await beginMigration(a, 'moving', b, '--max-bandwidth=8Mbit')
    await guestWhen(b, 'moving', ({ state }) => state === 'arriving')
    a.process.signal('SIGKILL')
    await a.process.ended
    const next = await startAgent('--state-dir', a.stateDir)
    expect(await statesOf(next)).toEqual({ gone: 'left', here: 'lost', moving: 'lost' })
    const lines = logOf(next).filter(({ level }) => level === 'warn')
    expect(lines.map(({ guest, was, state }) => [guest, was, state])).toEqual([
      ['here', 'running', 'lost'],
      ['moving', 'leaving', 'lost'],
    ])
    const settle = await runCommandLine('recover', 'here', '--control', next.control)
    expect(settle).toMatchObject({ code: 1, stderr: expect.stringMatching(/not in doubt/) })
    // Names of what is lost are free.
    await runGuest(next, 'here')
    const [here] = (await guestsOf(next)).filter(({ name }) => name === 'here')
    expect(here).toMatchObject({ state: 'running' })
    await runCommandLine('stop', 'moving', '--control', next.control)
    expect(await statesOf(next)).toEqual({ gone: 'left', here: 'running' })
  })

  it('is refused the directory while another serves it, whatever its socket', async () => {
    const a = await startAgent()
    const args = ['--listen', '127.0.0.1:0', '--state-dir', a.stateDir]
    for (const own of [[], ['--control', freshPath('other')]]) {
      const second = await runCommandLine('agent', ...args, ...own)
      const pid = a.process.pid
      expect(second).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(`ADDRESS_IN_USE: Another agent has .*process ${pid}`),
      })
    }
    expect(await statesOf(a)).toEqual({})
  })
})
