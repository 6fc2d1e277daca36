import { describe, expect, it } from 'vitest'
import type { ContentKind } from './compression-policy.ts'
import {
  BreakEvenCompression,
  BudgetedCompression,
  FixedCompression,
} from './compression-policy.ts'

const mib = 1 << 20
/** Of levels, level 1 being 1. */
const speeds: Readonly<Record<number, number>> = { 1: 1, 3: 0.7, 6: 0.28, 9: 0.19, 12: 0.12 }

/** Levels for both kinds on a link of so many bytes per millisecond. */
function levels(parallel: number, linkBytesPerMs: number | undefined): [number, number] {
  const policy = new BreakEvenCompression(parallel)
  for (const nowMs of [0, 1000]) policy.linkTakes(linkBytesPerMs, false, nowMs)
  return [policy.level('plain'), policy.level('records')]
}

describe('BreakEvenCompression, before anything was compressed', () => {
  // A byte of text: 1 / 350,000 ms a core at level 1, and a third of it on the link.
  it.each([
    ['nothing is known', 2, undefined, [0, 0]],
    // 80 us a KB raw. Level 12: 12 us on two cores, 24.2 on one and on the link; level 9: 24.4.
    ['100 Mbit/s', 2, 12.5e3, [12, 1]],
    ['100 Mbit/s, one core', 1, 12.5e3, [9, 1]],
    // 8 us a KB raw. Level 1: 1.4 and 2.6 us; level 3: 2.0 and 2.5; level 6: 5.1 and 2.5.
    ['1 Gbit/s', 2, 125e3, [3, 1]],
    // Level 1: 2.9 us and 2.6; level 3: 4.1 and 2.5.
    ['1 Gbit/s, one core', 1, 125e3, [1, 1]],
    // 3.2 us a KB raw. Level 1: 1.4 us and 1.1; level 3: 2.0 and 1.0.
    ['2.5 Gbit/s', 2, 312.5e3, [1, 1]],
    // 1.6 us a KB raw. Level 1: 1.8 us with the look at the pages; records 0.73 and 0.21.
    ['5 Gbit/s', 2, 625e3, [0, 1]],
    // 0.8 us a KB raw, less a tenth: 0.72; records take 0.73.
    ['10 Gbit/s', 2, 1.25e6, [0, 0]],
    // 0.286 us a KB raw, less a tenth: 0.257; level 1 takes 1.4 us, records 0.33.
    ['a loopback of 3.5 GB/s', 2, 3.5e6, [0, 0]],
    ['a loopback of 3.5 GB/s, one core', 1, 3.5e6, [0, 0]],
  ] as const)('%s, %i at a time', (_, parallel, link, expected) => {
    expect(levels(parallel, link)).toEqual(expected)
  })

  it('compresses nothing on a link that is still to be measured, however slow it may be', () => {
    const policy = new BreakEvenCompression(2)
    policy.linkTakes(600e3, true, 0)
    expect(policy.isLinkFast).toBe(true)
    policy.linkTakes(600e3, false, 1)
    expect(policy.isLinkFast).toBe(false)
    expect(policy.facts.linkBytesPerSecond).toBe(600e6)
  })

  it('never makes the link wait where that would not pay', () => {
    for (let link = 1e3; link < 1e7; link *= 1.1) {
      const [plain] = levels(2, link)
      const speed = plain === 0 ? Infinity : speeds[plain]!
      const encodeMs = 1 / (2 * 350e3 * speed)
      expect(encodeMs).toBeLessThan(0.9 / link)
    }
  })

  it('takes 6 ms a batch where the link has enough to do for 10 ms more', () => {
    const policy = new BreakEvenCompression(2)
    for (const nowMs of [0, 1000]) policy.linkTakes(125e3, false, nowMs)
    // Of a MiB on two cores, level 6 takes 5.3 ms, 9 takes 7.9 ms and 12 takes 12.5 ms.
    const slacks = [0, 10, 15, 16, 18, 23, 1000]
    const chosen = slacks.map((slackMs) => policy.level('plain', mib, slackMs))
    expect(chosen).toEqual([3, 3, 3, 6, 6, 6, 6])
    policy.linkTakes(3.5e6, false, 1001)
    expect(policy.level('plain', mib, 10)).toBe(0)
  })

  it('takes up to 20 ms a batch for level 3 where enough is on its way for 20 ms more', () => {
    const policy = new BreakEvenCompression(1)
    for (const nowMs of [0, 1000]) policy.linkTakes(125e3, false, nowMs)
    // Of a MiB on one core, level 1 takes 3.4 ms, level 3 takes 4.7 and level 6 takes 11.
    const chosen = [0, 24, 25, 60, 1000].map((ms) => policy.level('plain', mib, 0, ms))
    expect(chosen).toEqual([1, 1, 3, 3, 3])
    // Of 8 MiB level 3 would take 38 ms.
    expect(policy.level('plain', 8 * mib, 0, 1000)).toBe(1)
    // All the credit there is takes a fast link less than that.
    policy.linkTakes(3.5e6, false, 1001)
    expect(policy.level('plain', mib, 0, (16 * mib) / 3.5e6)).toBe(0)
  })

  it('goes by what is presumed of a link, where that is not known', () => {
    const policy = new BreakEvenCompression(1)
    const levelOn = (known: number | undefined, presumed: number | undefined): number => {
      const link = { bytesPerMs: () => known, isAtLeast: false, presumedBytesPerMs: presumed }
      policy.linkIs(link, 0)
      return policy.level('plain')
    }
    expect([levelOn(undefined, undefined), levelOn(undefined, 120e3)]).toEqual([0, 1])
    expect([levelOn(3.5e6, 120e3), levelOn(120e3, undefined)]).toEqual([0, 1])
    // What was presumed is no fact.
    expect(policy.facts.linkBytesPerSecond).toBe(120e6)
    const other = new BreakEvenCompression(1)
    other.linkIs({ bytesPerMs: () => undefined, isAtLeast: false, presumedBytesPerMs: 5 }, 0)
    expect(other.facts.linkBytesPerSecond).toBe(0)
  })

  it('takes a level that costs much only where the link was slow for a second', () => {
    const policy = new BreakEvenCompression(2)
    const levelAt = (nowMs: number, link: number): number => {
      policy.linkTakes(link, false, nowMs)
      return policy.level('plain')
    }
    expect([levelAt(0, 12.5e3), levelAt(999, 12.5e3)]).toEqual([3, 3])
    expect([levelAt(1000, 12.5e3), levelAt(1500, 12.5e3)]).toEqual([12, 12])
    // A link that is faster is believed at once, and remembered for one second to two.
    expect([levelAt(1600, 125e3), levelAt(1700, 12.5e3)]).toEqual([3, 3])
    expect([levelAt(2000, 12.5e3), levelAt(2999, 12.5e3)]).toEqual([3, 3])
    expect(levelAt(3000, 12.5e3)).toBe(12)
  })

  it('keeps versions only while the link has something to do', () => {
    const policy = new BreakEvenCompression(1)
    expect([0, 3.9, 4, 100].map((slackMs) => policy.keepsVersions(slackMs))).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  it('wants no harder level on a faster link', () => {
    let last: readonly number[] = [19, 19]
    for (let link = 1e3; link < 1e8; link *= 1.05) {
      const now = levels(2, link)
      expect(now[0]).toBeLessThanOrEqual(last[0]!)
      expect(now[1]).toBeLessThanOrEqual(last[1]!)
      last = now
    }
    expect(last).toEqual([0, 0])
  })
})

describe('BreakEvenCompression, told what came of it', () => {
  it('gives up what does not become smaller, or takes too long', () => {
    for (const [share, bytesPerMs] of [
      [0.97, 350e3],
      [0.33, 50e3],
    ]) {
      const policy = new BreakEvenCompression(2)
      policy.linkTakes(125e3, false, 0)
      const tried: number[] = []
      for (let level = policy.level('plain'); level > 0; level = policy.level('plain')) {
        const speed = speeds[level]!
        policy.compressed('plain', level, mib, mib * share!, mib / (bytesPerMs! * speed))
        tried.push(level)
      }
      expect(tried.length).toBeLessThan(30)
      expect([policy.level('plain'), policy.level('records')]).toEqual([0, 1])
      expect(policy.isLinkFast).toBe(false)
    }
  })

  it('measures level 1 by what other levels do', () => {
    const policy = new BreakEvenCompression(1)
    policy.linkTakes(125e3, false, 0)
    for (let i = 0; i < 60; i++) {
      policy.compressed('plain', 9, mib, mib * 0.5 * 0.925, mib / (400e3 * speeds[9]!))
    }
    const { plainBytesPerSecond, plainSize, linkBytesPerSecond } = policy.facts
    expect(plainBytesPerSecond / 400e6).toBeCloseTo(1, 3)
    expect(plainSize).toBeCloseTo(0.5, 3)
    expect(linkBytesPerSecond).toBe(125e6)
  })

  it('is not misled by one slow batch, by small ones or by other levels', () => {
    const policy = new BreakEvenCompression(2)
    policy.linkTakes(125e3, false, 0)
    policy.compressed('plain', 1, mib, mib * 0.33, mib / 10e3)
    for (let i = 0; i < 100; i++) {
      policy.compressed('plain', 1, 4096, 4096, 1)
      policy.compressed('plain', 2, mib, mib, 1000)
      policy.compressed('plain', 1, mib, mib, 0)
    }
    expect(policy.level('plain')).toBeGreaterThan(0)
    expect(policy.facts.plainSize).toBeCloseTo(0.33, 6)
  })
})

describe('BudgetedCompression', () => {
  /** Batches for so long: 12 ms of a core each, 4 ms apart where nothing is compressed. */
  function usedShare(share: number, kind: ContentKind, ms: number): number {
    const policy = new BudgetedCompression(3, share)
    let nowMs = 1000
    let usedMs = 0
    while (nowMs < 1000 + ms) {
      policy.at(nowMs)
      const level = policy.level(kind)
      const costMs = level === 0 ? 0 : 12
      nowMs += Math.max(4, costMs)
      if (level === 0) continue
      usedMs += costMs
      policy.compressed(kind, level, mib, mib / 3, costMs, nowMs)
    }
    return usedMs / (nowMs - 1000)
  }

  it.each([0.05, 0.1, 0.25, 0.5, 0.75])('keeps a share of %d', (share) => {
    expect(usedShare(share, 'plain', 20_000)).toBeCloseTo(share, 2)
  })

  it('of a core or more is never used up by one job at a time', () => {
    for (const share of [1, 2, Infinity]) expect(usedShare(share, 'plain', 5000)).toBe(1)
  })

  it('is nothing to keep to where there is none', () => {
    const policy = new BudgetedCompression(3, Infinity)
    policy.compressed('plain', 3, mib, mib / 3, 0, 10)
    expect([policy.level('plain'), policy.level('records')]).toEqual([3, 1])
  })

  it('gives up records last: they get as much again', () => {
    expect(usedShare(0.25, 'records', 20_000)).toBeCloseTo(0.5, 2)
    const policy = new BudgetedCompression(3, 0.25)
    policy.compressed('plain', 3, mib, mib / 3, 10, 10)
    policy.at(30)
    expect([policy.level('plain'), policy.level('records')]).toEqual([0, 1])
    policy.at(40)
    expect([policy.level('plain'), policy.level('records')]).toEqual([3, 1])
  })
})

it('FixedCompression has one level for everything', () => {
  const policy = new FixedCompression(7)
  policy.at()
  policy.compressed()
  expect(policy.level()).toBe(7)
})
