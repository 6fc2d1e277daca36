import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GuestHere } from './guest-table.ts'
import { GuestTable, lineOf } from './guest-table.ts'

const facts = (name: string): { name: string; kind: string; memoryBytes: number } => {
  return { name, kind: 'writer', memoryBytes: 4096 }
}
const here: GuestHere = {
  guest: undefined,
  pageBytes: 4096,
  steps: () => 7,
  release: async () => {},
}

describe('names of guests', () => {
  it('are free again once the guest is not here, and not as long as it is in doubt', () => {
    const table = new GuestTable()
    const first = table.add(facts('web1'), 'running')
    const taken = expect.objectContaining({ code: 'USAGE' }) as Error
    expect(() => table.add(facts('web1'), 'running')).toThrow(taken)
    table.change(first, 'in-doubt')
    expect(() => table.add(facts('web1'), 'running')).toThrow(taken)
    table.change(first, 'left')
    const second = table.add(facts('web1'), 'running')
    expect(table.entries).toEqual([second])
    // The old one is another guest.
    table.remove(first)
    expect(table.entries).toEqual([second])
  })

  it('stay taken while a copy is kept, whatever the guest is', () => {
    const table = new GuestTable()
    const entry = table.add(facts('web1'), 'running')
    table.place(entry, here)
    table.change(entry, 'kept')
    expect(table.live).toEqual([entry])
    expect(() => table.add(facts('web1'), 'running')).toThrow('here already')
    table.place(entry, undefined)
    expect(table.live).toEqual([])
  })

  it('are made from what is wanted, or from the kind', () => {
    const table = new GuestTable()
    const nameFor = (wanted: string | undefined): string => {
      return table.add(facts(table.freeName(wanted, 'writer')), 'running').name
    }
    expect([nameFor('web1'), nameFor('web1'), nameFor(undefined), nameFor('../x')]).toEqual([
      'web1',
      'web1-1',
      'writer-2',
      'writer-3',
    ])
  })

  it('are names, whatever a peer says, and never those of another', () => {
    const word = fc.oneof(fc.string(), fc.string({ unit: 'binary-ascii', maxLength: 70 }))
    const wish = fc.tuple(fc.option(word, { nil: undefined }), word)
    const wishLists = fc.array(wish, { maxLength: 12 })
    fc.assert(
      fc.property(wishLists, (wishes) => {
        const table = new GuestTable()
        for (const [wanted, kind] of wishes) {
          const name = table.freeName(wanted, kind)
          table.add({ name, kind, memoryBytes: 1 }, 'arriving')
        }
        const names = table.entries.map(({ name }) => name)
        // What is no name is refused by the table itself.
        expect(new Set(names).size).toBe(wishes.length)
      }),
      { numRuns: 30 },
    )
  })
})

describe('the table', () => {
  it('says since when a guest is as it is, and why until it is otherwise', () => {
    let nowMs = 1000
    const table = new GuestTable(() => nowMs)
    const entry = table.add(facts('web1'), 'running')
    nowMs = 2000
    table.change(entry, 'running', { reason: 'because' })
    expect(lineOf(entry)).toMatchObject({ since: new Date(1000).toISOString(), reason: 'because' })
    table.change(entry, 'left', { peer: 'b:1' })
    expect(lineOf(entry)).toEqual({
      ...facts('web1'),
      state: 'left',
      since: new Date(2000).toISOString(),
      peer: 'b:1',
    })
  })

  it('tells of every change, and when the last guest is not here any more', async () => {
    const table = new GuestTable()
    let changes = 0
    table.listen(() => changes++)
    const entry = table.add(facts('web1'), 'running')
    table.place(entry, here)
    const empty = table.settled(() => true)
    table.change(entry, 'left')
    expect(table.live).toEqual([entry])
    table.place(entry, undefined)
    await empty
    expect(changes).toBe(4)
  })

  it('remembers the last hundred of those that are not here', () => {
    const table = new GuestTable()
    const stays = table.add(facts('stays'), 'running')
    for (let i = 0; i < 150; i++) table.change(table.add(facts(`g${i}`), 'running'), 'left')
    expect(table.entries.length).toBeLessThanOrEqual(102)
    expect(table.entries).toContain(stays)
    expect(table.entries.at(-1)!.name).toBe('g149')
  })
})
