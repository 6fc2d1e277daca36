/**
 * Post-copy behind the uffd pager that loses its connection. The destination is a process of its
 * own, which can be killed.
 */
import { MIB } from '@godwit/core'
import { WorkloadGuest, parseGuest } from '@godwit/guest'
import { probeUserfault } from '@godwit/linux'
import type { FetchName } from '@godwit/policy'
import { ChannelRole } from '@godwit/wire'
import { createMigration } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import type { ProxiedUnit } from './frame-proxy.ts'
import { FrameProxy } from './frame-proxy.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await endProcesses()
})

const probe = await probeUserfault()
if (!probe.ok) console.log(`the uffd pager is not tested: ${probe.reason}`)

const memoryBytes = 16 * MIB

/** The n-th such frame is lost. */
function nth(wanted: number, isIt: (unit: ProxiedUnit) => boolean): (unit: ProxiedUnit) => boolean {
  let seen = 0
  return (unit) => isIt(unit) && ++seen === wanted
}

type Point = readonly [what: string, fetch: FetchName, n: number, (unit: ProxiedUnit) => boolean]

const isPages = (role: ChannelRole) => (unit: ProxiedUnit) =>
  unit.preface.role === role && unit.name === 'Pages'

const points: Point[] = [
  ['pages that are pushed', 'push', 3, isPages(ChannelRole.Data)],
  ['pages that are waited for', 'demand', 5, isPages(ChannelRole.Urgent)],
  // Then all pages are there, the pager is closed, and its descriptor is another's.
  ['the end', 'bubbles', 1, ({ name }) => name === 'RoundAck'],
]

describe.runIf(probe.ok)('a guest behind the uffd pager whose source is lost', () => {
  it.each(points)('is made whole all the same: %s', async (_what, fetch, n, isIt) => {
    const { identity } = parseGuest('writer,wss=4MiB,rate=5000,style=page', memoryBytes)
    const guest = await WorkloadGuest.start(identity, memoryBytes)
    cleanups.push(() => guest.stop())
    const json = freshPath('there.json')
    const receive = ['--once', '--run-for', '300ms', '--pager', 'uffd', '--json', json]
    const { process: receiver, address } = await startDestination(...receive)
    const proxy = new FrameProxy(address, nth(n, isIt))
    cleanups.push(() => proxy.close())
    const settings = { to: await proxy.listen(), mode: 'post-copy', fetch } as const
    const report = await (await createMigration(guest, settings)).run()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    // An attempt may come before the other side is ready for it.
    expect(report.recoveries).toBeGreaterThanOrEqual(1)
    expect(proxy.cuts).toBe(1)
    expect((await receiver.ended).code).toBe(0)
    const there = readReport(json)
    expect(there).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(there.rounds.at(-1)).toMatchObject({ bytes: report.rounds.at(-1)!.bytes })
  })
})
