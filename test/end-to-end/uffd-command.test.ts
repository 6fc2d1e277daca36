/**
 * `godwit receive --pager uffd`: guests whose threads touch memory as they like. In processes of
 * their own, which can be killed: a page that never comes would hold up a thread of this one.
 */
import { probeUserfault } from '@godwit/linux'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const probe = await probeUserfault()
if (!probe.ok) console.log(`the uffd pager is not tested: ${probe.reason}`)

describe.runIf(probe.ok)('a guest behind the uffd pager', () => {
  it.each([
    ['post-copy', 'writer,wss=4MiB,rate=20000,style=page', ['--fetch', 'demand']],
    ['post-copy', 'writer,wss=4MiB,rate=20000,threads=3', ['--fetch', 'bubbles']],
    ['hybrid,rounds=1', 'writer,wss=4MiB,rate=20000,style=page', ['--fetch', 'demand']],
    ['pre-copy', 'writer,wss=4MiB,rate=20000', []],
  ])('moves by %s: %s', async (mode, guest, more) => {
    const json = freshPath('report.json')
    const receive = ['--once', '--run-for', '500ms', '--pager', 'uffd']
    const { process: receiver, address } = await startDestination(...receive)
    const send = ['send', guest, '--memory', '16MiB', '--to', address, '--mode', mode]
    const settings = ['--stop', 'max-rounds=3', '--warmup', '100ms', '--json', json, '--quiet']
    const sent = await runCommandLine(...send, ...settings, ...more)
    expect([sent.code, sent.stderr]).toEqual([0, ''])
    const report = readReport(json)
    expect(report).toMatchObject({
      outcome: 'completed',
      memory: { equal: true },
      guestProof: { continuous: true },
    })
    expect((report.faults?.count ?? 0) > 0).toBe(mode !== 'pre-copy')
    expect((await receiver.ended).code).toBe(0)
  })
})
