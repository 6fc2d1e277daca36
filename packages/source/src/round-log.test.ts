import { MIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { RoundLog } from './round-log.ts'
import { emptyRound } from './round-work.ts'

/** Rounds of so many MiB, each in one second, with these caps in MiB/s and times of looks. */
function logOf(
  rounds: readonly (readonly [size: number, cap?: number | undefined, lookMs?: number])[],
): RoundLog {
  const log = new RoundLog(4096, 64 * MIB)
  for (const [index, [size, cap, lookMs = 0]] of rounds.entries()) {
    const sent = { ...emptyRound(), frameBytes: size * MIB, lookMs }
    const granted = cap === undefined ? {} : { grantedBandwidth: cap * MIB }
    log.add(index + 1, size * 256, sent, { ms: 1000, paused: false, ...granted })
  }
  return log
}

it('what a pause is expected to get', () => {
  const expected = (log: RoundLog, cap = Infinity) =>
    log.statistics(0, 0, cap * MIB).pauseBandwidth / MIB
  expect(expected(logOf([[64], [8]]))).toBe(8)
  expect(expected(logOf([[64], [8]]), 2)).toBe(2)
  // At the floor of its policy.
  expect(
    expected(
      logOf([
        [64, 64],
        [4, 4],
      ]),
      64,
    ),
  ).toBe(64)
  expect(
    expected(
      logOf([
        [64, 64],
        [4, 4],
      ]),
      32,
    ),
  ).toBe(32)
  expect(
    expected(
      logOf([
        [64, 64],
        [4, 8],
      ]),
      64,
    ),
  ).toBe(4)
  // A round of less than 1 MiB tells nothing, and neither does its cap.
  expect(
    expected(
      logOf([
        [64, 64],
        [0.5, 0.5],
      ]),
      128,
    ),
  ).toBe(64)
})

it('a round of looks rather than of pages tells no more than that the link is no slower', () => {
  const bandwidths = (...rounds: Parameters<typeof logOf>[0]): [number, number] => {
    const log = logOf(rounds)
    return [log.bandwidth / MIB, log.statistics(0, 0, Infinity).pauseBandwidth / MIB]
  }
  expect(bandwidths([64], [8, undefined, 501])).toEqual([64, 64])
  expect(bandwidths([64], [8, undefined, 500])).toEqual([8, 8])
  expect(bandwidths([64], [80, undefined, 2000])).toEqual([80, 80])
  // Its cap tells nothing either, and there is nothing better than the first round.
  expect(bandwidths([64, 64], [8, 8, 900])).toEqual([64, 64])
  expect(bandwidths([8, undefined, 900])).toEqual([8, 8])
})

it('what looks took is reported where there were any', () => {
  const { rounds } = logOf([[64], [8, undefined, 125]])
  expect(rounds.map(({ scanMs }) => scanMs)).toEqual([undefined, 125])
  expect('scanMs' in rounds[0]!).toBe(false)
  // Each with its own bandwidth.
  expect(rounds.map(({ bandwidth }) => bandwidth / MIB)).toEqual([64, 8])
})

it('a round that is logged while some of it is on its way lasts until that is there', () => {
  const log = new RoundLog(4096, 64 * MIB)
  const sent = { ...emptyRound(), frameBytes: 64 * MIB }
  log.add(1, 16_384, sent, { ms: 1000, paused: false }, 16 * MIB)
  expect(log.bandwidth).toBe(48 * MIB)
  log.lasted(1250)
  const [round] = log.rounds
  expect(round).toMatchObject({ ms: 1250, bytes: 64 * MIB, bandwidth: (64 / 1.25) * MIB })
})
