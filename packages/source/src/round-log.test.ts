import { MIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { RoundLog } from './round-log.ts'
import { emptyRound } from './round-work.ts'

/** Rounds of so many MiB, each in one second, with these caps in MiB/s. */
function logOf(rounds: readonly (readonly [size: number, cap?: number])[]): RoundLog {
  const log = new RoundLog(4096, 64 * MIB)
  for (const [index, [size, cap]] of rounds.entries()) {
    const sent = { ...emptyRound(), frameBytes: size * MIB }
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
