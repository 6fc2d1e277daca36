import { CancelledError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Setting } from '../test/setting.ts'
import { isPostCopy } from '../test/setting.ts'
import { World } from '../test/world.ts'
import { isDestinationFinished } from './destination-state.ts'
import { isFinished } from './source-state.ts'

const settings = fc.record({
  mode: fc.constantFrom('stop-copy', 'pre-copy', 'post-copy', 'post-copy', 'hybrid'),
  verify: fc.boolean(),
  final: fc.boolean(),
  roundsMax: fc.integer({ min: 1, max: 2 }),
  postCopy: fc.boolean(),
  recovers: fc.constant(true),
  keepsCheckpoints: fc.constant(false),
})
const choices = fc.array(fc.nat(11), { minLength: 20, maxLength: 60, size: 'max' })

/** What befalls the world, and how many turns later the next thing does. */
interface Blow {
  readonly what: 'cut' | 'mend' | 'reconnect' | 'give-up' | 'cancel' | 'kill' | 'take-over'
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
    expect(world.sourceRuns && world.released).toBe(world.takenOver)
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
const endsWithout = /^(failed|in-doubt)\/discarded$|^(completed|in-doubt)\/completed$/

describe('recovery', () => {
  it('completes what reached the destination, whatever the network does', () => {
    fc.assert(
      fc.property(settings, start, choices, blowsOf('cut', 'mend', 'reconnect'), (...all) => {
        const [setting] = all
        const world = weather(...all)
        const followed = isPostCopy(setting) && world.targetRuns
        // A source that heard of the last page does not come back, and the guest does not need it.
        const ends = followed ? /^completed\/(completed|paused)$/ : endsWithout
        expect(world.names.join('/')).toMatch(ends)
        expect(world.filled).toBe(followed)
        expect(followed && world.lacking.size > 0).toBe(false)
        world.giveUpAtTarget()
        expect(world.target.state.name).toBe(world.targetRuns ? 'completed' : 'discarded')
      }),
      { numRuns: 3000 },
    )
  })

  it('ends on both sides where one gives up, with one owner at the most', () => {
    const blows = blowsOf('cut', 'mend', 'reconnect', 'give-up', 'cancel')
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
      { numRuns: 3000 },
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
        expect(world.sourceRuns && world.released).toBe(world.takenOver)
        if (!world.takenOver) return
        // Whatever comes then: nothing is left that could be told, dialled or undone.
        world.failSource(new CancelledError())
        expect(run(world, storm[1], 30)).toBe(true)
        expect([world.names[0], world.owners]).toEqual(['taken-over', 1])
      }),
      { numRuns: 3000 },
    )
    expect([...ends]).toEqual(expect.arrayContaining(['taken-over', 'failed', 'completed']))
  })
})

describe('the blows', () => {
  const terms = { verify: true, final: true, recovers: true, keepsCheckpoints: false }
  const setting = { ...terms, roundsMax: 1, postCopy: true }
  const seen = new Set<string>()
  const ends = new Set<string>()
  for (const mode of ['post-copy', 'hybrid'] as const) {
    const blows = blowsOf('cut', 'mend', 'reconnect', 'give-up')
    const storm = fc.tuple(start, choices, blows)
    for (const [begin, picks, befalls] of fc.sample(storm, { numRuns: 2000, seed: 7 })) {
      const world = weather({ ...setting, mode }, begin, picks, befalls)
      for (const names of world.seen) seen.add(names)
      world.giveUpAtTarget()
      ends.add(world.names.join('/'))
    }
  }

  it('meet every state of recovery', () => {
    const sources = new Set([...seen].map((names) => names.split('/')[0]))
    const targets = new Set([...seen].map((names) => names.split('/')[1]))
    const atSource = ['paused', 'reconnecting', 'resuming', 'reopening', 'pushing', 'pushed']
    expect([...sources]).toEqual(expect.arrayContaining(atSource))
    expect([...targets]).toEqual(expect.arrayContaining(['paused', 'resuming', 'filling']))
  })

  it('lead to every end', () => {
    expect([...ends].sort()).toEqual([
      'completed/completed',
      'failed/discarded',
      'in-doubt/discarded',
      'in-doubt/stranded',
      'stranded/completed',
      'stranded/stranded',
    ])
  })
})
