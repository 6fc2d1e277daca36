import { CancelledError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Setting } from '../test/setting.ts'
import { isPostCopy } from '../test/setting.ts'
import { World } from '../test/world.ts'
import { isDestinationFinished } from './destination-state.ts'
import { isFinished } from './source-state.ts'

const isLong = process.env['GODWIT_LONG'] !== undefined

const settings = fc.record({
  mode: fc.constantFrom('stop-copy', 'pre-copy', 'post-copy', 'post-copy', 'hybrid'),
  verify: fc.boolean(),
  final: fc.boolean(),
  roundsMax: fc.integer({ min: 1, max: 2 }),
  postCopy: fc.boolean(),
  recovers: fc.constant(true),
  asks: fc.boolean(),
  keepsCheckpoints: fc.constant(false),
})
const choices = fc.array(fc.nat(11), { minLength: 20, maxLength: 60, size: 'max' })

/** What befalls the world, and how many turns later the next thing does. */
interface Blow {
  readonly what:
    | 'cut'
    | 'mend'
    | 'reconnect'
    | 'give-up'
    | 'cancel'
    | 'spoil'
    | 'kill'
    | 'take-over'
  readonly atSource: boolean
  readonly kept: readonly [toSource: number, toTarget: number]
  readonly turns: number
}

const blowsOf = (...what: Blow['what'][]): fc.Arbitrary<Blow[]> => {
  const blow = fc.record({
    what: fc.constantFrom(...what),
    atSource: fc.boolean(),
    kept: fc.tuple(fc.nat(3), fc.nat(3)),
    turns: fc.nat(14),
  })
  return fc.array(blow, { maxLength: 14, size: 'max' })
}

function strike(world: World, { what, atSource, kept }: Blow): void {
  switch (what) {
    case 'cut':
      return world.cut(...kept)
    case 'mend':
      return world.mend()
    case 'reconnect':
      return world.reconnectEarly()
    case 'give-up':
      return atSource ? world.giveUpAtSource() : world.giveUpAtTarget()
    case 'spoil':
      return world.spoil(atSource ? 'source' : 'target')
    case 'kill':
      return world.killTarget()
    case 'take-over':
      return world.takeOver()
    case 'cancel':
      return atSource
        ? world.failSource(new CancelledError())
        : world.failTarget(new CancelledError())
  }
}

/** Some turns; never two that may run the guest. @returns whether nothing can happen any more */
function run(world: World, picks: readonly number[], turns: number): boolean {
  for (let i = 0; i < turns; i++) {
    if (!world.turn(picks[i % picks.length]! + i)) return true
    expect(world.owners).toBeLessThanOrEqual(1)
    expect(world.hasGuessed).toBe(false)
  }
  return false
}

function strikeAll(
  setting: Setting,
  start: number,
  picks: readonly number[],
  blows: readonly Blow[],
): World {
  const world = new World(setting)
  run(world, picks, start)
  for (const blow of blows) {
    strike(world, blow)
    expect(world.owners).toBeLessThanOrEqual(1)
    run(world, picks, blow.turns)
  }
  return world
}

/** Any number of blows, then a network that lasts. */
function weather(
  setting: Setting,
  start: number,
  picks: readonly number[],
  blows: readonly Blow[],
): World {
  const world = strikeAll(setting, start, picks, blows)
  world.mend()
  expect(run(world, picks, 3000)).toBe(true)
  return world
}

const start = fc.nat(60)
/** Where no pages follow, or the guest did not get there. */
const asked = ['failed/discarded', 'failed/holding', 'completed/completed']
const unasked = ['failed/discarded', 'in-doubt/discarded', 'completed/completed']
/** A source that heard of the last page does not come back, and the guest does not need it. */
const followed = ['completed/completed', 'completed/paused']

/** In doubt is only who cannot ask, and only where nothing of the guest's pages is to follow. */
function endsOf(setting: Setting, { targetRuns }: World): readonly string[] {
  if (isPostCopy(setting) && targetRuns) return followed
  if (setting.asks) return asked
  return isPostCopy(setting) ? unasked : [...unasked, 'in-doubt/completed']
}

