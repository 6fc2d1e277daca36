/**
 * Ctrl-C and SIGTERM at commands that start other processes: nothing is left.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { endProcesses, startGodwit } from './process.ts'

afterEach(endProcesses)

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it.each(['demo alone', 'all of them, as a terminal does'])(
  'Ctrl-C to %s ends a demo, and the guest with it',
  async (to) => {
    const demo = startGodwit('demo', 'idle', '--memory', '4MiB', '--warmup', '60s')
    const found = await Promise.all([
      demo.line(/^destination: process (\d+),/),
      demo.line(/^source: process (\d+)$/),
      demo.line(/^starting /),
    ])
    const pids = found.slice(0, 2).map(([, pid]) => Number(pid))
    expect(pids.map(isThere)).toEqual([true, true])
    if (to !== 'demo alone') for (const pid of pids) process.kill(pid, 'SIGINT')
    demo.signal('SIGINT')
    expect((await demo.ended).code).toBe(3)
    expect(pids.map(isThere)).toEqual([false, false])
  },
)

/** Of a process, by the kernel. */
function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

it.each(['SIGINT', 'SIGTERM'] as const)('%s ends a benchmark with all it started', async (name) => {
  const bench = startGodwit('bench', 'loopback', '--quick', '--repeat', '1000')
  const folders = (): readonly string[] =>
    readdirSync(tmpdir()).filter((folder) => folder.startsWith(`godwit-bench-${bench.pid}-`))
  while (folders().length === 0 || childrenOf(bench.pid).length < 2) await setTimeout(5)
  const pids = childrenOf(bench.pid)
  bench.signal(name)
  expect(await bench.ended).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/godwit: CANCELLED: The benchmark was interrupted\n$/),
  })
  expect(pids.some(isThere)).toBe(false)
  expect(folders()).toEqual([])
})
