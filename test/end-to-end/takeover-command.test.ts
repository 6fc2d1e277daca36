/**
 * `godwit send --reverse` and `godwit recover --fenced`: processes, threads and TCP.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import type { GodwitProcess } from './process.ts'
import {
  askControl,
  endProcesses,
  freshPath,
  readReport,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const isPaused = ({ state }: Record<string, unknown>): boolean => state === 'paused'

/** Post-copy that goes on for long. */
function startSender(address: string, control: string, ...more: string[]): GodwitProcess {
  const guest = ['writer,wss=4MiB,rate=20000', '--memory', '32MiB', '--warmup', '100ms']
  const mode = ['--mode', 'post-copy', '--fetch', 'push', '--max-bandwidth', '8Mbit']
  return startGodwit('send', ...guest, '--to', address, ...mode, '--control', control, ...more)
}

describe('a destination that is killed in post-copy', () => {
  it.each([
    ['checkpoint=50ms', 3],
    [undefined, 0],
  ])('leaves the guest to the source upon the word of an operator: %s', async (reverse, least) => {
    const [control, json] = [freshPath('control'), freshPath('report.json')]
    const { process: receiver, address } = await startDestination()
    const more = reverse === undefined ? [] : ['--reverse', reverse]
    const sender = startSender(address, control, '--keep', '--json', json, ...more)
    await statusWhen(control, ({ state, checkpoint = 0 }) => {
      return state === 'pushing' && Number(checkpoint) >= least
    })
    const early = await runCommandLine('recover', '--control', control, '--fenced')
    expect(early.stderr).toMatch(/TOO_LATE/)
    receiver.signal('SIGKILL')
    await receiver.ended
    await statusWhen(control, isPaused)
    // Without that word it is only tried again.
    const again = await askControl(control, 'recover')
    expect(again).toEqual({ recovering: true })
    await statusWhen(control, isPaused)
    const fenced = await runCommandLine('recover', '--control', control, '--fenced', '--json')
    const answer = JSON.parse(fenced.stdout) as { takenOver: boolean; checkpoint: number }
    expect(answer.takenOver).toBe(true)
    expect(answer.checkpoint).toBeGreaterThanOrEqual(least)
    await sender.line(/the guest goes on here \(step /)
    const [before, after] = [
      await askControl(control, 'status'),
      await askControl(control, 'status'),
    ]
    expect(before['state']).toBe('taken-over')
    expect(Number(after['steps'])).toBeGreaterThanOrEqual(Number(before['steps']))
    sender.signal('SIGINT')
    expect((await sender.ended).code).toBe(7)
    const { checkpoint } = answer
    expect(readReport(json)).toMatchObject({
      outcome: 'failed',
      error: { code: 'TAKEN_OVER' },
      takeover: { checkpoint, epoch: 2 },
    })
  })
})

it.each<[string[], RegExp]>([
  [['--reverse', 'checkpoint=1ms', '--mode', 'post-copy'], /there is one every 10ms to 1h/],
  [['--reverse', 'always', '--mode', 'post-copy'], /"always" is not checkpoint=T/],
  [['--reverse', 'checkpoint=1s'], /mode pre-copy has no post-copy/],
])('%j is refused', async (options, text) => {
  const ended = await runCommandLine('send', 'idle', '--to', '127.0.0.1:9', '--quiet', ...options)
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr).toMatch(text)
})
