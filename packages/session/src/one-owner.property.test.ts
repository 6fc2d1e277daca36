import { CancelledError, TransportError } from '@godwit/core'
import type { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Setting } from '../test/setting.ts'
import { isPostCopy } from '../test/setting.ts'
import { World } from '../test/world.ts'
import { isDestinationFinished } from './destination-state.ts'
import { isFinished } from './source-state.ts'

const lost = (): GodwitError => new TransportError('CONNECTION_LOST', 'cut')

const modes = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'] as const
const settings = fc.record({
  mode: fc.constantFrom(...modes),
  verify: fc.boolean(),
  final: fc.boolean(),
  roundsMax: fc.integer({ min: 1, max: 4 }),
  postCopy: fc.boolean(),
  recovers: fc.constant(false),
  asks: fc.boolean(),
  keepsCheckpoints: fc.constant(false),
})
const choices = fc.array(fc.nat(11), { minLength: 20, maxLength: 90, size: 'max' })

/** Goes on until nothing can happen; the most owners there ever were. */
function run(world: World, picks: readonly number[], turns: number): number {
  let most = world.owners
  for (let i = 0; i < turns && world.turn(picks[i % picks.length]!); i++) {
    most = Math.max(most, world.owners)
  }
  return most
}

const forever = 10_000

/** Of the source and the destination, where one of them fails. */
function endsOf(setting: Setting): readonly string[] {
  const ends = ['failed/discarded', 'completed/completed', 'in-doubt/discarded']
  return isPostCopy(setting)
    ? [...ends, 'in-doubt/stranded', 'stranded/stranded', 'stranded/completed']
    : [...ends, 'in-doubt/completed']
}

describe('one owner', () => {
  it('with nothing lost the guest always ends at the destination', () => {
    fc.assert(
      fc.property(settings, choices, (setting, picks) => {
        const world = new World(setting)
        expect(run(world, picks, forever)).toBe(1)
        expect(world.names).toEqual(['completed', 'completed'])
        expect([world.sourceRuns, world.targetRuns, world.memoryKept]).toEqual([false, true, true])
        const followed = isPostCopy(setting)
        expect([world.pages.discarded, world.filled]).toEqual([followed, followed])
      }),
      { numRuns: 300 },
    )
  })

  it('with a failure of a side at any time there is one, or the source stays in doubt', () => {
    const failure = fc.record({ after: fc.nat(60), atSource: fc.boolean() })
    fc.assert(
      fc.property(settings, choices, failure, (setting, picks, { after, atSource }) => {
        const world = new World(setting)
        const before = run(world, picks, after)
        if (atSource) world.failSource(new CancelledError())
        else world.failTarget(new CancelledError())
        const most = Math.max(before, world.owners, run(world, picks, forever))
        expect(most).toBe(1)
        const [atEnd, there] = world.names
        expect(endsOf(setting)).toContain(`${atEnd}/${there}`)
        expect(world.targetRuns).toBe(there !== 'discarded')
        expect(there === 'stranded' && world.filled).toBe(false)
        expect(world.sourceRuns).toBe(atEnd === 'failed')
        expect(world.memoryKept).toBe(world.targetRuns)
      }),
      { numRuns: 1500 },
    )
  })

  it.each(modes)('each of these ends is reached in %s', (mode) => {
    const setting = {
      mode,
      verify: true,
      final: true,
      roundsMax: 2,
      postCopy: true,
      recovers: false,
      asks: false,
      keepsCheckpoints: false,
    }
    const reached = new Set<string>()
    for (const picks of [[0], [1], [2], [3], [2, 1], [3, 0, 1]]) {
      for (let after = 0; after <= 60; after++) {
        for (const atSource of [true, false]) {
          const world = new World(setting)
          run(world, picks, after)
          if (atSource) world.failSource(new CancelledError())
          else world.failTarget(new CancelledError())
          run(world, picks, forever)
          reached.add(world.names.join('/'))
        }
      }
    }
    expect([...reached].sort()).toEqual([...endsOf(setting)].sort())
  })

  it('with the link cut at any time there are never two, and the source never guesses', () => {
    const cut = fc.record({ after: fc.nat(60), toSource: fc.nat(3), toTarget: fc.nat(3) })
    const notices = fc.record({ source: fc.nat(8), target: fc.nat(8) })
    fc.assert(
      fc.property(settings, choices, cut, notices, (setting, picks, at, notice) => {
        const world = new World(setting)
        let most = run(world, picks, at.after)
        world.cut(at.toSource, at.toTarget)
        for (let turn = 0; turn <= 8; turn++) {
          if (turn === notice.source) world.failSource(lost())
          if (turn === notice.target) world.failTarget(lost())
          most = Math.max(most, world.owners, run(world, picks.slice(turn), 1))
        }
        most = Math.max(most, run(world, picks, forever))
        expect(most).toBe(1)
        expect(isFinished(world.source.state) && isDestinationFinished(world.target.state)).toBe(
          true,
        )
        const inDoubt = world.names[0] === 'in-doubt'
        expect(world.sourceRuns || world.targetRuns || inDoubt).toBe(true)
        expect(inDoubt && !world.released).toBe(false)
        // It may be that only the acknowledgement of the last page was lost.
        const stranded = world.names.includes('stranded')
        expect(stranded && !(isPostCopy(setting) && world.targetRuns)).toBe(false)
        expect(world.names[0] === 'completed' && world.names[1] !== 'completed').toBe(false)
        expect(world.hasGuessed).toBe(false)
      }),
      { numRuns: 1500 },
    )
  })
})