describe('recovery', () => {
  it('completes what reached the destination, whatever the network does', () => {
    fc.assert(
      fc.property(settings, start, choices, blowsOf('cut', 'mend', 'reconnect'), (...all) => {
        const [setting, , picks] = all
        const world = weather(...all)
        expect(endsOf(setting, world)).toContain(world.names.join('/'))
        const isFollowed = isPostCopy(setting) && world.targetRuns
        expect(world.filled).toBe(isFollowed)
        expect(isFollowed && world.pages.lacking.size > 0).toBe(false)
        expect(setting.asks && world.owners !== 1).toBe(false)
        world.giveUpAtTarget()
        expect(run(world, picks, 100)).toBe(true)
        expect(world.target.state.name).toBe(world.targetRuns ? 'completed' : 'discarded')
      }),
      { numRuns: isLong ? 1200 : 300 },
    )
  })

  it('ends on both sides where one gives up, with one owner at the most', () => {
    const blows = blowsOf('cut', 'mend', 'reconnect', 'give-up', 'cancel', 'spoil')
    fc.assert(
      fc.property(settings, start, choices, blows, (...all) => {
        const world = weather(...all)
        // A destination without a source waits for ever; its agent does not.
        world.giveUpAtTarget()
        run(world, [0], 3000)
        const [atEnd, there] = world.names
        expect(isFinished(world.source.state)).toBe(true)
        expect(isDestinationFinished(world.target.state)).toBe(true)
        expect(world.targetRuns).toBe(there !== 'discarded')
        expect(world.memoryKept).toBe(world.targetRuns)
        const isWhole = world.filled || !isPostCopy(all[0])
        expect(there === 'stranded').toBe(world.targetRuns && !isWhole)
        expect(world.sourceRuns).toBe(atEnd === 'failed')
        expect(atEnd === 'completed' && there !== 'completed').toBe(false)
      }),
      { numRuns: isLong ? 1200 : 300 },
    )
  })
})

describe('a destination that dies', () => {
  const dying = fc.record({
    mode: fc.constantFrom('post-copy', 'hybrid'),
    verify: fc.boolean(),
    final: fc.boolean(),
    roundsMax: fc.integer({ min: 1, max: 2 }),
    postCopy: fc.constant(true),
    recovers: fc.constant(true),
    asks: fc.boolean(),
    keepsCheckpoints: fc.boolean(),
  })
  const blows = blowsOf('cut', 'mend', 'reconnect', 'kill', 'take-over', 'take-over')
  const ends = new Set<string>()

  it('loses its guest to the source when the operator says so, and never else', () => {
    fc.assert(
      fc.property(dying, start, choices, blows, (setting, ...storm) => {
        const world = strikeAll(setting, ...storm)
        world.mend()
        if (world.targetIsDead) run(world, storm[1], 30)
        if (world.names[0] === 'paused') world.takeOver()
        const [atEnd] = world.names
        ends.add(atEnd)
        expect(world.takenOver).toBe(atEnd === 'taken-over')
        expect(world.hasGuessed).toBe(false)
        if (!world.takenOver) return
        // Whatever comes then: nothing is left that could be told, dialled or undone.
        world.failSource(new CancelledError())
        expect(run(world, storm[1], 30)).toBe(true)
        expect([world.names[0], world.owners]).toEqual(['taken-over', 1])
      }),
      { numRuns: isLong ? 1200 : 300 },
    )
    expect([...ends]).toEqual(expect.arrayContaining(['taken-over', 'failed', 'completed']))
  })
})

describe('the blows', () => {
  const terms = { verify: true, final: true, recovers: true, keepsCheckpoints: false }
  const setting = { ...terms, roundsMax: 1, postCopy: true }
  const modes = ['pre-copy', 'post-copy', 'hybrid'] as const
  const seen = new Set<string>()
  const ends = new Map<string, Set<string>>()
  for (const asks of [false, true]) {
    for (const mode of modes) {
      const reached = new Set<string>()
      const blows = blowsOf('cut', 'mend', 'reconnect', 'give-up', 'spoil')
      const storm = fc.tuple(start, choices, blows)
      for (const [begin, picks, befalls] of fc.sample(storm, { numRuns: 600, seed: 7 })) {
        const world = weather({ ...setting, mode, asks }, begin, picks, befalls)
        world.giveUpAtTarget()
        run(world, picks, 100)
        for (const names of world.seen) seen.add(names)
        reached.add(world.names.join('/'))
      }
      ends.set(`${mode}, asks ${asks}`, reached)
    }
  }

  it('meet every state of recovery', () => {
    const sources = new Set([...seen].map((names) => names.split('/')[0]))
    const targets = new Set([...seen].map((names) => names.split('/')[1]))
    const resuming = ['paused', 'reconnecting', 'resuming', 'reopening', 'pushing', 'pushed']
    const atSource = ['releasing', 'released', 'asking', ...resuming]
    expect([...sources]).toEqual(expect.arrayContaining(atSource))
    const handingOver = ['preparing', 'prepared', 'holding', 'answering', 'owning', 'refusing']
    const atTarget = ['paused', 'resuming', 'filling', ...handingOver]
    expect([...targets]).toEqual(expect.arrayContaining(atTarget))
  })

  const without = ['completed/completed', 'failed/discarded', 'in-doubt/discarded']
  const stranded = ['in-doubt/stranded', 'stranded/completed', 'stranded/stranded']
  it.each([
    // In doubt only where the source gave up before it was answered.
    ['pre-copy, asks true', [...without, 'in-doubt/completed']],
    ['pre-copy, asks false', [...without, 'in-doubt/completed']],
    ['post-copy, asks true', [...without, ...stranded]],
    ['post-copy, asks false', [...without, ...stranded]],
    ['hybrid, asks true', [...without, ...stranded]],
    ['hybrid, asks false', [...without, ...stranded]],
  ] as const)('lead to every end of %s', (name, wanted) => {
    expect([...ends.get(name)!].sort()).toEqual([...wanted].sort())
  })
})
