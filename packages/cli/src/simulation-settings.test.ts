import { GIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import {
  formatSizes,
  parseLinkCosts,
  parseNumber,
  parsePercent,
  parsePercentRange,
  parsePolicies,
  parseSizes,
  parseZipf,
} from './simulation-settings.ts'

describe('values of the simulation', () => {
  it('are read', () => {
    expect(parsePercent('44%')).toBe(0.44)
    expect(parsePercentRange('58%-69%')).toEqual([0.58, 0.69])
    expect(parsePercentRange('60%')).toEqual([0.6, 0.6])
    expect(parseZipf('1,0.5')).toEqual([1, 0.5])
    expect(parseZipf('2')).toEqual([2, 2])
    expect(parseLinkCosts('1,2,4')).toEqual([1, 2, 4])
    const sizes = [
      { memoryBytes: GIB, cpus: 0.5, weight: 3 },
      { memoryBytes: 4 * GIB, cpus: 2, weight: 1 },
    ]
    expect(parseSizes('1GiB/0.5:3,4GiB/2:1')).toEqual(sizes)
    expect(parseSizes(formatSizes(sizes))).toEqual(sizes)
    expect(parsePolicies('escdr+random,least-loaded+least-loaded')).toEqual([
      { placement: 'escdr', routing: 'random' },
      { placement: 'least-loaded', routing: 'least-loaded' },
    ])
  })

  it.each([
    [parsePercent, '44'],
    [parsePercent, '-1%'],
    [parsePercentRange, '1%-2%-3%'],
    [parsePercentRange, '1%-'],
    [parseNumber, '1e9'],
    [parseNumber, ''],
    [parseZipf, '1,2,3'],
    [parseLinkCosts, '1,2'],
    [parseLinkCosts, '1,2,3,4'],
    [parseSizes, '1GiB/2'],
    [parseSizes, '1GiB/2:3:4'],
    [parseSizes, '1GiB:2/3'],
    [parsePolicies, 'escdr'],
    [parsePolicies, 'escdr+chance'],
    [parsePolicies, 'escdr+escdr+escdr'],
    [parsePolicies, 'escdr+escdr,escdr+escdr'],
  ])('%o refuses %j', (parse: (text: string) => unknown, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
