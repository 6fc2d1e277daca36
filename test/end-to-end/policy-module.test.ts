/**
 * Policies of a user's own: the example of the documentation, and modules that are wrong.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Policy, PageSelector, StopRule } from 'godwit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import example from '../../docs/examples/policy.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endPlaces, expectMoved, expectStayed, slow, startGuest } from './places.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'
import { someOf } from './variants.ts'

afterEach(endPlaces)
afterEach(endProcesses)
afterAll(endCommandLines)

const file = fileURLToPath(new URL('../../docs/examples/policy.ts', import.meta.url))
const writer = 'writer,wss=1MiB,rate=5000,style=few'
const inForce = {
  policy: 'careful',
  select: 'twice-in-a-row',
  stop: 'short-pause=100ms,enough=12,max-rounds=30',
  bandwidth: 'rising,from=50MB',
  throttle: 'gentle,max=50',
}

describe('the example', () => {
  it('moves a guest by the library', async () => {
    const guest = await startGuest(writer)
    const report = await expectMoved(guest, { policy: example, preset: 'mdd', ...slow })
    expect(report.policies).toMatchObject({ ...inForce, preset: 'mdd', encode: 'same,mdd' })
    expect(['short-pause', 'enough', 'held']).toContain(report.stop!.rule)
  })

  it('moves a guest by the command', async () => {
    const destination = await startDestination('--once', '--run-for', '200ms')
    const json = freshPath('source.json')
    const to = ['--to', destination.address, '--json', json, '--warmup', '50ms', '--quiet']
    const sent = await runCommandLine('send', writer, '--memory', '8MiB', '--policy', file, ...to)
    expect([sent.code, sent.stderr, (await destination.process.ended).code]).toEqual([0, '', 0])
    const report = readReport(json)
    expect(report).toMatchObject({ memory: { equal: true }, guestProof: { continuous: true } })
    expect(report.policies).toMatchObject(inForce)
    // Round 1 has 50 MB/s, round 2 twice as much; the pause has no cap.
    const granted = report.rounds.map(({ grantedBandwidth }) => grantedBandwidth)
    expect([granted[0], granted.at(-1)]).toEqual([50e6, undefined])
  })

  it('holds what was stored to twice in a row, by hand', () => {
    const selector = example.select!.create([1])
    const choose = (fresh: number, lacking: number): number => {
      const send = new Uint32Array(1)
      selector.select(0, Uint32Array.of(fresh), Uint32Array.of(lacking), send)
      return send[0]!
    }
    expect(choose(0b0011, 0b0011)).toBe(0b0011)
    expect(choose(0b0110, 0b0110)).toBe(0b0100)
    expect(choose(0b0000, 0b0010)).toBe(0b0010)
  })
})

const bad = new Error('ran out of ideas')
const fail = (): never => {
  throw bad
}
const never: StopRule = { name: 'never', text: 'never', evaluate: () => undefined }
const selector: PageSelector = {
  watchesStores: true,
  patienceRounds: 3,
  peekMs: 50,
  drops: [],
  peeks: () => false,
  select: (_region, _fresh, lacking, send) => send.set(lacking),
}
const selecting = (parts: Partial<PageSelector>): Policy => ({
  select: { name: 'mine', text: 'mine', create: () => ({ ...selector, ...parts }) },
})
const granting = (grant: (isLast: boolean) => number): Policy => ({
  bandwidth: {
    name: 'mine',
    setting: 'mine',
    measuresLink: false,
    grant: ({ isLast }) => grant(isLast),
  },
})

/** Fails when it is asked about the pause for the `count`th time. */
function grantingUntil(count: number): Policy {
  let asked = 0
  return granting((isLast) => (isLast && ++asked === count ? fail() : 40e6))
}

describe('one that fails leaves the guest running at the source', () => {
  const failing: [string, Policy, string, string][] = [
    ['a stop rule', { stop: { ...never, evaluate: fail } }, 'pre-copy', 'pre-copy'],
    ['a cap on round 1', granting(fail), 'pre-copy', 'pre-copy'],
    ['a cap on the pause, asked for before', grantingUntil(1), 'pre-copy', 'pre-copy'],
    // It was asked for after both rounds.
    ['a cap on the pause', grantingUntil(3), 'pre-copy', 'stop-and-copy'],
    ['a cap on what follows', grantingUntil(2), 'hybrid,rounds=1', 'stop-and-copy'],
    ['a cap without rounds', granting(fail), 'post-copy', 'stop-and-copy'],
    [
      'a throttle',
      { throttle: { name: 'mine', setting: 'mine', next: fail } },
      'pre-copy',
      'pre-copy',
    ],
    ['a choice', selecting({ select: fail }), 'pre-copy', 'pre-copy'],
    ['a look', selecting({ peeks: fail }), 'pre-copy', 'pre-copy'],
  ]

  it.each(someOf(failing))('%s', async (_, policy, mode, phase) => {
    const guest = await startGuest(writer)
    // The second round must come for some of them.
    const stop = policy.stop === undefined ? { stop: 'max-rounds=2' } : {}
    const report = await expectStayed(guest, { policy, mode, ...stop })
    expect(report.error).toMatchObject({ code: 'POLICY_FAILED', phase })
    expect(report.error!.text).toMatch(/^policy, .*: ran out of ideas$/)
  })

  it('a decision that is none', async () => {
    const guest = await startGuest(writer)
    const report = await expectStayed(guest, { policy: granting(() => -5) })
    expect(report.error!.text).toBe('policy, bandwidth: a rate above 0 is to be decided, not -5')
  })

  it('a selector that cannot be made: nothing is begun', async () => {
    const guest = await startGuest(writer)
    const policy: Policy = { select: { name: 'mine', text: 'mine', create: fail } }
    await expect(expectMoved(guest, { policy })).rejects.toMatchObject({ code: 'POLICY_FAILED' })
  })
})

it('a policy and an option that decide the same are not both taken', async () => {
  const guest = await startGuest(writer)
  const both = expectMoved(guest, { policy: { stop: never }, stop: 'wws' })
  await expect(both).rejects.toMatchObject({
    code: 'USAGE',
    message: 'policy: it decides "stop", which is given as wws, too: leave one of them out',
  })
})

describe('--policy FILE', () => {
  const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

  it.each([
    ['missing.ts', undefined, /it cannot be loaded: Cannot find module/],
    ['syntax.js', 'export default {', /it cannot be loaded: Unexpected (end|token)/],
    ['throws.js', 'throw new Error("not\\ntoday")', /it cannot be loaded: not$/],
    ['nothing.js', 'export const policy = {}', /it has no default export/],
    ['number.ts', 'export default 5 as number', /it is to be an object$/],
    ['typo.js', 'export default { stops: [] }', /"stops" is no part of a policy; there are name,/],
    [
      'shape.js',
      'export default { throttle: { name: "t", setting: "t" } }',
      /throttle\.next is to be a function$/,
    ],
  ])('%s is refused in one line that names it', async (name, text, expected) => {
    const path = freshPath(name)
    if (text !== undefined) writeFileSync(path, text)
    const ended = await runCommandLine('send', 'idle', '--policy', path, ...nowhere)
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^godwit: USAGE: [^\n]+\n$/)
    expect(ended.stderr).toContain(path)
    expect(ended.stderr.trim()).toMatch(expected)
  })
})
