/**
 * Guests that are whole here: in their memory others may have what they have in common with them.
 *
 * @module
 */
import { ramFilesOf, readPlace } from '@godwit/qemu'
import type { Sibling } from 'godwit'
import type { WholeGuest } from '../siblings.ts'
import type { GuestEntry, GuestTable } from './guest-table.ts'
import type { ReadRegistered } from './registered-guests.ts'

export function wholeGuests(
  { entries }: Pick<GuestTable, 'entries'>,
  registered: ReadRegistered,
): readonly WholeGuest[] {
  const whole = entries.filter(
    ({ state, here }) => state === 'running' && here?.guest !== undefined,
  )
  return whole.map((entry) => {
    const { name, session } = entry
    const told = registered(entry)
    return { names: [name, told?.name, session], id: told?.id, memory: memoryOf(entry) }
  })
}

/** Of a VM it is in files, whether its pages came by this agent or it was there before. */
function memoryOf({ name, vm, pid, here }: GuestEntry): readonly Sibling[] {
  if (vm !== undefined) {
    const files = ramFilesOf(readPlace(vm), pid !== undefined)
    return files.map((file) => ({ file, isMapped: true }))
  }
  const regions = here?.guest?.regions.map(({ bytes }) => bytes) ?? []
  return regions.length === 0 ? [] : [{ name, regions }]
}
