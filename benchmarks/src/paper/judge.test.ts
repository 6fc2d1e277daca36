import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Says } from './claim.ts'
import { changesOf, formatChanges, formatRuling, formatSays, judge } from './judge.ts'

const tenthLess: Says = { kind: 'change', percent: -9.85 }
const halfMore: Says = { kind: 'change', percent: 50 }

describe('a measurement', () => {
  it.each<[Says, number[], string]>([
    [tenthLess, [-12, -10, -8], 'agrees'],
    [tenthLess, [-5, -3, -1], 'weaker'],
    [tenthLess, [-30, -20, -12], 'stronger'],
    [tenthLess, [2, 3, 12], 'contradicts'],
    [tenthLess, [-2, 1, 3], 'not seen'],
    [tenthLess, [-15, -2, 3], 'undecided'],
    [tenthLess, [0, 0, 0], 'not seen'],
    [tenthLess, [-12, -10], 'undecided'],
    [tenthLess, [-12, Number.NaN, -10], 'undecided'],
    [halfMore, [40, 50, 60], 'agrees'],
    [halfMore, [-40, -1, -2], 'contradicts'],
    [{ kind: 'less' }, [-30, -1, -2], 'agrees'],
    [{ kind: 'less' }, [0.1, 1, 2], 'contradicts'],
    [{ kind: 'less' }, [-1, 1, -2], 'not seen'],
    [{ kind: 'more' }, [1, 1, 2], 'agrees'],
    [{ kind: 'more' }, [-1, -1, -2], 'contradicts'],
    [{ kind: 'same' }, [-5, 0, 5], 'agrees'],
    [{ kind: 'same' }, [-5, 0, 6], 'undecided'],
    [{ kind: 'same' }, [6, 7, 8], 'contradicts'],
    [{ kind: 'same' }, [-6, -7, -8], 'contradicts'],
    [{ kind: 'same' }, [-7, 7, 0], 'undecided'],
  ])('%j, measured %j: %s', (says, percents, ruling) => {
    expect(judge(says, percents).ruling).toBe(ruling)
  })

  it('says the same of a claim and its mirror image', () => {
    const percent = fc.integer({ min: -100, max: 100 })
    fc.assert(
      fc.property(percent, fc.array(percent, { minLength: 3, maxLength: 5 }), (figure, ours) => {
        fc.pre(figure !== 0)
        const mirrored = judge(
          { kind: 'change', percent: -figure },
          ours.map((one) => -one),
        )
        expect(mirrored.ruling).toBe(judge({ kind: 'change', percent: figure }, ours).ruling)
      }),
    )
  })

  it('is compared pair by pair', () => {
    const [less, more] = changesOf([90, 300], [100, 200])
    expect(less).toBeCloseTo(-10)
    expect(more).toBeCloseTo(50)
  })
})

describe('words', () => {
  it('say a contradiction plainly', () => {
    expect(formatRuling(judge(tenthLess, [2, 3, 12]))).toBe('CONTRADICTS THE PAPER')
    expect(formatRuling(judge(tenthLess, [2]))).toBe('undecided: fewer than 3 pairs')
  })

  it('give the figures of both', () => {
    expect(formatSays(tenthLess)).toBe('-9.85 %')
    expect(formatSays(halfMore)).toBe('+50 %')
    expect(formatSays({ kind: 'same' })).toBe('the same')
    expect(formatChanges([-1.26, 30, 2])).toBe('+2.0 % (-1.3 ... +30.0)')
    expect(formatChanges([])).toBe('not measured')
  })
})
