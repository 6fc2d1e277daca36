import type { PageClassName } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { PageSelector } from './page-selector.ts'
import { plainSelector } from './page-selector.ts'
import type { Policy } from './policy.ts'
import { checkPolicy } from './policy.ts'
import type { RoundStatistics, StopRule } from './stop-condition.ts'
import { evaluateStop } from './stop-condition.ts'

const never: StopRule = { name: 'never', text: 'never', evaluate: () => undefined }
const statistics = { round: 30, dirtyPages: 7 } as RoundStatistics

function throwing(): never {
  throw new Error('out of\nideas')
}

function select(create: () => unknown): Policy {
  return { select: { name: 's', text: 's', create: create as () => PageSelector } }
}

describe('a shape that is wrong is told in one line', () => {
  it.each<[unknown, string]>([
    [undefined, 'policy: it is to be an object'],
    [null, 'policy: it is to be an object'],
    [() => 1, 'policy: it is to be an object'],
    [[], 'policy: it is to be an object'],
    [Promise.resolve({}), 'policy: it is to be an object'],
    [{ stopp: never }, 'policy: "stopp" is no part of a policy; there are name, select, stop, '],
    [{ name: 5 }, 'policy: name is to be a string'],
    [{ stop: 5 }, 'policy: stop is to be a stop rule'],
    [{ stop: { ...never, text: '' } }, 'policy: stop.text is to be a string that is not empty'],
    [{ stop: [never, { ...never, evaluate: 1 }] }, 'policy: stop[1].evaluate is to be a function'],
    [{ name: 'mine', bandwidth: {} }, 'mine: bandwidth.name is to be a string'],
    [
      { bandwidth: { name: 'b', setting: 'b', grant: () => 1 } },
      'policy: bandwidth.measuresLink is to be a boolean',
    ],
    [{ throttle: { name: 't', setting: 't' } }, 'policy: throttle.next is to be a function'],
    [{ throttle: 'auto-converge' }, 'policy: throttle is to be a throttle'],
    [{ select: plainSelector }, 'policy: select.name is to be a string'],
  ])('%o', (value, text) => {
    expect(() => checkPolicy(value)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) }),
    )
  })

  it.each<[unknown, string]>([
    [{ ...plainSelector, peeks: 1 }, 'select.create().peeks is to be a function'],
    [{ ...plainSelector, peekMs: 0 }, 'select.create().peekMs is to be from 1 to 10000'],
    [{ ...plainSelector, peekMs: 10_001 }, 'select.create().peekMs is to be from 1 to 10000'],
    [{ ...plainSelector, peekMs: Infinity }, 'select.create().peekMs is to be from 1 to 10000'],
    [{ ...plainSelector, patienceRounds: Number.NaN }, 'patienceRounds is to be a whole number'],
    [{ ...plainSelector, patienceRounds: -1 }, 'patienceRounds is to be a whole number'],
    [{ ...plainSelector, patienceRounds: 0.5 }, 'patienceRounds is to be a whole number'],
    [{ ...plainSelector, patienceRounds: Infinity }, 'patienceRounds is to be a whole number'],
    [{ ...plainSelector, drops: ['old'] }, 'select.create().drops is to be an array of anonymous,'],
  ])('of a selector that it makes: %o', (selector, text) => {
    const settings = checkPolicy(select(() => selector)).select!
    expect(() => settings.create([1])).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) }),
    )
  })
})

it('what is right decides as it did', () => {
  const drops: readonly PageClassName[] = ['free']
  const policy = checkPolicy({
    name: 'mine',
    stop: { ...never, evaluate: ({ round }) => ({ rule: 'r', numbers: { round } }) },
    bandwidth: { name: 'b', setting: 'b,x=1', measuresLink: true, grant: ({ round }) => round },
    throttle: { name: 't', setting: 't,y=2', next: (share) => share / 2 },
    select: { name: 's', text: 's,z=3', create: () => ({ ...plainSelector, peekMs: 3, drops }) },
  } satisfies Policy)
  expect(policy.name).toBe('mine')
  expect(evaluateStop(policy.stop!, statistics)).toEqual({ rule: 'r', numbers: { round: 30 } })
  const begin = { round: 4, isLast: false, dirtyRates: [], usedByOthers: 0 }
  expect(policy.bandwidth).toMatchObject({ setting: 'b,x=1', measuresLink: true })
  expect(policy.bandwidth!.grant(begin)).toBe(4)
  const over = { sentBytes: 1, dirtyBytes: 1, dirtyRate: 1, ms: 1 }
  expect(policy.throttle!.next(0.5, over)).toBe(0.25)
  const selector = policy.select!.create([1])
  expect(selector).toMatchObject({ peekMs: 3, drops, watchesStores: false, patienceRounds: 0 })
  const send = Uint32Array.of(0)
  selector.select(0, Uint32Array.of(1), Uint32Array.of(5), send)
  expect([send[0], selector.peeks(1)]).toEqual([5, false])
  expect(checkPolicy(policy)).toBe(policy)
})

it('rules that never fire end at the cap', () => {
  const { stop } = checkPolicy({ stop: [never] })
  expect(evaluateStop(stop!, { ...statistics, round: 29 })).toBeUndefined()
  expect(evaluateStop(stop!, statistics)).toMatchObject({ rule: 'max-rounds' })
})

