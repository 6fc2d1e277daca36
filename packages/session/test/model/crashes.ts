/**
 * Processes that die, and are started anew.
 *
 * @module
 */
import { changeDestination } from './destination-side.ts'
import { dialAnew } from './errand.ts'
import { closeAtDestination, closeAtSource } from './network.ts'
import { changeSource } from './source-side.ts'
import type { Disk, System } from './system.ts'

/** So many of the writes that were under way are found at the next start. */
function after({ record, pending }: Disk, durable: number): Disk {
  return { record: pending[durable - 1]?.state ?? record, pending: [] }
}

export function crashSource(next: System, durable: number): void {
  closeAtSource(next)
  changeSource(next, {
    process: 'down',
    machine: { name: 'idle' },
    errand: 'none',
    isDialling: false,
    runs: false,
    disk: after(next.source.disk, durable),
  })
}

export function restartSource(next: System): void {
  changeSource(next, { process: 'recovering' })
  dialAnew(next)
}

export function crashDestination(next: System, durable: number): void {
  for (let index = next.lines.length - 1; index >= 0; index--) {
    const { source, destination } = next.lines[index]!
    // What nobody holds at either end is still to come.
    if (source === 'open' || destination !== 'dialled') closeAtDestination(next, index)
  }
  changeDestination(next, {
    process: 'down',
    machine: undefined,
    guest: 'none',
    isStarting: false,
    accepted: 0,
    known: 'none',
    disk: after(next.destination.disk, durable),
  })
}

export function restartDestination(next: System): void {
  changeDestination(next, { process: 'up', known: next.destination.disk.record })
}
