/**
 * What an agent tells Prometheus.
 */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, expect, it } from 'vitest'
import type { AgentProcess } from './agents.ts'
import { beginMigration, guestWhen, move, runGuest, startAgent } from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const line =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-z]\w*="[^"\\\n]*",?)*)\})? (-?[\d.]+(?:e[+-]?\d+)?|Nan|[+-]Inf)$/

/** Samples as `name{labels}`, of the text format; throws where a line is not of it. */
function parseMetrics(text: string): ReadonlyMap<string, number> {
  const samples = new Map<string, number>()
  for (const one of text.split('\n')) {
    if (one === '' || /^# (?:HELP|TYPE) \S+ .+$/.test(one)) continue
    const match = line.exec(one)
    if (match === null) throw new Error(`not a sample: ${one}`)
    const [, name, labels, value] = match
    samples.set(labels === undefined ? name! : `${name}{${labels}}`, Number(value))
  }
  return samples
}

async function scrape({ process }: AgentProcess): Promise<ReadonlyMap<string, number>> {
  const [, address] = await process.line(/^metrics (.+)$/)
  const answer = await fetch(`http://${address}/metrics`)
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  return parseMetrics(await answer.text())
}

it('guests, migrations, pauses and the process itself are counted', {
  timeout: 60_000,
}, async () => {
  const on = ['--metrics', '127.0.0.1:0']
  const [a, b] = [await startAgent(...on), await startAgent(...on)]
  for (const name of ['web1', 'web2']) await runGuest(a, name)
  const before = await scrape(a)
  expect(before.get('godwit_guests{state="running"}')).toBe(2)
  expect(before.get('godwit_guest_memory_bytes')).toBe(8 * 2 ** 20)
  expect(before.get('process_resident_memory_bytes')).toBeGreaterThan(1e6)
  const report = await move(a, 'web1', b)
  await beginMigration(a, 'web2', b, '--max-bandwidth=8Mbit')
  await guestWhen(b, 'web2', ({ state }) => state === 'arriving')
  const source = await scrape(a)
  const read = (name: string): number | undefined => source.get(`godwit_${name}`)
  expect(read('migrations_total{role="source",outcome="completed"}')).toBe(1)
  expect(read('wire_bytes_total{role="source"}')).toBe(report.wireBytes)
  expect(read('rounds_total{role="source"}')).toBe(report.rounds.length)
  for (const [encoding, count] of Object.entries(report.pages!)) {
    expect(read(`pages_total{role="source",encoding="${encoding}"}`)).toBe(count)
  }
  expect(read('downtime_seconds_count')).toBe(1)
  expect(read('downtime_seconds_sum')).toBeCloseTo(report.downtimeMs! / 1e3)
  expect(read('downtime_seconds_bucket{le="+Inf"}')).toBe(1)
  expect(read('guests{state="left"}')).toBe(1)
  expect(read('guests{state="leaving"}')).toBe(1)
  expect(read('migration_bytes_per_second{guest="web2"}')).toBeDefined()
  expect(read('migration_bytes_per_second{guest="web1"}')).toBeUndefined()
  const destination = await scrape(b)
  expect(destination.get('godwit_guests{state="arriving"}')).toBe(1)
  const arrived = 'godwit_migrations_total{role="destination",outcome="completed"}'
  expect(destination.get(arrived)).toBe(1)
})

it('nothing else is served there, and nobody off the machine is asked in', async () => {
  const a = await startAgent('--metrics', '127.0.0.1:0')
  const [, address] = await a.process.line(/^metrics (.+)$/)
  expect((await fetch(`http://${address}/`)).status).toBe(404)
  expect((await fetch(`http://${address}/metrics`, { method: 'POST' })).status).toBe(405)
  const args = ['agent', '--listen', '127.0.0.1:0', '--state-dir', freshPath('state')]
  const open = await runCommandLine(...args, '--metrics', '0.0.0.0:0')
  expect(open).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/INSECURE_ADDRESS: .*--insecure-metrics/),
  })
  const alone = await runCommandLine(...args, '--insecure-metrics')
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringMatching(/is for --metrics/) })
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const taken = await runCommandLine(...args, '--metrics', `127.0.0.1:${port}`)
  expect(taken).toMatchObject({ code: 2, stderr: expect.stringMatching(/ADDRESS_IN_USE/) })
  other.close()
})