describe('what a policy is shown is its own', () => {
  it('a selector that writes to its bitmaps changes nothing else', () => {
    const shown = new Set<Uint32Array>()
    const policy = select(() => ({
      ...plainSelector,
      select(_region: number, fresh: Uint32Array, lacking: Uint32Array, send: Uint32Array) {
        shown.add(fresh).add(lacking)
        send[1] = lacking[1]!
        fresh.fill(-1)
        lacking.fill(0)
      },
    }))
    const selector = checkPolicy(policy).select!.create([2, 1])
    const [fresh, lacking, send] = [Uint32Array.of(1, 2), Uint32Array.of(5, 6), new Uint32Array(2)]
    for (let round = 1; round <= 3; round++) selector.select(0, fresh, lacking, send)
    expect([[...fresh], [...lacking], [...send]]).toEqual([
      [1, 2],
      [5, 6],
      [0, 6],
    ])
    // One pair for each region, whatever the number of rounds.
    expect(shown.size).toBe(2)
  })

  it('what it chose before is not chosen again by itself', () => {
    let rounds = 0
    const policy = select(() => ({
      ...plainSelector,
      select(_region: number, _fresh: Uint32Array, lacking: Uint32Array, send: Uint32Array) {
        if (++rounds === 1) send.set(lacking)
      },
    }))
    const selector = checkPolicy(policy).select!.create([1])
    const send = new Uint32Array(1)
    selector.select(0, Uint32Array.of(3), Uint32Array.of(3), send)
    expect(send[0]).toBe(3)
    selector.select(0, Uint32Array.of(3), Uint32Array.of(3), send)
    expect(send[0]).toBe(0)
  })

  it('a rule cannot write to what the others look at', () => {
    const evaluate = (seen: RoundStatistics): undefined => {
      ;(seen as { round: number }).round = 1
    }
    const { stop } = checkPolicy({ stop: { ...never, evaluate } })
    expect(() => evaluateStop(stop!, statistics)).toThrow(
      expect.objectContaining({ code: 'POLICY_FAILED', message: expect.stringContaining('round') }),
    )
    expect(statistics.round).toBe(30)
  })
})

describe('what is thrown, or is no decision, has a code and one line', () => {
  const begin = { round: 1, isLast: false, dirtyRates: [], usedByOthers: 0 }
  const over = { sentBytes: 1, dirtyBytes: 1, dirtyRate: 1, ms: 1 }
  const stopping = (evaluate: () => unknown) => () =>
    evaluateStop(
      checkPolicy({ stop: { ...never, evaluate: evaluate as StopRule['evaluate'] } }).stop!,
      statistics,
    )
  const granting = (grant: () => unknown) => () =>
    checkPolicy({
      bandwidth: { name: 'b', setting: 'b', measuresLink: false, grant: grant as () => number },
    }).bandwidth!.grant(begin)
  const taking = (next: () => unknown) => () =>
    checkPolicy({
      throttle: { name: 't', setting: 't', next: next as () => number },
    }).throttle!.next(0, over)
  const making = (parts: object) => () =>
    checkPolicy(select(() => ({ ...plainSelector, ...parts }))).select!.create([1])

  it.each<[string, () => unknown, string]>([
    ['a rule', stopping(throwing), 'policy, stop rule never: out of ideas'],
    ['true', stopping(() => true), 'policy, stop rule never: a rule and its numbers is to be'],
    ['text', stopping(() => ({ rule: 'r', numbers: { why: 'so' } })), 'not a value of type object'],
    [
      'NaN',
      stopping(() => ({ rule: 'r', numbers: { x: Number.NaN } })),
      'not a value of type object',
    ],
    ['a promise', stopping(() => Promise.reject(new Error('late'))), 'not a promise'],
    ['a cap', granting(throwing), 'policy, bandwidth: out of ideas'],
    ['0', granting(() => 0), 'bandwidth: a rate above 0 is to be decided, not 0'],
    ['no number', granting(() => Number.NaN), 'not NaN'],
    ['a share', taking(throwing), 'policy, throttle: out of ideas'],
    ['all', taking(() => 1), 'throttle: a share from 0 to 0.99 is to be decided, not 1'],
    ['nothing', taking(() => undefined), 'not nothing'],
    ['create', () => checkPolicy(select(throwing)).select!.create([1]), 'select.create: out of'],
    ['no selector', () => checkPolicy(select(() => 5)).select!.create([1]), 'not 5'],
    ['peeks', () => making({ peeks: throwing })().peeks(1), 'select, peeks: out of ideas'],
    ['a word', () => making({ peeks: () => 'no' })().peeks(1), 'true or false is to be decided'],
    [
      'select',
      () =>
        making({ select: throwing })().select(
          0,
          new Uint32Array(1),
          new Uint32Array(1),
          new Uint32Array(1),
        ),
      'policy, select: out of ideas',
    ],
    [
      'later',
      () =>
        making({ select: async () => throwing() })().select(
          0,
          new Uint32Array(1),
          new Uint32Array(1),
          new Uint32Array(1),
        ),
      'not a promise',
    ],
  ])('%s', (_, decide, text) => {
    expect(decide).toThrow(
      expect.objectContaining({ code: 'POLICY_FAILED', message: expect.stringContaining(text) }),
    )
  })
})
