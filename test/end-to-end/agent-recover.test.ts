/**
 * Agents that lose each other in the hand-over, and one that dies in it.
 */
import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import type { AgentProcess } from './agents.ts'
import {
  beginMigration,
  guestWhen,
  logOf,
  move,
  outcomeOf,
  runGuest,
  startAgent,
  statesOf,
} from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { FrameProxy } from './frame-proxy.ts'
import { endProcesses, freshPath } from './process.ts'

const proxies: FrameProxy[] = []
afterAll(endCommandLines)
afterEach(async () => {
  for (const proxy of proxies.splice(0)) proxy.close()
  await endProcesses()
})

const busy = { timeout: 120_000 }

interface Lost {
  readonly a: AgentProcess
  readonly b: AgentProcess
  readonly proxy: FrameProxy
  readonly migration: string
}

/** The COMMIT of a guest that goes from A to B is lost, and the network stays away. */
async function loseCommit(): Promise<Lost> {
  const [a, b] = [await startAgent(), await startAgent()]
  const proxy: FrameProxy = new FrameProxy(b.address, ({ name }) => {
    const isLost = name === 'Commit' && proxy.cuts === 0
    if (isLost) proxy.isDown = true
    return isLost
  })
  proxies.push(proxy)
  const address = await proxy.listen()
  await runGuest(a, 'web1')
  const migration = await beginMigration(a, 'web1', { ...b, address })
  await a.process.line(/"loss":"in-doubt"/)
  return { a, b, proxy, migration }
}

it('a hand-over that is interrupted is told, and goes on when it can', busy, async () => {
  const { a, b, proxy, migration } = await loseCommit()
  const at = ['--control', a.control]
  const status = await runCommandLine('status', 'web1', '--json', ...at)
  expect(JSON.parse(status.stdout)).toMatchObject({
    state: 'leaving',
    destination: expect.stringMatching(/^lost/),
  })
  const cancel = await runCommandLine('cancel', 'web1', ...at)
  expect(cancel).toMatchObject({ code: 1, stderr: expect.stringMatching(/handed over already/) })
  expect(await statesOf(b)).toEqual({ web1: 'arriving' })
  proxy.isDown = false
  const recover = await runCommandLine('recover', 'web1', '--json', ...at)
  expect(JSON.parse(recover.stdout)).toEqual({ recovering: true })
  expect(await outcomeOf(a, migration)).toMatchObject({ outcome: 'completed' })
  await guestWhen(b, 'web1', ({ state }) => state === 'running')
  // Once for a reason, however many attempts there were.
  expect(logOf(a).filter(({ msg }) => msg === 'lost').length).toBeLessThanOrEqual(2)
})

it('a guest whose destination is dead goes on here upon your word only', busy, async () => {
  const { a, b, migration } = await loseCommit()
  const at = ['--control', a.control]
  b.process.signal('SIGKILL')
  await b.process.ended
  const { steps } = await guestWhen(a, 'web1', ({ state }) => state === 'leaving')
  const fenced = await runCommandLine('recover', 'web1', '--fenced', '--json', ...at)
  expect(JSON.parse(fenced.stdout)).toMatchObject({ takenOver: true })
  expect(await outcomeOf(a, migration)).toMatchObject({ error: { code: 'TAKEN_OVER' } })
  await guestWhen(a, 'web1', (guest) => guest.state === 'running' && guest.steps! > steps!)
  const again = await runCommandLine('recover', 'web1', '--fenced', ...at)
  expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/TOO_LATE/) })
})

it('an agent that is ended meanwhile leaves the question to the next', busy, async () => {
  const { a, b, proxy } = await loseCommit()
  a.process.signal('SIGTERM')
  await a.process.line(/a second signal ends them/)
  a.process.signal('SIGTERM')
  expect((await a.process.ended).code).toBe(0)
  const next = await startAgent('--state-dir', a.stateDir)
  expect(await statesOf(next)).toEqual({ web1: 'in-doubt' })
  proxy.isDown = false
  await callControl(next.control, 'recover', { guest: 'web1' })
  await guestWhen(b, 'web1', ({ state }) => state === 'running')
})

it('whose a guest is, the agent that follows one that died finds out', busy, async () => {
  const { a, b, proxy } = await loseCommit()
  a.process.signal('SIGKILL')
  await a.process.ended
  const next = await startAgent('--state-dir', a.stateDir)
  expect(await statesOf(next)).toEqual({ web1: 'in-doubt' })
  const at = ['--control', next.control]
  // Nobody answers: it stays as it is, and nobody else gets the name.
  expect((await runCommandLine('recover', 'web1', ...at)).code).toBe(1)
  await expect(runGuest(next, 'web1')).rejects.toMatchObject({ code: 'USAGE' })
  expect(await statesOf(next)).toEqual({ web1: 'in-doubt' })
  proxy.isDown = false
  const settled = await runCommandLine('recover', 'web1', '--json', ...at)
  expect(JSON.parse(settled.stdout)).toEqual({ guest: 'web1', answer: 'running', state: 'left' })
  expect(await statesOf(next)).toEqual({ web1: 'left' })
  await guestWhen(b, 'web1', ({ state }) => state === 'running')
  // And so it stays.
  next.process.signal('SIGTERM')
  await next.process.ended
  const last = await startAgent('--state-dir', a.stateDir)
  expect(await statesOf(last)).toEqual({ web1: 'left' })
})

it('a key is for both roles, and whoever has none is turned away', busy, async () => {
  const file = freshPath('key')
  writeFileSync(file, 'sixteen bytes and a few more', { mode: 0o600 })
  const key = ['--psk-file', file]
  const [a, b, c] = [await startAgent(...key), await startAgent(...key), await startAgent()]
  await runGuest(a, 'web1')
  expect(await move(a, 'web1', c)).toMatchObject({ error: { code: 'AUTH_REQUIRED' } })
  expect(await move(a, 'web1', b)).toMatchObject({ outcome: 'completed', security: 'psk' })
  await guestWhen(b, 'web1', ({ state }) => state === 'running')
  expect(await move(b, 'web1', a)).toMatchObject({ outcome: 'completed', security: 'psk' })
  await expect(callControl(a.control, 'cancel', { guest: 'web1' })).rejects.toMatchObject({
    code: 'TOO_LATE',
  })
})
