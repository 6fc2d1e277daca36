/**
 * `godwit send --bandwidth` and `--throttle`: what is refused before a guest is started, and a
 * migration with both between two processes.
 */
import { afterAll, afterEach, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, runGodwit, startDestination } from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

it.each<[string[], RegExp]>([
  [['--bandwidth', 'warp'], /"warp" is not a bandwidth policy; there are fixed, clark, bda, bda-/],
  [['--bandwidth', 'bda'], /"bda" takes link=RATE/],
  [['--throttle', 'brakes'], /"brakes" is not a throttle; there are auto-converge, dirty-limit/],
  [['--throttle', 'dirty-limit'], /dirty-limit takes rate=RATE/],
  [['--throttle', 'auto-converge', '--mode', 'stop-copy'], /mode stop-copy has no rounds/],
  [['--post-copy-bandwidth', '5'], /"5" is not a rate/],
])('%j is refused', async (options, text) => {
  const ended = await runCommandLine('send', 'idle', ...options, ...nowhere)
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr).toMatch(/^godwit: USAGE: [^\n]+\n$/)
  expect(ended.stderr.trim()).toMatch(text)
})

it('a link that is measured and a guest that loses time: both are in the report', async () => {
  const destination = await startDestination('--once', '--run-for', '100ms')
  const file = freshPath('report.json')
  const options = ['--bandwidth', 'bda,link=10Gbit', '--throttle', 'auto-converge,start=40']
  const caps = ['--max-bandwidth', '400Mbit', '--stop', 'max-rounds=3', '--warmup', '50ms']
  const guest = ['writer,wss=8MiB,rate=20000', '--memory', '16MiB', '--quiet']
  const to = ['--to', destination.address, '--json', file]
  const ended = await runGodwit('send', ...guest, ...options, ...caps, ...to)
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const report = readReport(file)
  expect(report).toMatchObject({
    outcome: 'completed',
    policies: { bandwidth: 'bda,link=10Gbit', throttle: 'auto-converge,start=40' },
    memory: { equal: true },
    guestProof: { continuous: true },
  })
  for (const { grantedBandwidth } of report.rounds) expect(grantedBandwidth).toBeLessThan(50.1e6)
  const shares = report.rounds.map(({ throttle }) => throttle)
  expect([shares[0], shares.at(-1)]).toEqual([0, undefined])
})
