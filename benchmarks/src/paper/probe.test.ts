import { MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { Cell } from './cell.ts'
import { parseComplaint, samplesOf } from './probe.ts'
import { sendOptions } from './run-cell.ts'

const cell: Cell = {
  load: 'KCS',
  memoryBytes: 64 * MIB,
  way: 'BDA',
  guest: 'kcs',
  options: ['--select', 'ppc', '--bandwidth', 'bda,link=1000bit'],
  linkRate: 125,
  competingRate: 50,
}

describe('what a command complains about', () => {
  it('is nothing, when it came to its last check', () => {
    expect(parseComplaint('godwit: FILE_UNWRITABLE: no\n')).toBeUndefined()
    expect(parseComplaint('godwit: USAGE: unknown option\n')).toBe('unknown option')
    expect(parseComplaint('crash\n')).toBe('it said: crash')
  })

  it('is looked for in few cells that have everything', () => {
    const guests = ['a', 'b', 'c']
    const ways = ['--x', '--y']
    const cells = guests.flatMap((guest) => ways.map((way) => ({ ...cell, guest, options: [way] })))
    const samples = samplesOf(cells)
    expect(samples).toHaveLength(4)
    expect(new Set(samples.map(({ guest }) => guest))).toEqual(new Set(guests))
    expect(new Set(samples.map(({ options }) => options[0]))).toEqual(new Set(ways))
  })
})

describe('options of a run', () => {
  it('tell a policy what others use only where it cannot see that', () => {
    const bandwidth = (kind: 'tbf' | 'proxy', competingRate: number): string | undefined =>
      sendOptions({ ...cell, competingRate }, kind).find((option) => option.startsWith('bda'))
    expect(bandwidth('tbf', 50)).toBe('bda,link=1000bit')
    expect(bandwidth('proxy', 50)).toBe('bda,link=1000bit,used=400bit')
    expect(bandwidth('proxy', 0)).toBe('bda,link=1000bit,used=0')
  })

  it('have the size and a limit on time', () => {
    const options = sendOptions(cell, 'tbf').join(' ')
    expect(options).toMatch(/^--memory 67108864 --timeout \d+ms:cancel --select ppc /)
  })
})
