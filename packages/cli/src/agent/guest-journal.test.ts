import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OwnerRecord } from '@godwit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GuestJournal } from './guest-journal.ts'
import type { GuestState } from './guest-table.ts'
import { GuestTable } from './guest-table.ts'
import type { Log } from './log.ts'

let directory = ''
let told: [level: string, facts: object, text: string][] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'godwit-'))
  told = []
})
afterEach(() => rmSync(directory, { recursive: true }))

const teller = (level: string) => (facts: object, text: string) => told.push([level, facts, text])
const log = { warn: teller('warn'), error: teller('error') } as unknown as Log

const owners = (states: Readonly<Record<string, string>>): { find(id: string): OwnerRecord } => {
  return { find: (id: string) => ({ state: states[id] }) as OwnerRecord }
}

/** What an agent finds after one that had these guests. */
function after(
  guests: readonly (readonly [string, GuestState, ('source' | 'destination')?, string?])[],
  records: Readonly<Record<string, string>> = {},
): GuestTable {
  const before = new GuestTable()
  new GuestJournal(directory, log).follow(before)
  for (const [name, state, role, session] of guests) {
    before.add({ name, kind: 'idle', memoryBytes: 1 }, state, { role, session })
  }
  const table = new GuestTable()
  new GuestJournal(directory, log).restore(table, owners(records))
  return table
}

function states(table: GuestTable): Readonly<Record<string, string>> {
  return Object.fromEntries(table.entries.map(({ name, state }) => [name, state]))
}

describe('after an agent that died', () => {
  it('guests that ran are lost, and those that never were its own are not there', () => {
    const table = after([
      ['starting', 'starting'],
      ['running', 'running'],
      ['came', 'running', 'destination', 'c0'],
      ['arriving', 'arriving', 'destination', 'c1'],
      ['failed', 'failed'],
      ['ended', 'ended'],
    ])
    expect(states(table)).toEqual({
      starting: 'lost',
      running: 'lost',
      came: 'lost',
      failed: 'lost',
      ended: 'ended',
    })
  })

  it('VMs that were here run on, but where the records say that they went', () => {
    const before = new GuestTable()
    new GuestJournal(directory, log).follow(before)
    const vm = { vm: 'qemu,qmp=/run/a,ram=/dev/shm/a', pid: 7, pageBytes: 4096 }
    const from = { role: 'source', ...vm } as const
    const facts = { kind: 'qemu', memoryBytes: 1 }
    before.add({ name: 'held', ...facts }, 'running', vm)
    before.add({ name: 'back', ...facts }, 'leaving', { ...from, session: 'owner' })
    before.add({ name: 'gone', ...facts }, 'leaving', { ...from, session: 'moved' })
    before.add({ name: 'doubt', ...facts }, 'leaving', { ...from, session: 'released' })
    const table = new GuestTable()
    const records = { owner: 'owner', moved: 'moved', released: 'released' }
    new GuestJournal(directory, log).restore(table, owners(records))
    expect(states(table)).toEqual({
      held: 'running',
      back: 'running',
      gone: 'left',
      doubt: 'in-doubt',
    })
    expect(table.find('held')).toMatchObject(vm)
    expect(table.find('held').here).toBeUndefined()
  })

  it('those on their way are whose the records say they are', () => {
    const guests = ['owner', 'released', 'moved', 'none'].map((one) => {
      return [one, 'leaving', 'source', one] as const
    })
    const table = after(guests, { owner: 'owner', released: 'released', moved: 'moved' })
    expect(states(table)).toEqual({
      owner: 'lost',
      released: 'in-doubt',
      moved: 'left',
      none: 'lost',
    })
    expect(told.map(([level, facts]) => [level, facts])).toMatchObject([
      ['warn', { guest: 'owner', was: 'leaving', state: 'lost' }],
      ['warn', { guest: 'released', was: 'leaving', state: 'in-doubt' }],
      ['warn', { guest: 'moved', was: 'leaving', state: 'left' }],
      ['warn', { guest: 'none', was: 'leaving', state: 'lost' }],
    ])
  })

  it('what was known before stays known', () => {
    const table = after([
      ['left', 'left', 'source', 'a'],
      ['doubt', 'in-doubt', 'source', 'b'],
      ['lost', 'lost'],
    ])
    expect(states(table)).toEqual({ left: 'left', doubt: 'in-doubt', lost: 'lost' })
    expect(told).toEqual([])
  })
})

describe('the file', () => {
  it.each([
    ['is no JSON', 'x'],
    ['is of something else', '{"format":"other","guests":[]}'],
    ['has no guests', '{"format":"godwit.agent/1"}'],
  ])('that %s is told, and nothing is taken from it', (_name, text) => {
    writeFileSync(join(directory, 'guests.json'), text)
    const table = new GuestTable()
    new GuestJournal(directory, log).restore(table, owners({}))
    expect(table.entries).toEqual([])
    expect(told.map(([level, , said]) => [level, said])).toEqual([
      ['warn', expect.stringMatching(/^damaged/)],
    ])
  })

  it('is read line by line: lines in it that are none are left out', () => {
    const table = new GuestTable()
    new GuestJournal(directory, log).follow(table)
    table.add({ name: 'web1', kind: 'idle', memoryBytes: 1 }, 'left')
    const path = join(directory, 'guests.json')
    const stored = JSON.parse(readFileSync(path, 'utf8')) as { guests: object[] }
    const [line] = stored.guests
    const odd = [
      null,
      7,
      { ...line, name: '../x' },
      { ...line, state: 'odd' },
      { ...line, since: 1 },
    ]
    writeFileSync(path, JSON.stringify({ ...stored, guests: [...odd, line] }))
    const next = new GuestTable()
    new GuestJournal(directory, log).restore(next, owners({}))
    expect(states(next)).toEqual({ web1: 'left' })
  })

  it('that cannot be written is told once', () => {
    const table = new GuestTable()
    new GuestJournal(join(directory, 'gone'), log).follow(table)
    for (const name of ['a', 'b']) table.add({ name, kind: 'idle', memoryBytes: 1 }, 'left')
    expect(told).toMatchObject([['error', { code: 'ENOENT' }, 'names cannot be written']])
  })
})
