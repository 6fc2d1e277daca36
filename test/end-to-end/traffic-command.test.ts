/**
 * `godwit traffic`, and `--competing` beside a migration.
 */
import { afterAll, afterEach, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
} from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

it.each<[string[], RegExp]>([
  [['traffic'], /traffic takes --listen, or --to and --rate/],
  [['traffic', '--to', '127.0.0.1:9'], /traffic takes --listen, or --to and --rate/],
  [['traffic', '--listen', '127.0.0.1:0', '--rate', '1Mbit'], /either --listen, or --to/],
  [['send', 'idle', '--to', '127.0.0.1:9', '--competing', '5'], /"5" is not a rate/],
  [
    ['send', 'idle', '--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet', '--competing', '5Mbit'],
    /--competing 5Mbit: where to\? start `godwit traffic --listen HOST:PORT` there/,
  ],
  [
    ['send', 'idle', '--to', '127.0.0.1:9', '--competing', '5Mbit,to=ws://127.0.0.1:9'],
    /traffic goes over TCP only/,
  ],
])('%j is refused', async (args, text) => {
  const ended = await runCommandLine(...(args as [string, ...string[]]))
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr.trim()).toMatch(text)
})

it('goes beside a migration, and the report tells what it came to', async () => {
  const sink = startGodwit('traffic', '--listen', '127.0.0.1:0')
  const [, address] = await sink.line(/^listening (.+)$/)
  const destination = await startDestination('--once', '--run-for', '400ms')
  const file = freshPath('report.json')
  const guest = ['idle,content=0/0/0/100', '--memory', '16MiB', '--max-bandwidth', '200Mbit']
  const beside = ['--bandwidth', 'bda,link=400Mbit', '--competing', `160Mbit,to=${address}`]
  const options = ['--to', destination.address, '--json', file, '--quiet']
  const ended = await runCommandLine('send', ...guest, ...beside, ...options)
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const { competing, rounds, totalMs } = readReport(file)
  // Neither the verification nor the guest's time there belongs to it.
  expect(Math.abs(competing!.ms - totalMs!)).toBeLessThan(5)
  expect(competing!.askedBytesPerSecond).toBe(20e6)
  expect(competing!.bytesPerSecond).toBeLessThan(21.5e6)
  expect(competing!.bytesPerSecond).toBeGreaterThan(10e6)
  // 50 MB/s less the 20 beside it and whatever else goes over the loopback; the cap is 25.
  expect(rounds[0]!.grantedBandwidth).toBeLessThanOrEqual(25e6)
})

it('sends for a while and tells how much', async () => {
  const sink = startGodwit('traffic', '--listen', '127.0.0.1:0')
  const [, address] = await sink.line(/^listening (.+)$/)
  const ended = await runCommandLine(
    'traffic',
    '--to',
    address!,
    '--rate',
    '80Mbit',
    '--for',
    '300ms',
  )
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(/^sent [\d.]+ MiB in [\d.]+ m?s: [\d.]+ MB\/s of 10.0 MB\/s\n$/)
})

it('takes for a while and tells how much', async () => {
  const ended = await runCommandLine('traffic', '--listen', '127.0.0.1:0', '--for', '50ms')
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.stdout).toMatch(/^listening .+\nreceived 0 B\n$/)
})

it('a demo has a place for it', async () => {
  const file = freshPath('report.json')
  // Time for dozens of its ticks: a guest that made no step there has not gone on.
  const guest = ['idle', '--memory', '4MiB', '--warmup', '20ms', '--run-for', '500ms']
  const ended = await runGodwit(
    'demo',
    ...guest,
    '--competing',
    '80Mbit',
    '--json',
    file,
    '--quiet',
  )
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(readReport(file).competing).toMatchObject({ askedBytesPerSecond: 10e6 })
})
