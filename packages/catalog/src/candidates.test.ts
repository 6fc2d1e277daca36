import { GIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { candidatesOf } from './candidates.ts'
import type { MachineRecord, VmRecord, VmState } from './records.ts'
import { destinationsOf } from './route.ts'

const os = { name: 'debian', version: '12' }
const hypervisor = { name: 'qemu', version: '8.2' }
const noLease = { updatedMs: 0, heartbeatMs: null, leaseMs: null }

function machine(name: string, facts: Partial<MachineRecord> = {}): MachineRecord {
  const memory = { memoryBytes: 8 * GIB, freeBytes: 4 * GIB, load: 0.5 }
  return { name, ...memory, address: `${name}:7000`, agent: null, ...noLease, ...facts }
}

function vm(on: string, state: VmState, facts: Partial<VmRecord> = {}): VmRecord {
  const guest = { id: `${on}-${state}`, name: `${on}-${state}`, os, hypervisor, machine: on, state }
  const rest = { memoryPath: null, agent: null, session: null, epoch: 0, ...noLease }
  return { ...guest, memoryBytes: GIB, pageBytes: 4096, ...rest, ...facts }
}

it('counts guests of the pair, and tells those whose memory is there', () => {
  const vms = [
    vm('a', 'running'),
    vm('a', 'migrating'),
    vm('a', 'stored'),
    vm('a', 'running', { os: { name: 'debian', version: '11' } }),
    vm('a', 'running', { hypervisor: null }),
    vm('b', 'stored', { memoryPath: '/images/b' }),
    vm('nowhere', 'running'),
  ]
  const machines = [machine('a'), machine('b'), machine('c')]
  const found = candidatesOf(machines, vms, { os, hypervisor }, 1000)
  const counts = found.map((one) => [one.machine, one.ofPair, one.siblings, one.images])
  expect(counts).toEqual([
    ['a', 3, 1, 0],
    ['b', 1, 0, 1],
    ['c', 0, 0, 0],
  ])
  expect(found[0]).toMatchObject({ freeBytes: 4 * GIB, load: 0.5, address: 'a:7000', isLive: true })
  const unknown = candidatesOf(machines, vms, { os: null, hypervisor }, 1000)
  expect(unknown.map(({ ofPair }) => ofPair)).toEqual([0, 0, 0])
})

it('tells machines whose agents are silent', () => {
  const machines = [machine('a', { heartbeatMs: 100, leaseMs: 50 })]
  const isLive = (nowMs: number) => candidatesOf(machines, [], { os, hypervisor }, nowMs)[0]?.isLive
  expect([isLive(149), isLive(150)]).toEqual([true, false])
})

it('has the way to each machine, by cost or by links; without links all are as near', () => {
  const candidates = candidatesOf(
    [machine('b'), machine('c'), machine('d')],
    [],
    { os, hypervisor },
    0,
  )
  const link = (source: string, destination: string, cost: number) => ({
    source,
    destination,
    cost,
    bandwidthBytesPerSecond: 1e9,
    updatedMs: 0,
  })
  const links = [link('a', 'b', 1), link('b', 'c', 1), link('a', 'c', 5)]
  const ways = (...given: Parameters<typeof destinationsOf>) =>
    destinationsOf(...given).map(({ path }) => path?.machines.join(' '))
  expect(ways(candidates, links, 'a', 'cheapest')).toEqual(['a b', 'a b c', undefined])
  expect(ways(candidates, links, 'a', 'shortest')).toEqual(['a b', 'a c', undefined])
  expect(ways(candidates, [], 'a', 'cheapest')).toEqual(['a b', 'a c', 'a d'])
})
