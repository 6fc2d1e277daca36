/**
 * A migration while peers that want nothing are at the destination, against one while the same are
 * at a server beside it: what they cost the machine they cost in both.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { readStatus } from './control-status.ts'
import { startEchoServer } from './echo-server.ts'
import type { LoadDone, LoadSize } from './hostile-load.ts'
import { HostileLoad } from './hostile-load.ts'
import { loopback, migrate } from './process.ts'
import type { Case } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

/** Nobody compresses it: the cap on bandwidth says how long it takes. */
const guest = 'idle,content=0/0/0/100'
const bandwidth = '500Mbit'
const bytesPerMs = 500e6 / 8 / 1e3
/** Of the migration, in which the connections that are dropped come. */
const loadShare = 0.6
const pollMs = 10

/** Where the load is. */
type Target = 'alone' | 'echo' | 'destination'

interface Run {
  readonly report: Report
  readonly load: LoadDone | undefined
}

export const hostile: Benchmark = {
  name: 'hostile',
  summary: 'a migration at 500 Mbit/s while 1000 peers idle and 10,000 connect and drop',
  async run({ quick, repeat, godwit, say }) {
    const memoryBytes = (quick ? 64 : 512) * MIB
    const count = quick ? { idle: 100, drops: 500 } : { idle: 1000, drops: 10_000 }
    const size = { ...count, dropsMs: (memoryBytes / bytesPerMs) * loadShare }
    const runs: Record<Target, Run[]> = { alone: [], echo: [], destination: [] }
    const targets = Object.keys(runs) as Target[]
    for (let i = 0; i < repeat; i++) {
      // Each repeat begins with another one: whoever else uses the machine meets all of them.
      for (let turn = 0; turn < targets.length; turn++) {
        const target = targets[(i + turn) % targets.length]!
        say(`hostile, ${target}: ${i + 1} of ${repeat}`)
        runs[target].push(await measure(godwit, memoryBytes, target, size))
      }
    }
    return toResult('hostile', casesOf(runs, size))
  },
}

async function measure(
  godwit: readonly string[],
  memoryBytes: number,
  target: Target,
  size: LoadSize,
): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-hostile-'))
  const control = join(folder, 'control')
  const echo = target === 'echo' ? await startEchoServer() : undefined
  let load: HostileLoad | undefined
  const over = new AbortController()
  const options = ['--memory', String(memoryBytes), '--max-bandwidth', bandwidth]
  const sent = [...options, '--warmup', '300ms', '--control', control]
  const listening = async (address: string): Promise<void> => {
    if (target !== 'alone') load = await HostileLoad.start(echo?.address ?? address, size)
  }
  try {
    const migration = migrate(godwit, guest, sent, { ...loopback, listening })
    const ended = migration.finally(() => over.abort())
    const [{ source }, done] = await Promise.all([
      ended,
      target === 'alone' ? undefined : whilePagesFlow(control, () => load!, over.signal),
    ])
    return { report: source, load: done }
  } finally {
    load?.kill()
    echo?.process.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

/** From the first round on, and what was done of it by the end of the last. */
async function whilePagesFlow(
  control: string,
  load: () => HostileLoad,
  over: AbortSignal,
): Promise<LoadDone> {
  const flows = async (): Promise<boolean> => (await readStatus(control)).state === 'sending'
  while (!over.aborted && !(await flows())) await sleep(pollMs)
  load().begin()
  while (!over.aborted && (await flows())) await sleep(pollMs)
  return load().end()
}

function casesOf(
  runs: Readonly<Record<Target, readonly Run[]>>,
  { drops, idle }: LoadSize,
): Case[] {
  const totals = (target: Target): number[] => runs[target].map(({ report }) => report.totalMs!)
  const total = { metric: 'totalMs', unit: 'ms' } as const
  const echo = pairedWith('at an echo server', totals('echo'))
  const bar = { op: '<=', value: 1.1 } as const
  return [
    toCase({ name: 'alone', ...total, values: totals('alone') }),
    toCase({
      name: 'at an echo server',
      ...total,
      values: totals('echo'),
      against: pairedWith('alone', totals('alone')),
    }),
    toCase({
      name: 'at the destination',
      ...total,
      values: totals('destination'),
      against: echo,
      bar,
    }),
    ...(['echo', 'destination'] as const).flatMap((target) =>
      loadCases(target, runs[target], drops, idle),
    ),
  ]
}

/** That the load was really there. */
function loadCases(target: Target, runs: readonly Run[], drops: number, idle: number): Case[] {
  const count = (metric: string, read: (load: LoadDone) => number, least?: number): Case =>
    toCase({
      name: target,
      metric,
      unit: 'count',
      values: runs.map(({ load }) => read(load!)),
      ...(least === undefined ? {} : { bar: { op: '>=', value: least } }),
    })
  return [
    count('connected and dropped', ({ dropped, refused }) => dropped + refused, drops),
    count('idle at the end', (load) => load.idle, idle * 0.9),
    count('idle dialled again', ({ redialled }) => redialled),
  ]
}
