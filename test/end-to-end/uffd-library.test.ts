/**
 * Programs that use the uffd pager by the library, each a process of its own, which can be killed.
 */
import { MIB } from '@godwit/core'
import type { Report } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { probePagemap, probeUserfault } from '@godwit/linux'
import { createMigration, receive, send } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { GodwitProcess } from './process.ts'
import { endProcesses, startProgram } from './process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await endProcesses()
})

const probe = await probeUserfault()
const { ok: hasPagemap } = await probePagemap()
if (!probe.ok) console.log(`the uffd pager is not tested: ${probe.reason}`)

async function start(name: string, ...args: string[]): Promise<[GodwitProcess, string]> {
  const program = startProgram(new URL(`./library/${name}.ts`, import.meta.url), ...args)
  const [, address] = await program.line(/^listening (.+)$/)
  return [program, address!]
}

describe.runIf(probe.ok)('a worker with plain loads and stores', () => {
  it.each([
    ['demand', 1],
    ['bubbles', 0],
  ] as const)('waits for its pages (%s)', async (fetch, leastFaults) => {
    const [program, address] = await start('uffd-program')
    const memory = new SharedArrayBuffer(8 * MIB)
    const words = new Uint32Array(memory).map((_, at) => at)
    new Uint32Array(memory).set(words)
    const state = (): Uint8Array => new TextEncoder().encode('ready')
    const owner = { memory, pause: () => {}, resume: () => {}, state }
    const report = await send(owner, { to: address, mode: 'post-copy', fetch })
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.faults!.count).toBeGreaterThanOrEqual(leastFaults)
    const { code, stdout, stderr } = await program.ended
    expect([code, stderr]).toEqual([0, ''])
    const sum = words.reduce((all, word) => all + word, 0)
    const said = JSON.parse(stdout.split('\n')[1]!) as unknown
    expect(said).toEqual({ prepared: 'ready', sum, isStored: true })
  })
})

describe.runIf(probe.ok && hasPagemap)('a guest that came by post-copy', () => {
  it('moves on at once, its stores found by the kernel', async () => {
    const { identity, memoryBytes } = parseGuest('writer,wss=2MiB,rate=50000', 8 * MIB + 123)
    const guest = await WorkloadGuest.start(identity, memoryBytes)
    cleanups.push(() => guest.stop())
    await advances(guest, 100)
    const arrived: IncomingMigration[] = []
    const listen = { listen: '127.0.0.1:0' }
    const events = { ended: (one: IncomingMigration) => arrived.push(one) }
    const third = await receive(new WorkloadHost(), listen, events)
    cleanups.push(() => third.close())
    const [relay, address] = await start('uffd-relay', third.address)
    const settings = { to: address, mode: 'post-copy', fetch: 'bubbles' } as const
    const report = await (await createMigration(guest, settings)).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    const [, line] = await relay.line(/^sent (.+)$/)
    const onward = JSON.parse(line!) as Report
    expect(onward).toMatchObject({ outcome: 'completed', tracker: 'pagemap' })
    expect(onward.memory!.equal).toBe(true)
    expect(onward.rounds.length).toBeGreaterThan(1)
    expect((await relay.ended).code).toBe(0)
    const there = arrived[0]!.guest as IncomingWorkload
    cleanups.push(() => there.discard())
    await expectContinuous(there, identity, guest.steps())
  })
})
