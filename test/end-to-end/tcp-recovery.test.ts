/**
 * Post-copy between agents with threads, over TCP that is cut: by a proxy that drops everything.
 */
import { MIB } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { createMigration, receive } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { CuttingProxy } from './cutting-proxy.ts'
import { advances, expectContinuous } from './oracle.ts'
import { someOf } from './variants.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const memoryBytes = 32 * MIB

describe('a connection that is cut in post-copy, again and again', () => {
  const cases = [
    ['post-copy', 'push', [4 * MIB, 6 * MIB, 9 * MIB]],
    ['post-copy', 'demand', [2 * MIB, 3 * MIB]],
    ['hybrid,rounds=1', 'bubbles', [25 * MIB]],
  ] as const

  it.each(someOf(cases))('leaves the guest whole: %s, %s', async (mode, fetch, cuts) => {
    const { identity } = parseGuest('writer,wss=8MiB,rate=50000,style=page', memoryBytes)
    const guest = await WorkloadGuest.start(identity, memoryBytes)
    cleanups.push(() => guest.stop())
    const sessions: IncomingMigration[] = []
    const options = { listen: '127.0.0.1:0' }
    const receiver = await receive(new WorkloadHost(), options, {
      began: (session) => sessions.push(session),
    })
    cleanups.push(() => receiver.close())
    cleanups.push(() => Promise.all(sessions.map((session) => session.release())))
    const proxy = new CuttingProxy(receiver.address, [...cuts])
    cleanups.push(() => proxy.close())
    await advances(guest, 50)
    const settings = { to: await proxy.listen(), mode, fetch, stop: 'max-rounds=9' }
    const migration = await createMigration(guest, settings)
    const report = await migration.run()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.recoveries).toBeGreaterThanOrEqual(cuts.length)
    expect(proxy.cuts).toBe(cuts.length)
    expect(await receiver.arrival()).toMatchObject({ outcome: 'completed' })
    expect(sessions).toHaveLength(1)
    await expectContinuous(sessions[0]!.guest as IncomingWorkload, identity, guest.steps())
  })
})
