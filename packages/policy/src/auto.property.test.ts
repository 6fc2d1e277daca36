/**
 * Whatever a guest does: the rounds end, within their caps, and as it may be.
 */
import { MIB } from '@godwit/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { AutoTerms } from './auto.ts'
import { AUTO_BUDGET, AUTO_ROUNDS_MAX, Auto } from './auto.ts'
import { expectedDowntimeMs } from './stop-condition.ts'

const pageBytes = 4096

interface World {
  readonly memoryPages: number
  readonly bandwidth: number
  readonly pauseOverheadMs: number
  /** Round by round, over and over: pages stored to per second, of how many different ones. */
  readonly stores: readonly { readonly perSecond: number; readonly set: number }[]
  /** What a page takes on the wire from round 2 on. */
  readonly encoded: number
}

const worlds: fc.Arbitrary<World> = fc.record({
  memoryPages: fc.integer({ min: 1, max: (4096 * MIB) / pageBytes }),
  bandwidth: fc.double({ min: 1e5, max: 5e9, noNaN: true }),
  pauseOverheadMs: fc.double({ min: 0, max: 500, noNaN: true }),
  stores: fc.array(
    fc.record({
      perSecond: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e6, noNaN: true })),
      set: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    { minLength: 1, maxLength: 12 },
  ),
  encoded: fc.double({ min: 0.01, max: 1, noNaN: true }),
})

const allTerms: fc.Arbitrary<AutoTerms> = fc.record({
  targetMs: fc.double({ min: 1, max: 5000, noNaN: true }),
  canPostCopy: fc.boolean(),
  canThrottle: fc.boolean(),
  canPeek: fc.boolean(),
})

/** Plays a migration to its end. A throttle takes what it says of the stores. */
function play(auto: Auto, world: World) {
  const { memoryPages, bandwidth, stores, encoded } = world
  let [toSend, lastDirtyPages, share, sent, first] = [memoryPages, Infinity, 0, 0, 0]
  for (let round = 1; ; round++) {
    const bytes = toSend * pageBytes * (round === 1 ? 1 : encoded)
    const roundMs = Math.max(1, (bytes / bandwidth) * 1e3)
    sent += bytes
    if (round === 1) first = bytes
    const { perSecond, set } = stores[(round - 1) % stores.length]!
    const most = Math.floor(set * memoryPages)
    const dirtyPages = Math.min(most, Math.floor((perSecond * (1 - share) * roundMs) / 1e3))
    const statistics = {
      round,
      dirtyPages,
      lastDirtyPages,
      dirtyBytes: dirtyPages * pageBytes,
      bandwidth,
      pauseBandwidth: bandwidth,
      pauseOverheadMs: world.pauseOverheadMs,
      firstRoundBytes: first,
      laterRoundsBytes: sent - first,
      memoryBytes: memoryPages * pageBytes,
      sentPages: toSend,
      roundMs,
      freshPages: dirtyPages,
    }
    const { texts, end } = auto.observe(statistics)
    for (const text of texts) expect(text).not.toMatch(/\n|NaN|undefined/)
    if (end !== undefined) return { statistics, end, sent }
    expect(round).toBeLessThan(AUTO_ROUNDS_MAX)
    const dirtyRate = (statistics.dirtyBytes / roundMs) * 1e3
    const seen = { sentBytes: bytes, dirtyBytes: statistics.dirtyBytes, dirtyRate, ms: roundMs }
    share = auto.throttle.next(share, seen)
    ;[toSend, lastDirtyPages] = [dirtyPages, dirtyPages]
  }
}

it('rounds end, after 30 and 3 times memory at the latest', () => {
  fc.assert(
    fc.property(worlds, allTerms, (world, terms) => {
      const { statistics, end, sent } = play(new Auto(terms), world)
      expect(statistics.round).toBeLessThanOrEqual(AUTO_ROUNDS_MAX)
      expect(sent).toBeLessThanOrEqual(AUTO_BUDGET * world.memoryPages * pageBytes)
      for (const number of Object.values(end.numbers)) expect(Number.isFinite(number)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

it('in post-copy only where it may be; in a pause that is too long only where it may not', () => {
  fc.assert(
    fc.property(worlds, allTerms, (world, terms) => {
      const { statistics, end } = play(new Auto(terms), world)
      const isMet = statistics.dirtyPages === 0 || end.rule === 'downtime'
      expect(end.next).toBe(!isMet && terms.canPostCopy ? 'post-copy' : 'switch-over')
      if (end.rule !== 'downtime' || statistics.dirtyPages === 0) return
      expect(end.numbers['expectedMs']).toBeLessThanOrEqual(terms.targetMs)
      // With what the link was seen to carry it is no shorter than by the rate of its frames.
      expect(end.numbers['bandwidth']).toBeGreaterThanOrEqual(world.bandwidth)
    }),
    { numRuns: 2000 },
  )
})

it('a guest that stores nothing has one round, whatever it may be', () => {
  fc.assert(
    fc.property(worlds, allTerms, (world, terms) => {
      const still = { ...world, stores: [{ perSecond: 0, set: 0 }] }
      const { statistics, end } = play(new Auto(terms), still)
      expect([statistics.round, end.rule]).toEqual([1, 'downtime'])
    }),
  )
})

it('a longer target takes no more rounds', () => {
  const factors = fc.double({ min: 1, max: 10, noNaN: true })
  fc.assert(
    fc.property(worlds, allTerms, factors, (world, terms, factor) => {
      const steady = { ...world, encoded: 1, stores: world.stores.slice(0, 1) }
      const near = play(new Auto(terms), steady)
      fc.pre(near.end.rule === 'downtime')
      const far = play(new Auto({ ...terms, targetMs: terms.targetMs * factor }), steady)
      expect(far.statistics.round).toBeLessThanOrEqual(near.statistics.round)
      expect(far.end.rule).toBe('downtime')
    }),
    { numRuns: 1000 },
  )
})

it('without encodings its estimate is that of the stop rule', () => {
  fc.assert(
    fc.property(worlds, allTerms, (world, terms) => {
      const { statistics, end } = play(new Auto(terms), { ...world, encoded: 1 })
      if (end.rule !== 'downtime') return
      const expectedMs = expectedDowntimeMs(statistics)
      const told = end.numbers['expectedMs']!
      expect(told).toBeLessThanOrEqual(expectedMs * (1 + 1e-9))
      expect(told).toBeGreaterThanOrEqual(expectedMs * (1 - 1e-9))
    }),
  )
})
