/**
 * Migrations one after another between the same two processes: whatever each of them took is given
 * back. All two hundred with GODWIT_LONG.
 */
import { setTimeout } from 'node:timers/promises'
import { KIB, MIB } from '@godwit/core'
import { afterAll, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import { AgentProcess, freshFile, removeFiles } from './agent-process.ts'
import type { Footprint } from './footprint.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined
const migrations = isLong ? 200 : 8
/** Code is compiled, pools of allocators fill up, threads of the runtime are started. */
const warmUp = isLong ? 60 : 4
/**
 * What is compiled on the way, by and by: 2 KiB for each at the source and 8 KiB at the destination
 * over 140 migrations, in which heap snapshots show code and no objects; more at first.
 */
const heapSlopeMax = 12 * KIB
/** Allocators keep what threads that are gone have used; a guest that stays behind is 1 MiB. */
const residentSlopeMax = MIB / 4
/** Of a few migrations a line says nothing: the least of four, then and four migrations later. */
const growthMax = 2 * MIB

const guest = ['writer,wss=256KiB,rate=20000', '--memory', '1MiB', '--warmup', '5ms', '--quiet']
const ways = [
  ['--mode', 'pre-copy', '--stop', 'max-rounds=2', '--lanes', '1'],
  ['--mode', 'post-copy', '--lanes', '1'],
  ['--mode', 'stop-copy', '--lanes', '0'],
  ['--mode', 'hybrid,rounds=1', '--lanes', '2'],
]

const agents: AgentProcess[] = []
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.end()))
  removeFiles()
})

function start(): AgentProcess {
  const agent = new AgentProcess()
  agents.push(agent)
  return agent
}

async function serve(): Promise<{
  agent: AgentProcess
  address: string
  idle: () => Promise<void>
}> {
  const [agent, control] = [start(), freshFile('soak.sock')]
  void agent.run(['receive', '--listen', '127.0.0.1:0', '--run-for', '50ms', '--control', control])
  const status = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const answer = await callControl(control, 'status').catch(() => undefined)
      if (answer !== undefined) return answer as Record<string, unknown>
      await setTimeout(5)
    }
  }
  const idle = async (): Promise<void> => {
    for (let told = await status(); ; told = await status()) {
      const { guests, sessions } = told as { guests: unknown[]; sessions: unknown[] }
      if (guests.length + sessions.length === 0 && agent.journal.isEmpty) return
      await setTimeout(5)
    }
  }
  return { agent, address: String((await status())['listening']), idle }
}

/** What each step adds, by a line through all of them (least squares). */
function slopeOf(values: readonly number[]): number {
  const mean = (list: readonly number[]): number =>
    list.reduce((sum, value) => sum + value, 0) / list.length
  const [x, y] = [(values.length - 1) / 2, mean(values)]
  const over = values.reduce((sum, value, i) => sum + (i - x) * (value - y), 0)
  return over / values.reduce((sum, _, i) => sum + (i - x) ** 2, 0)
}

function expectFlat(who: string, footprints: readonly Footprint[]): void {
  const [first, last] = [footprints[0]!, footprints.at(-1)!]
  const slopes = {
    heap: Math.round(slopeOf(footprints.map(({ heapBytes }) => heapBytes))),
    resident: Math.round(slopeOf(footprints.map(({ residentBytes }) => residentBytes))),
  }
  const resident = `${Math.round(first.residentBytes / MIB)} to ${last.residentBytes / MIB} MiB`
  console.log(`${who}: ${JSON.stringify({ ...slopes, resident })} bytes per migration`)
  const held = ({ descriptors, threads, resources }: Footprint): object => {
    return { descriptors, threads, resources }
  }
  for (const footprint of footprints) expect(held(footprint)).toEqual(held(first))
  const heap = footprints.map(({ heapBytes }) => heapBytes)
  const growth = Math.min(...heap.slice(-4)) - Math.min(...heap.slice(0, 4))
  expect(growth).toBeLessThan(growthMax)
  expect(slopes.heap).toBeLessThan(isLong ? heapSlopeMax : Infinity)
  expect(slopes.resident).toBeLessThan(isLong ? residentSlopeMax : Infinity)
}

const timeout = isLong ? 1_800_000 : 120_000
it('many migrations leave nothing behind in either process', { timeout }, async () => {
  const [source, destination] = [start(), await serve()]
  const footprints: { readonly here: Footprint; readonly there: Footprint }[] = []
  for (let done = 0; done < migrations; done++) {
    const way = ways[done % ways.length]!
    const { code, stderr } = await source.run([
      'send',
      ...guest,
      '--to',
      destination.address,
      ...way,
    ])
    // A guest that got to no step in its time there, on a busy machine, proves nothing.
    expect({ code, stderr }).toMatchObject({ code: expect.toBeOneOf([0, 5]) as number })
    await destination.idle()
    expect(destination.agent.journal.take(process.hrtime.bigint()).isRight).toBe(true)
    if (done < warmUp) continue
    footprints.push({ here: await source.measure(), there: await destination.agent.measure() })
  }
  expectFlat(
    'source',
    footprints.map(({ here }) => here),
  )
  expectFlat(
    'destination',
    footprints.map(({ there }) => there),
  )
})
