/**
 * A memcached service that moves under `memcaslap`, and beside Debian's `memcached` while it stays.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { startLoad } from './memcached/memcaslap.ts'
import type { MovingRun, MovingSize } from './memcached/migration.ts'
import { measureMoving } from './memcached/migration.ts'
import type { Served } from './memcached/services.ts'
import { host, startMemcached, startRelay, startStill } from './memcached/services.ts'
import { isInstalled } from './process.ts'
import type { Case, CaseFacts } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

/** 1 GiB: 730 MiB of items that nobody asks for, and 102 MiB of keys and values that are hot. */
const whole: MovingSize = {
  memory: '1GiB',
  coldItems: 700_000,
  coldBytes: 1000,
  window: 6,
  fillMs: 40_000,
  beforeMs: 15_000,
  settleMs: 6000,
  loadSeconds: 55,
}
const small: MovingSize = {
  ...whole,
  memory: '192MiB',
  coldItems: 100_000,
  window: 1,
  fillMs: 20_000,
  beforeMs: 6000,
  settleMs: 3000,
  loadSeconds: 20,
}
const kinds = ['memcached', 'direct', 'relay'] as const
const sentTo: Readonly<Record<(typeof kinds)[number], string>> = {
  memcached: "Debian's memcached",
  direct: 'the guest',
  relay: 'the guest, by the relay',
}
const parts = ['loopback', 'migration'] as const
/** Programs, and their packages. */
const needs = { memcaslap: 'libmemcached-tools', memcached: 'memcached', stdbuf: 'coreutils' }

export const memcached: Benchmark = {
  name: 'memcached',
  summary: 'memcaslap through a migration of a service of 1 GiB, and against memcached',
  takesOnly: true,
  async run({ quick, repeat, only = parts, godwit, say }) {
    check(only)
    await checkPrograms(only)
    const cases: Case[] = []
    if (only.includes('loopback')) {
      cases.push(...(await loopbackCases({ quick, repeat, godwit, say })))
    }
    if (!only.includes('migration')) return toResult('memcached', cases)
    const runs: MovingRun[] = []
    for (let i = 0; i < repeat; i++) {
      say(`memcached, a migration: ${i + 1} of ${repeat}`)
      runs.push(await measureMoving(godwit, quick ? small : whole))
    }
    const result = toResult('memcached', [...cases, ...migrationCases(runs)])
    return { ...result, series: runs.at(-1)!.series }
  },
}

/** @throws {GodwitError} `USAGE` */
function check(only: readonly string[]): void {
  const unknown = only.find((part) => !parts.some((known) => known === part))
  if (unknown === undefined) return
  const text = `memcached has no part "${unknown}"; there are ${parts.join(', ')}`
  throw new GodwitError('USAGE', text)
}

/** @throws {GodwitError} `USAGE` */
async function checkPrograms(only: readonly string[]): Promise<void> {
  for (const [program, debianPackage] of Object.entries(needs)) {
    if (program === 'memcached' && !only.includes('loopback')) continue
    if (await isInstalled(program)) continue
    throw new GodwitError('USAGE', `${program} is not here: apt-get install ${debianPackage}`)
  }
}

/** The same load on each, in turn; each repeat begins with another one. */
async function loopbackCases({
  quick,
  repeat,
  godwit,
  say,
}: Parameters<Benchmark['run']>[0]): Promise<Case[]> {
  const seconds = quick ? 2 : 10
  const rates = { memcached: [] as number[], direct: [] as number[], relay: [] as number[] }
  const errors = { memcached: [] as number[], direct: [] as number[], relay: [] as number[] }
  for (let i = 0; i < repeat; i++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const kind = kinds[(i + turn) % kinds.length]!
      say(`memcached, ${sentTo[kind]}: ${i + 1} of ${repeat}`)
      const services = await startKind(kind, godwit)
      try {
        const { port } = services.at(-1)!
        const { operationsPerSecond, complaints } = await startLoad({ host, port, seconds }).result
        rates[kind].push(operationsPerSecond)
        errors[kind].push(complaints)
      } finally {
        for (const { process } of services) process.kill('SIGKILL')
      }
    }
  }
  const against = pairedWith(sentTo.memcached, rates.memcached)
  const rate = { metric: 'memcaslap as it is by default', unit: '1/s' } as const
  return [
    toCase({ name: sentTo.memcached, ...rate, values: rates.memcached }),
    toCase({
      name: sentTo.direct,
      ...rate,
      values: rates.direct,
      against,
      bar: { op: '>=', value: 0.25 },
    }),
    toCase({ name: sentTo.relay, ...rate, values: rates.relay, against }),
    ...kinds.map((kind) => noErrors(sentTo[kind], errors[kind])),
  ]
}

/** Memory as Debian's has it by default. @returns where clients connect to is the last */
async function startKind(
  kind: (typeof kinds)[number],
  godwit: readonly string[],
): Promise<Served[]> {
  if (kind === 'memcached') return [await startMemcached(64 * 2 ** 20)]
  const still = await startStill(godwit, '64MiB')
  return kind === 'direct' ? [still] : [still, await startRelay(godwit, { port: still.port })]
}

function noErrors(name: string, values: readonly number[]): Case {
  const bar = { op: '<=', value: 0 } as const
  return toCase({ name, metric: 'errors of memcaslap', unit: 'count', values, bar })
}

function migrationCases(runs: readonly MovingRun[]): Case[] {
  const name = 'migration'
  const of = (
    metric: string,
    unit: CaseFacts['unit'],
    read: (run: MovingRun) => number,
    others: Pick<CaseFacts, 'against' | 'bar'> = {},
  ): Case => toCase({ name, metric, unit, values: runs.map(read), ...others })
  const before = pairedWith(
    'before',
    runs.map((run) => run.before),
  )
  const slow = { op: '>=', value: 0.7 } as const
  const long = { op: '<=', value: 50 } as const
  return [
    of('operations before', '1/s', (run) => run.before),
    of('operations in pre-copy', '1/s', (run) => run.preCopy, { against: before, bar: slow }),
    of('operations after', '1/s', (run) => run.after, { against: before }),
    of('longest answer before', 'ms', (run) => run.longestBeforeMs),
    of('longest answer in pre-copy', 'ms', (run) => run.longestInPreCopyMs),
    of('longest answer at the hand-over', 'ms', (run) => run.longestAtHandOverMs, { bar: long }),
    of('longest answer after', 'ms', (run) => run.longestAfterMs),
    of("memcaslap's longest, at the hand-over", 'ms', (run) => run.loadLongestMs),
    of('downtimeMs', 'ms', ({ report }) => report.downtimeMs!),
    of('totalMs', 'ms', ({ report }) => report.totalMs!),
    of('rounds', 'count', ({ report }) => report.rounds.length),
    noErrors(
      name,
      runs.map(({ load }) => load.errors),
    ),
  ]
}
