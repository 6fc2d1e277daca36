/**
 * The guests of an agent in the catalog: from when they run here until they end, or are elsewhere.
 *
 * @module
 */
import { parseRelease } from '@godwit/catalog'
import type { NewGuest, RegisteredGuest } from '../agent-registration.ts'
import type { GuestEntry, GuestState, GuestTable } from './guest-table.ts'

/** What is told of guests that are there. */
export interface Registration {
  guest(guest: NewGuest): RegisteredGuest
}

interface Told {
  readonly registered: RegisteredGuest
  /** The session that it leaves by, as was told last. */
  session: string | undefined
}

/** Its destination has it, whatever is kept here. */
const elsewhere: ReadonlySet<GuestState> = new Set(['left', 'kept', 'stranded'])
/** The table says so, or did before it went. */
const here: ReadonlySet<GuestState> = new Set(['running', 'leaving', 'in-doubt'])

/** What the catalog was told of a guest, if anything was. */
export type ReadRegistered = (guest: GuestEntry) => RegisteredGuest | undefined

/** Follows the table from now on. */
export function registerGuests(table: GuestTable, registration: Registration): ReadRegistered {
  const told = new Map<GuestEntry, Told>()
  const look = (): void => {
    for (const entry of table.entries) {
      const known = told.get(entry)
      if (known !== undefined) follow(entry, known)
      else if (entry.state === 'running' && entry.here !== undefined) {
        told.set(entry, { registered: registration.guest(newGuest(entry)), session: undefined })
      }
    }
    for (const [entry, { registered, session }] of told) {
      if (here.has(entry.state) && table.has(entry)) continue
      told.delete(entry)
      if (session !== undefined && elsewhere.has(entry.state)) registered.left()
      else registered.ends()
    }
  }
  table.listen(look)
  look()
  return (entry) => told.get(entry)?.registered
}

function follow({ state, session }: GuestEntry, told: Told): void {
  const leaving = state === 'leaving' ? session : undefined
  if (leaving === told.session || (state !== 'leaving' && state !== 'running')) return
  told.session = leaving
  if (leaving === undefined) told.registered.stays()
  else told.registered.leaves(leaving)
}

function newGuest(entry: GuestEntry): NewGuest {
  const { name, kind, memoryBytes, role, session } = entry
  const [os = null, hypervisor = null] = [entry.os, entry.hypervisor].map((text) =>
    text === undefined ? null : parseRelease(text),
  )
  return {
    kind,
    memoryBytes,
    pageBytes: entry.here!.pageBytes,
    arrival: role === 'destination' ? session : undefined,
    identity: { name, os, hypervisor },
  }
}
