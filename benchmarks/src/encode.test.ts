import { describe, expect, it } from 'vitest'
import { chooseParts } from './encode.ts'

const namesOf = (quick: boolean, only?: readonly string[]): readonly string[] =>
  chooseParts({ quick, ...(only === undefined ? {} : { only }) }).map(({ name }) => name)

describe('the parts of encode', () => {
  it('are all measured, but for the slow link when it has to be quick', () => {
    const all = ['delta', 'compressors', '100mbit', '1gbit', 'loopback']
    expect(namesOf(false)).toEqual(all)
    expect(namesOf(true)).toEqual(all.filter((name) => name !== '100mbit'))
  })

  it('are those that are asked for, the slow link, too', () => {
    expect(namesOf(true, ['loopback', '100mbit'])).toEqual(['loopback', '100mbit'])
  })

  it('have names, and others are refused', () => {
    expect(() => namesOf(false, ['delta', '10gbit'])).toThrow('"10gbit" is not a part of encode')
  })

  it('that need no link ask for none', () => {
    const linked = chooseParts({ quick: false }).filter(({ rate }) => rate !== undefined)
    expect(linked.map(({ name }) => name)).toEqual(['100mbit', '1gbit'])
  })
})
