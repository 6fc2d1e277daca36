import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBandwidth } from './bandwidth.ts'

const link = 125e6
const rate = fc.double({ min: 0, max: 1e11, noNaN: true })
const rates = fc.array(rate, { maxLength: 12 })
const used = fc.double({ min: 0, max: 3 * link, noNaN: true })
const statistics = fc.record({ dirtyRates: rates, usedByOthers: used, isLast: fc.boolean() })
const names = ['bda', 'bda-smooth'] as const

function grantOf(
  name: string,
  some: { dirtyRates: number[]; usedByOthers: number; isLast: boolean },
) {
  const text = name === 'clark' ? 'clark,min=10Mbit,max=1Gbit' : `${name},link=1Gbit`
  return parseBandwidth(text).grant({ round: some.dirtyRates.length + 1, ...some })
}

describe.each(names)('%s', (name) => {
  it('never grants more than is free, nor less than a twentieth of it', () => {
    fc.assert(
      fc.property(statistics, (some) => {
        const free = Math.max(link / 20, link - some.usedByOthers)
        const grant = grantOf(name, some)
        expect(grant).toBeLessThanOrEqual(free)
        expect(grant).toBeGreaterThanOrEqual(free / 20)
        expect(grant).toBeGreaterThan(0)
      }),
    )
  })
})

it('clark stays between its bounds', () => {
  fc.assert(
    fc.property(statistics, (some) => {
      const grant = grantOf('clark', some)
      expect(grant).toBeLessThanOrEqual(125e6)
      expect(grant).toBeGreaterThanOrEqual(1.25e6)
    }),
  )
})

describe('bda-smooth', () => {
  const withNewest = (
    dirtyRates: readonly number[],
    newest: number,
    usedByOthers: number,
  ): number =>
    grantOf('bda-smooth', { dirtyRates: [...dirtyRates, newest], usedByOthers, isLast: false })

  it('never grants more for a higher dirty rate', () => {
    fc.assert(
      fc.property(rates, rate, rate, used, (before, one, other, usedByOthers) => {
        const [low, high] = one < other ? [one, other] : [other, one]
        const more = withNewest(before, low, usedByOthers)
        expect(withNewest(before, high, usedByOthers)).toBeLessThanOrEqual(more)
      }),
    )
  })

  it('changes by no more than the dirty rate does: there is no step', () => {
    const step = fc.double({ min: 0, max: 1e6, noNaN: true })
    fc.assert(
      fc.property(rates, rate, step, (before, newest, more) => {
        const from = withNewest(before, newest, 0)
        const to = withNewest(before, newest + more, 0)
        // The slope of F^2 / (F + B) is at most 1, and that of B; then rounding.
        expect(Math.abs(from - to)).toBeLessThanOrEqual(more + 1e-3)
      }),
    )
  })

  it('is the same whatever the unit', () => {
    fc.assert(
      fc.property(fc.array(rate, { minLength: 1, maxLength: 5 }), (dirtyRates) => {
        const one = parseBandwidth('bda-smooth,link=1Mbit,used=0')
        const kilo = parseBandwidth('bda-smooth,link=1Gbit,used=0')
        const facts = { round: 2, isLast: false, usedByOthers: 0 }
        const scaled = dirtyRates.map((each) => each * 1000)
        const granted = one.grant({ ...facts, dirtyRates })
        expect(kilo.grant({ ...facts, dirtyRates: scaled }) / granted).toBeCloseTo(1000, 6)
      }),
    )
  })
})
