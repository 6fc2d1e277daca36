/**
 * Entries as the tests need them.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import type { GuestFacts, MachineFacts, MapKey, NewEntry } from '@godwit/catalog'
import { GodwitError } from '@godwit/core'
import { expect } from 'vitest'

export const debian = { name: 'debian', version: '12' }
export const qemu = { name: 'qemu', version: '8.2.0' }
export const mapKey: MapKey = { os: debian, hypervisor: qemu, pageBytes: 4096 }

export function vm(name: string, change: Partial<NewEntry<'vm'>> = {}): NewEntry<'vm'> {
  return {
    id: `id-${name}`,
    name,
    os: debian,
    hypervisor: qemu,
    machine: 'a',
    memoryBytes: 1024 ** 3,
    pageBytes: 4096,
    state: 'stored',
    memoryPath: '/images/ä b.mem',
    agent: null,
    session: null,
    epoch: 0,
    ...change,
  }
}

export function machine(name: string): NewEntry<'machine'> {
  const [memoryBytes, freeBytes] = [64 * 1024 ** 3, 2 ** 35]
  return { name, memoryBytes, freeBytes, load: 0.25, address: '10.0.0.1:7000', agent: null }
}

export function link(source: string, destination: string): NewEntry<'link'> {
  return { source, destination, cost: 1.5, bandwidthBytesPerSecond: 1.25e9 }
}

/** A guest as an agent tells of it. */
export function guest(name: string, id: string): GuestFacts {
  const [memoryBytes, pageBytes] = [2 ** 30, 4096]
  const releases = { os: debian, hypervisor: qemu }
  return { id, name, ...releases, machine: 'a', memoryBytes, pageBytes, state: 'running' }
}

export function machineFacts(name: string): MachineFacts {
  const { agent: _, ...facts } = machine(name)
  return facts
}

/** Rejects with this code; gives the error for a look at its text. */
export async function failure(code: string, work: Promise<unknown>): Promise<GodwitError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(GodwitError)
  expect((thrown as GodwitError).code).toBe(code)
  return thrown as GodwitError
}

/** What takes longer than this never comes. */
const neverMs = 25_000

/** Asks until it is so; entries expire by a clock that no test may turn. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + neverMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not so within ${neverMs} ms`)
    // Asked without a pause, this would keep who makes it so from doing it.
    await setTimeout(3)
  }
}
