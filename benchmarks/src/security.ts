/**
 * What authentication and encryption cost: the same guest over loopback in the clear, with a
 * pre-shared key, and with TLS, in turn.
 *
 * @module
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '@godwit/core'
import { GIB, MIB } from '@godwit/core'
import type { Benchmark } from './benchmark.ts'
import { loopback, migrate, makeFolder } from './process.ts'
import type { Case } from './result.ts'
import { pairedWith, toCase, toResult } from './result.ts'

/** Nothing can be made smaller: every page travels. */
const guest = 'idle,content=0/0/0/100'
const plainName = 'in the clear'
const runFor = '200ms'

export const security: Benchmark = {
  name: 'security',
  summary: 'a random guest of 1 GiB over loopback: in the clear, with a key, with TLS, in turn',
  async run({ quick, repeat, say, godwit }) {
    const folder = makeFolder()
    try {
      const ways = new Map([
        [plainName, [] as string[]],
        ['psk', keyIn(folder)],
      ])
      ways.set('tls', certificateIn(folder))
      const memory = ['--memory', String(quick ? 64 * MIB : GIB), '--warmup', '300ms']
      const reports = new Map([...ways.keys()].map((name) => [name, [] as Report[]]))
      for (let i = 0; i < repeat; i++) {
        say(`security: ${i + 1} of ${repeat}`)
        for (const [name, both] of ways) {
          const { source } = await migrate(godwit, guest, memory, loopback, runFor, both)
          reports.get(name)!.push(source)
        }
      }
      return toResult('security', casesOf(reports))
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

function keyIn(folder: string): string[] {
  const file = join(folder, 'key')
  writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
  return ['--psk-file', file]
}

/** One certificate for both sides, which trust nothing else; by the `openssl` command. */
function certificateIn(folder: string): string[] {
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.pem')]
  const out = ['-keyout', key, '-out', cert, '-subj', '/CN=godwit', '-days', '2']
  const names = ['-addext', `subjectAltName=IP:${loopback.host}`]
  const type = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...type, ...out, ...names], { stdio: 'ignore' })
  return ['--tls-cert', cert, '--tls-key', key, '--tls-ca', cert]
}

function casesOf(reports: ReadonlyMap<string, readonly Report[]>): Case[] {
  const pageRate = ({ rounds: [first] }: Report): number => first!.bandwidth
  const plain = pairedWith(plainName, reports.get(plainName)!.map(pageRate))
  return [...reports].flatMap(([name, each]) => [
    toCase({
      name,
      metric: 'pages of round 1',
      unit: 'bytes/s',
      values: each.map(pageRate),
      ...(name === plainName ? {} : { against: plain, bar: { op: '>=', value: 0.5 } as const }),
    }),
    toCase({ name, metric: 'totalMs', unit: 'ms', values: each.map(({ totalMs }) => totalMs!) }),
    // Of both agents: tells more than time where others use the machine.
    toCase({ name, metric: 'cpu', unit: 's', values: each.map(cpuSeconds) }),
    toCase({
      name,
      metric: 'downtimeMs',
      unit: 'ms',
      values: each.map(({ downtimeMs }) => downtimeMs!),
    }),
  ])
}

function cpuSeconds({ cpu }: Report): number {
  return (cpu?.sourceSeconds ?? 0) + (cpu?.destinationSeconds ?? 0)
}
