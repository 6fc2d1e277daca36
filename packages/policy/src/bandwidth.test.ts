import { describe, expect, it } from 'vitest'
import { parseBandwidth } from './bandwidth.ts'

/** F is this with nothing used by others, so that figures can be checked by hand. */
const link = 100
const grant = (text: string, dirtyRates: number[], more: { isLast?: true; used?: number } = {}) =>
  parseBandwidth(text).grant({
    round: dirtyRates.length + 1,
    isLast: more.isLast ?? false,
    dirtyRates,
    usedByOthers: more.used ?? 0,
  })

describe('fixed', () => {
  it('grants its rate to every round, and everything without one', () => {
    expect(grant('fixed,rate=8kbit', [])).toBe(1000)
    expect(grant('fixed,rate=8kbit', [5e9], { isLast: true })).toBe(1000)
    expect(grant('fixed', [5e9])).toBe(Infinity)
  })
})

describe('clark', () => {
  const text = 'clark,min=100Mbit,max=500Mbit'

  it('starts with the least, then adds 50 Mbit/s to the dirty rate, ends with the most', () => {
    expect(grant(text, [])).toBe(12.5e6)
    // 30 MB/s are 240 Mbit/s: 290 Mbit/s.
    expect(grant(text, [30e6])).toBe(36.25e6)
    expect(grant(text, [30e6, 1e6])).toBe(12.5e6)
    expect(grant(text, [1e6, 100e6])).toBe(62.5e6)
    expect(grant(text, [1e6], { isLast: true })).toBe(62.5e6)
  })

  it('has the rates of the paper where none are given', () => {
    expect([grant('clark', []), grant('clark', [], { isLast: true })]).toEqual([12.5e6, 62.5e6])
    expect(grant('clark,min=1Gbit', [], { isLast: true })).toBe(125e6)
    expect(grant('clark,add=8Mbit', [20e6])).toBe(21e6)
    expect(grant('clark,max=50Mbit', [])).toBe(6.25e6)
    expect(grant('clark,max=50Mbit', [20e6])).toBe(6.25e6)
  })
})

describe('bda', () => {
  const text = `bda,link=${link * 8}bit`

  it.each([
    ['round 1: all that is free', [], 100],
    ['k = 2: M = D, so B = D', [60], 40],
    ['k = 3: B = (120 * 120 + 60 * 60) / 180 = 100, nothing is left but the floor', [60, 120], 5],
    ['k = 4: M = 90, B = 150 > F, c = 1.5, B = 40', [60, 120, 180], 60],
    ['k = 2 above F: c = 1, half of it', [300], 50],
    ['a falling rate: M = 60, B = (400 + 3600) / 80 = 50', [60, 20], 50],
    ['nothing was dirtied', [0], 100],
    ['nothing was dirtied in the round before: no ratio', [60, 0, 20], 100],
    ['nothing is dirtied any more: B = M', [40, 0], 60],
  ])('%s', (_, dirtyRates, expected) => {
    expect(grant(text, dirtyRates)).toBeCloseTo(expected, 9)
  })

  it('gives the last round all that is free', () => {
    expect(grant(text, [60, 120], { isLast: true })).toBe(100)
  })

  it('leaves to others what they use, measured or told, and keeps a twentieth', () => {
    expect(grant(text, [], { used: 30 })).toBe(70)
    expect(grant(`${text},used=160bit`, [], { used: 30 })).toBe(80)
    expect(grant(`${text},used=0`, [], { used: 30 })).toBe(100)
    expect(grant(text, [], { used: 400 })).toBe(5)
    expect(grant(text, [1e9, 2e9], { used: 400 })).toBeCloseTo((5 * 2) / 3, 9)
    // F = 50 and B = 50.
    expect(grant(text, [50], { used: 50 })).toBe(2.5)
  })

  it('jumps upward where the dirty rate passes what is free, as the paper has it', () => {
    expect(grant(text, [99])).toBeCloseTo(5, 9)
    expect(grant(text, [101])).toBe(50)
  })

  it('measures the link unless told', () => {
    const measures = (more: string): boolean => parseBandwidth(text + more).measuresLink
    expect([measures(''), measures(',used=0'), measures(',used=1Mbit')]).toEqual([
      true,
      false,
      false,
    ])
  })
})

describe('bda-smooth', () => {
  const text = `bda-smooth,link=${link * 8}bit`

  it.each([
    ['round 1', [], 100],
    ['nothing dirtied', [0], 100],
    ['B = 60', [60], 62.5],
    ['B = F: half', [100], 50],
    ['B = sqrt((120^2 + 60^2) / 2) = 94.868', [60, 120], 51.3167],
    ['M = 90, B = sqrt((180^2 + 90^2) / 2) = 142.302', [60, 120, 180], 41.2707],
    ['B = 19 F: the floor is reached', [1900], 5],
    ['beyond: the floor', [1e12], 5],
  ])('%s', (_, dirtyRates, expected) => {
    expect(grant(text, dirtyRates)).toBeCloseTo(expected, 4)
  })

  it('gives the last round all that is free', () => {
    expect(grant(text, [60], { isLast: true, used: 25 })).toBe(75)
  })
})

describe('parseBandwidth', () => {
  it.each([
    ['warp', /"warp" is not a bandwidth policy; there are fixed, clark, bda, bda-smooth/],
    ['', /"" is not a bandwidth policy/],
    ['bda', /"bda" takes link=RATE/],
    ['bda,link=0Mbit', /link: A rate of "0Mbit" moves nothing/],
    ['bda,link=100', /link: "100" is not a rate/],
    ['bda,link=1Gbit,floor=1', /bda has no "floor"; there is link, used/],
    ['clark,min=2Gbit,max=1Gbit', /min is above max/],
    ['fixed,rate', /"rate" is not OPTION=VALUE/],
    ['fixed,rate=', /"rate=" is not OPTION=VALUE/],
    ['fixed,=1', /"=1" is not OPTION=VALUE/],
    ['fixed,rate=1Gbit,rate=2Gbit', /"rate=2Gbit" is not OPTION=VALUE, each option once/],
  ])('refuses %j', (text, why) => {
    expect(() => parseBandwidth(text)).toThrow(why)
    expect(() => parseBandwidth(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('keeps what was written', () => {
    expect(parseBandwidth('bda,link=1Gbit')).toMatchObject({
      name: 'bda',
      setting: 'bda,link=1Gbit',
    })
  })
})
