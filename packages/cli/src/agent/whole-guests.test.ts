import { beforeEach, describe, expect, it } from 'vitest'
import type { GuestEntry, GuestState } from './guest-table.ts'
import { GuestTable } from './guest-table.ts'
import type { HeldGuest } from './held-guest.ts'
import { wholeGuests } from './whole-guests.ts'

const bytes = new Uint8Array(new SharedArrayBuffer(8192))
let table = new GuestTable()
beforeEach(() => {
  table = new GuestTable()
})

function held(hasMemory: boolean): HeldGuest {
  const done = (): Promise<void> => Promise.resolve()
  return {
    failed: new Promise(() => {}),
    regions: hasMemory ? [{ id: 0, name: 'ram', bytes }] : [],
    take: () => Promise.reject(new Error('it stays')),
    goesOn: done,
    moved: done,
  }
}

/** A guest in the table; without `guest` pages of it are still to come. */
function add(
  name: string,
  guest: HeldGuest | undefined,
  state: GuestState = 'running',
  change = {},
): GuestEntry {
  const entry = table.add({ name, kind: 'idle', memoryBytes: 8192 }, 'starting', change)
  const pageBytes = 4096
  const release = (): Promise<void> => Promise.resolve()
  table.place(entry, { guest, pageBytes, steps: () => undefined, release })
  table.change(entry, state)
  return entry
}

describe('guests that are whole', () => {
  it('are those that run, and lack no pages: reading one that does would wait for them', () => {
    add('whole', held(true))
    add('arrives', undefined)
    add('leaves', held(true), 'leaving')
    const names = wholeGuests(table, () => undefined).map(({ names: [name] }) => name)
    expect(names).toEqual(['whole'])
  })

  it('have their memory, and go by their names here and in the catalog', () => {
    const entry = add('web1', held(true), 'running', { session: 'ab' })
    const registered = { name: 'db1', id: 'id-1' } as ReturnType<Parameters<typeof wholeGuests>[1]>
    const [whole] = wholeGuests(table, (one) => (one === entry ? registered : undefined))
    expect(whole).toEqual({
      names: ['web1', 'db1', 'ab'],
      id: 'id-1',
      memory: [{ name: 'web1', regions: [bytes] }],
    })
    expect(whole!.memory[0]).toHaveProperty('regions.0', bytes)
  })

  it('are VMs, too, whose memory is in files that change', () => {
    add('file', held(false), 'running', { vm: 'qemu,qmp=/run/vm.qmp,ram=/dev/shm/vm' })
    add('stream', held(false), 'running', { vm: 'qemu,attach=stream,qmp=/no/such/vm.qmp' })
    expect(wholeGuests(table, () => undefined).map(({ memory }) => memory)).toEqual([
      [{ file: '/dev/shm/vm', isMapped: true }],
      [],
    ])
  })
})
