/**
 * `godwit catalog place`, `route` and `simulate`, as commands.
 */
import { readFileSync } from 'node:fs'
import type { Simulation } from '@godwit/catalog'
import { Catalog, simulate, simulationDefaults } from '@godwit/catalog'
import { GIB } from '@godwit/core'
import { afterEach, describe, expect, it } from 'vitest'
import { endProcesses, freshPath, runGodwit } from './process.ts'

afterEach(endProcesses)

const os = { name: 'debian', version: '12' }
const hypervisor = { name: 'qemu', version: '8.2' }

/** Machines a to d; `db` runs on a, a sibling on c, and nothing leads to d. */
async function makeFleet(): Promise<string> {
  const file = freshPath('fleet.db')
  const catalog = await Catalog.open(file)
  const { entries } = catalog
  for (const name of ['a', 'b', 'c', 'd']) {
    const memory = { memoryBytes: 64 * GIB, freeBytes: 32 * GIB }
    await entries.add('machine', { name, ...memory, load: 0.5, address: null, agent: null })
  }
  for (const [name, machine] of [
    ['db', 'a'],
    ['web', 'c'],
  ] as const) {
    const guest = { id: name, name, os, hypervisor, machine, memoryBytes: 4 * GIB, pageBytes: 4096 }
    const rest = { memoryPath: null, agent: null, session: null, epoch: 0 }
    await entries.add('vm', { ...guest, ...rest, state: 'running' })
  }
  for (const [source, destination, cost] of [
    ['a', 'b', 1],
    ['b', 'c', 2],
  ] as const) {
    const bandwidthBytesPerSecond = 1.25e8
    await entries.add('link', { source, destination, cost, bandwidthBytesPerSecond })
  }
  await catalog.close()
  return file
}

/** `machine rule` of each. */
function reasons(list: readonly { machine: string; reason: { rule: string } }[]) {
  return list.map(({ machine, reason }) => `${machine} ${reason.rule}`)
}

describe('godwit catalog', () => {
  it('places a guest away from its pair, and routes another to a sibling', async () => {
    const file = await makeFleet()
    const pair = ['--os', 'debian/12', '--hypervisor', 'qemu/8.2', '--memory', '4GiB']
    const [placed, routed, full] = await Promise.all([
      runGodwit('catalog', 'place', '--catalog', file, ...pair, '--json'),
      runGodwit('catalog', 'route', 'db', '--catalog', file),
      runGodwit('catalog', 'place', '--catalog', file, ...pair.slice(0, 4), '--memory', '33GiB'),
    ])
    const place = JSON.parse(placed.stdout)
    expect([place.chosen, ...reasons(place.ranked)]).toEqual([
      'b',
      'b name',
      'd name',
      'a pair',
      'c pair',
    ])
    expect(routed.stdout).toMatch(/^to c\nbefore b: a sibling runs there, the other none\n/)
    expect(routed.stdout).toMatch(/\npath a > b > c: cost 3, slowest link 125.0 MB\/s\n/)
    const order = [...routed.stdout.matchAll(/^(\d\.|-) +([a-d]) /gm)].map((line) => line[2])
    expect(order).toEqual(['c', 'b', 'a', 'd'])
    expect(routed.stdout).toMatch(/^- +d .* no path from a$/m)
    expect([full.code, full.stderr]).toEqual([1, 'godwit: NO_ROOM: None of 4 machines fits\n'])
    expect(full.stdout).toMatch(/32 GiB free, 33 GiB needed/)
  })

  it('simulates, and draws what it found', async () => {
    const plot = freshPath('plot.svg')
    const world = ['--machines', '60', '--vms', '400', '--seed', '7', '--machines-per-rack', '6']
    const drawn = await runGodwit('catalog', 'simulate', ...world, '--plot', plot, '--json')
    expect(drawn.code).toBe(0)
    const simulation = JSON.parse(drawn.stdout) as Simulation
    const options = { machines: 60, vms: 400, seed: 7, machinesPerRack: 6 }
    const same = JSON.stringify(simulate({ ...simulationDefaults, ...options }))
    expect(simulation).toEqual(JSON.parse(same))
    const svg = readFileSync(plot, 'utf8')
    expect(svg).toMatch(/^<svg /)
    for (const said of [
      '60 machines, 400 guests',
      'seed 7',
      'find a sibling (%)',
      '(% of non-zero memory)',
      '(sum of link costs)',
      '(standard deviation, % of mean)',
      'least-loaded + least-loaded',
    ]) {
      expect(svg).toContain(said)
    }
    expect(svg).not.toMatch(/NaN|undefined/)
  })
})
