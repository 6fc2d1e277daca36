import type { Clock } from '@godwit/core'
import { systemClock } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { EarlyPause } from './early-pause.ts'

/** Rounds that say when to stop the guest, and what came of it, in order. */
function setUp(waitMs: number | undefined, holds = true) {
  const done: string[] = []
  const timers: { readonly ms: number; readonly task: () => void }[] = []
  const clock: Clock = {
    ...systemClock,
    after(ms, task) {
      timers.push({ ms, task })
      return () => done.push('cancelled')
    },
  }
  const rounds = { foresee: async () => waitMs, settle: () => holds, look: () => done.push('look') }
  const facts = { isWanted: true }
  const pause = new EarlyPause(clock, rounds, {
    stand: async () => {
      done.push('stand')
      pause.stands()
    },
    isWanted: () => facts.isWanted,
    failed: (thrown) => done.push(String(thrown)),
  })
  const turn = (): Promise<void> => new Promise((resolve) => systemClock.soon(resolve))
  return { pause, done, timers, facts, turn }
}

describe('a guest that is stopped early', () => {
  it('is when what is on its way takes no longer than the look', async () => {
    const { pause, done, timers, turn } = setUp(30)
    const begun = pause.begin(1)
    await turn()
    expect([timers.map(({ ms }) => ms), done]).toEqual([[30], []])
    timers[0]!.task()
    await begun
    expect(done).toEqual(['stand', 'look'])
  })

  it('is not where there is another round, or what was foreseen holds no longer', async () => {
    const other = setUp(undefined)
    await other.pause.begin(1)
    expect([other.timers, other.done]).toEqual([[], []])
    for (const [isWanted, holds] of [
      [false, true],
      [true, false],
    ] as const) {
      const { pause, done, timers, facts, turn } = setUp(0, holds)
      const begun = pause.begin(1)
      await turn()
      facts.isWanted = isWanted
      timers[0]!.task()
      await begun
      // Whoever stops it later begins with no look.
      pause.stands()
      expect(done).toEqual([])
    }
  })

  it('is waited for no longer when the migration is over, and nobody looks then', async () => {
    const { pause, done, facts, turn } = setUp(5000)
    const begun = pause.begin(1)
    await turn()
    facts.isWanted = false
    pause.end()
    await begun
    expect(done).toEqual(['cancelled'])
    pause.stands()
    expect(done).toEqual(['cancelled'])
  })
})
