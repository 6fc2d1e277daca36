/**
 * A guest with a stream from a process that does not move: the stream goes on with the guest.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { StreamAccount, WorkloadGuest } from '@godwit/guest'
import { createStreamPeer } from '@godwit/guest'
import { afterAll, afterEach, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { advances, expectContinuous } from './oracle.ts'
import { endPlaces, expectMoved, expectStayed, moveGuest, slow, startGuest } from './places.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
} from './process.ts'

const cleanups: (() => void)[] = []
afterEach(async () => {
  await endPlaces()
  for (const cleanup of cleanups.splice(0)) cleanup()
  await endProcesses()
})
afterAll(endCommandLines)

/** @param connectionsMax - after so many nobody is let in any more */
async function startPeer(connectionsMax = Infinity) {
  const accounts: StreamAccount[] = []
  const server = createStreamPeer((account) => accounts.push(account))
  cleanups.push(() => server.close())
  let connections = 0
  server.on('connection', (socket) => {
    cleanups.push(() => socket.destroy())
    if (++connections === connectionsMax) server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const peer = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { peer, accounts }
}

/** Each connection went on where the one before it was, with nothing left out. */
function expectOneStream(accounts: readonly StreamAccount[]): void {
  expect(accounts[0]!.first).toBe(0)
  for (const [i, { first, error }] of accounts.slice(1).entries()) {
    expect(error).toBeUndefined()
    expect(first).toBeGreaterThanOrEqual(accounts[i]!.acknowledged)
    expect(first).toBeLessThanOrEqual(accounts[i]!.sent)
  }
}

const spec = 'network,wss=2MiB,rate=200Mbit'

it('goes from A to B to C with one and the same peer', { timeout: 60_000 }, async () => {
  const { peer, accounts } = await startPeer()
  const guest = await startGuest(`${spec},peer=${peer}`)
  let moving: WorkloadGuest = guest
  for (const [hop, mode] of ['pre-copy', 'post-copy'].entries()) {
    const { report, arrived } = await moveGuest(moving, { ...slow, mode })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    const steps = moving.steps()
    await moving.stop()
    while (accounts.length <= hop) await new Promise(setImmediate)
    await advances(arrived!, 500)
    expectOneStream(accounts)
    if (hop === 1) await expectContinuous(arrived!, guest.identity, steps)
    moving = arrived!.asGuest()
  }
  await moving.stop()
  while (accounts.length < 3) await new Promise(setImmediate)
  expectOneStream(accounts)
})

it('has a peer of its own at each place where none is named', async () => {
  const report = await expectMoved(await startGuest(spec), { ...slow, stop: 'max-rounds=3' })
  expect(report.rounds.at(-1)!.pages).toBeGreaterThan(0)
})

it('stays where the destination does not reach its peer', async () => {
  const { peer } = await startPeer(1)
  const report = await expectStayed(await startGuest(`${spec},peer=${peer}`), slow)
  expect(report.error!.text).toContain(`No peer of guest network at ${peer}`)
})

it('has a peer on the command line', { timeout: 60_000 }, async () => {
  const peer = startGodwit('traffic', '--streams', '127.0.0.1:0')
  const [, address] = await peer.line(/^listening (.+)$/)
  const destination = await startDestination('--once', '--run-for', '200ms')
  const file = freshPath('report.json')
  const guest = [`${spec},peer=${address}`, '--memory', '8MiB', '--warmup', '50ms']
  const ended = await runGodwit(
    'send',
    ...guest,
    '--to',
    destination.address,
    '--json',
    file,
    '--quiet',
  )
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(readReport(file).guestProof).toMatchObject({ continuous: true })
  const [, sent] = await peer.line(/^stream 1: segments 0 to (\d+) sent, \d+ acknowledged$/)
  expect(Number(sent)).toBeGreaterThan(0)
})

it.each<[string[], RegExp]>([
  [['--streams', '127.0.0.1:0', '--rate', '1Mbit'], /nothing beside --streams/],
  [['--streams', '0.0.0.0:0'], /reaches beyond this machine/],
])('traffic %j is refused', async (args, text) => {
  const ended = await runCommandLine('traffic', ...args)
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr.trim()).toMatch(text)
})
