import { beforeEach, describe, expect, it } from 'vitest'
import type { NewGuest } from '../agent-registration.ts'
import type { GuestEntry, GuestHere } from './guest-table.ts'
import { GuestTable } from './guest-table.ts'
import { registerGuests } from './registered-guests.ts'

const here: GuestHere = {
  guest: undefined,
  pageBytes: 4096,
  steps: () => undefined,
  release: () => Promise.resolve(),
}
const facts = { kind: 'idle', memoryBytes: 8192 }
let table = new GuestTable()
let told: unknown[] = []

beforeEach(() => {
  table = new GuestTable()
  told = []
})

const registration = {
  guest(guest: NewGuest) {
    const name = guest.identity!.name
    told.push(guest)
    return {
      name,
      id: undefined,
      leaves: (session: string) => void told.push([name, 'leaves', session]),
      stays: () => void told.push([name, 'stays']),
      left: () => void told.push([name, 'left']),
      ends: () => void told.push([name, 'ends']),
    }
  },
}

/** One that runs here, which was told. */
function running(name: string): GuestEntry {
  const entry = table.add({ name, ...facts }, 'starting')
  table.place(entry, here)
  table.change(entry, 'running')
  told = []
  return entry
}

describe('guests of the table', () => {
  it('are told once they run here, with all that is known', () => {
    const entry = table.add({ name: 'web1', ...facts }, 'starting', { os: 'debian/12' })
    table.add({ name: 'old', ...facts }, 'left')
    table.add({ name: 'lost', ...facts }, 'running')
    const session = 'ab'.repeat(16)
    const came = table.add({ name: 'came', ...facts }, 'arriving', { session, role: 'destination' })
    registerGuests(table, registration)
    expect(told).toEqual([])
    for (const one of [entry, came]) {
      table.place(one, here)
      table.change(one, 'running')
      table.change(one, 'running')
    }
    const sizes = { ...facts, pageBytes: 4096 }
    const os = { name: 'debian', version: '12' }
    expect(told).toEqual([
      { ...sizes, identity: { name: 'web1', os, hypervisor: null }, arrival: undefined },
      { ...sizes, identity: { name: 'came', os: null, hypervisor: null }, arrival: session },
    ])
  })

  it('leave by a session, and stay, or are elsewhere', () => {
    registerGuests(table, registration)
    const entry = running('web1')
    table.change(entry, 'leaving', { session: undefined })
    expect(told).toEqual([])
    table.change(entry, 'leaving', { session: 'one' })
    table.change(entry, 'leaving', { session: 'one' })
    table.change(entry, 'running')
    table.change(entry, 'leaving', { session: 'two' })
    table.change(entry, 'in-doubt')
    table.change(entry, 'left')
    table.remove(entry)
    expect(told).toEqual([
      ['web1', 'leaves', 'one'],
      ['web1', 'stays'],
      ['web1', 'leaves', 'two'],
      ['web1', 'left'],
    ])
  })

  it('end where they die, or are stopped', () => {
    registerGuests(table, registration)
    const [dead, stopped, gone] = [running('dead'), running('stopped'), running('gone')]
    told = []
    table.change(dead, 'failed')
    table.place(dead, undefined)
    // As `godwit stop` does.
    table.change(stopped, 'left')
    table.remove(stopped)
    table.remove(gone)
    expect(told).toEqual([
      ['dead', 'ends'],
      ['stopped', 'ends'],
      ['gone', 'ends'],
    ])
    table.change(running('dead'), 'leaving', { session: 'one' })
    expect(told).toEqual([['dead', 'leaves', 'one']])
  })
})
