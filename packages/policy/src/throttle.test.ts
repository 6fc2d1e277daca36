import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkThrottle, parseThrottle, THROTTLE_SHARE_MAX } from './throttle.ts'

describe('auto-converge', () => {
  const policy = parseThrottle('auto-converge')
  const dirty = { sentBytes: 1000, dirtyBytes: 501, dirtyRate: 0, ms: 1 }

  it('takes 20 %, then 10 % more each time, and 99 % at most', () => {
    const shares: number[] = []
    let share = 0
    for (let round = 0; round < 11; round++) shares.push((share = policy.next(share, dirty)))
    expect(shares).toEqual([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.99, 0.99])
  })

  it('leaves the guest as it is while no more than half of what was sent is dirty again', () => {
    const clean = { ...dirty, dirtyBytes: 500 }
    expect([policy.next(0, clean), policy.next(0.3, clean)]).toEqual([0, 0.3])
  })

  it('can be set', () => {
    const other = parseThrottle('auto-converge,start=5,step=45,max=70')
    const first = other.next(0, dirty)
    const second = other.next(first, dirty)
    expect([first, second, other.next(second, dirty)]).toEqual([0.05, 0.5, 0.7])
  })
})

describe('dirty-limit', () => {
  const policy = parseThrottle('dirty-limit,rate=100MB')
  const next = (share: number, dirtyRate: number, ms = 50): number =>
    policy.next(share, { sentBytes: 0, dirtyBytes: 0, dirtyRate, ms })

  it('cuts in proportion to what is too much, and a little more', () => {
    expect(next(0, 100e6)).toBe(0)
    // r = 100 * 0.9 / 200.
    expect(next(0, 200e6)).toBeCloseTo(0.55, 9)
    // r = 0.45 * 0.9 / 1.5.
    expect(next(0.55, 150e6)).toBeCloseTo(0.73, 9)
  })

  it('stays while the rate is between 80 and 100 % of the quota, and gives time back below', () => {
    expect([next(0.55, 100e6), next(0.55, 80e6)]).toEqual([0.55, 0.55])
    // r = 0.2 * sqrt(90 / 22.5) = 0.4.
    expect(next(0.8, 22.5e6)).toBeCloseTo(0.6, 9)
    // r = sqrt(0.25).
    expect([next(0.55, 1e6), next(0.75, 0)]).toEqual([0, 0.5])
  })

  it('believes a short round less, and one of no time not at all', () => {
    // r = (90 / 360)^(25 / 50) = 0.5, then 0.5 * (90 / 1440)^(12.5 / 50) = 0.25.
    expect(next(0, 360e6, 25)).toBeCloseTo(0.5, 9)
    expect(next(0.5, 1440e6, 12.5)).toBeCloseTo(0.75, 9)
    expect([next(0.5, 1e12, 0), next(0.5, 0, 0)]).toEqual([0.5, 0.5])
    // r = 0.0625 * (1 / 0.0625)^(1 / 4).
    expect(next(0.9375, 0, 25)).toBeCloseTo(0.875, 9)
    expect(next(0, 200e6, 5000)).toBe(next(0, 200e6))
  })

  it('leaves a hundredth of its time to any guest', () => {
    expect(next(0, 1e12)).toBeCloseTo(0.99, 12)
  })

  it('brings any guest below its quota, however its rate saturates', () => {
    const guest = fc.record({
      // Pages stored to per second at full speed, and distinct pages there are, in quotas.
      full: fc.double({ min: 0.01, max: 50, noNaN: true }),
      distinct: fc.double({ min: 0.5, max: 1000, noNaN: true }),
    })
    fc.assert(
      fc.property(guest, ({ full, distinct }) => {
        const observed = (share: number): number =>
          100e6 * distinct * (1 - Math.exp((-full * (1 - share)) / distinct))
        let share = 0
        for (let round = 0; round < 40; round++) share = next(share, observed(share))
        expect(observed(share)).toBeLessThanOrEqual(100e6 * 1.001)
      }),
    )
  })
})

describe('any throttle', () => {
  it.each(['auto-converge', 'auto-converge,step=99', 'dirty-limit,rate=1MB'])(
    '%s takes between nothing and 99 %',
    (text) => {
      const policy = parseThrottle(text)
      const amount = fc.double({ min: 0, max: 1e13, noNaN: true })
      const names = ['sentBytes', 'dirtyBytes', 'dirtyRate', 'ms'] as const
      const fields = Object.fromEntries(names.map((name) => [name, amount]))
      const statistics = fc.record(fields as Record<(typeof names)[number], typeof amount>)
      fc.assert(
        fc.property(fc.array(statistics, { maxLength: 30 }), (rounds) => {
          let share = 0
          for (const round of rounds) {
            share = policy.next(share, round)
            expect(share).toBeGreaterThanOrEqual(0)
            expect(share).toBeLessThanOrEqual(THROTTLE_SHARE_MAX)
          }
        }),
      )
    },
  )
})

describe('parseThrottle', () => {
  it.each([
    ['none', /"none" is not a throttle; there are auto-converge, dirty-limit/],
    ['dirty-limit', /takes rate=RATE/],
    ['dirty-limit,rate=5', /"5" is not a rate/],
    ['auto-converge,start=0', /start=0: a percentage from 1 to 99/],
    ['auto-converge,step=1.5', /step=1.5: a percentage/],
    ['auto-converge,max=100', /max=100: a percentage/],
    ['auto-converge,max=10', /start is above max/],
    ['auto-converge,rate=1MB', /auto-converge has no "rate"/],
  ])('refuses %j', (text, why) => {
    expect(() => parseThrottle(text)).toThrow(why)
    expect(() => parseThrottle(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('needs a mode with rounds', () => {
    expect(() => checkThrottle('stop-copy', 'auto-converge')).toThrow(
      /mode stop-copy has no rounds/,
    )
    expect(() => checkThrottle('post-copy', 'auto-converge')).toThrow(/has no rounds/)
    expect(() => checkThrottle('hybrid', 'auto-converge')).not.toThrow()
    expect(() => checkThrottle('post-copy', undefined)).not.toThrow()
  })
})
