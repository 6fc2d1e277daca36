import type { Report } from '@godwit/core'
import { expect, it } from 'vitest'
import type { LinkSamples } from './link.ts'
import type { GodwitFigures } from './peer/godwit-migration.ts'
import { casesOf } from './link.ts'
import { linkCases } from './link-cases.ts'

const report = {} as Report

function samplesOf(names: readonly string[], godwitMs: number[], pauseMs: number): LinkSamples {
  const rest = {
    pauseMs,
    wireBytes: 90,
    cpuSeconds: 1,
    preparationMs: 5,
    blockedMs: undefined,
    report,
  }
  const peer = {
    pauseMs: 10,
    wireBytes: 100,
    cpuSeconds: 2,
    rounds: 3,
    guestRate: 5000,
    blockedMs: undefined,
  }
  return {
    peers: new Map(
      names.map((name) => [name, [1000, 2000].map((totalMs) => ({ ...peer, totalMs }))]),
    ),
    modes: new Map(),
    godwit: godwitMs.map((totalMs) => ({ ...rest, totalMs })),
  }
}

function judge(name: string, godwitMs: number[], pauseMs: number): Record<string, boolean> {
  const one = linkCases('full').find((each) => each.name === name)!
  const names = one.peers.map((peer) => peer.name)
  const cases = casesOf(one, samplesOf(names, godwitMs, pauseMs))
  const judged = cases.filter(({ pass }) => pass !== undefined)
  return Object.fromEntries(judged.map(({ metric, pass }) => [metric, pass!]))
}

it('each repeat is compared with the one of the peer', () => {
  expect(judge('idle', [900, 1900], 20)).toEqual({ total: true, pause: true, 'wire bytes': true })
  expect(judge('idle', [960, 1950], 20)).toMatchObject({ total: false })
})

it('a pause has a limit of its own, or that of the peer', () => {
  expect(judge('idle', [900, 900], 21)).toMatchObject({ pause: false })
  expect(judge('page25k', [900, 900], 10)).toMatchObject({ pause: true })
  expect(judge('page25k', [900, 900], 11)).toMatchObject({ pause: false })
})

it('bars are about the first peer only', () => {
  const one = linkCases('full').find(({ name }) => name === 'few25k')!
  const names = one.peers.map(({ name }) => name)
  const cases = casesOf(one, samplesOf(names, [900, 1900], 10))
  const [first, second] = names
  const barred = cases.filter(({ bar, against }) => bar !== undefined && against !== undefined)
  expect(new Set(barred.map(({ against }) => against!.name))).toEqual(new Set([first]))
  expect(cases.some(({ against }) => against?.name === second)).toBe(true)
})

it('a mode is compared with the best others of each repeat, and with no very short pause', () => {
  const one = linkCases('full').find(({ name }) => name === 'few25k-hybrid')!
  const [sample] = samplesOf([], [1000], 5).godwit
  const figures = (pairs: [number, number][]): GodwitFigures[] =>
    pairs.map(([totalMs, pauseMs]) => ({ ...sample!, totalMs, pauseMs }))
  const modes = new Map([
    [
      'pre',
      figures([
        [1000, 40],
        [1000, 5],
        [3000, 40],
      ]),
    ],
    [
      'post',
      figures([
        [2000, 20],
        [2000, 8],
        [1000, 20],
      ]),
    ],
  ])
  const judgeMode = (pairs: [number, number][]): unknown[] =>
    casesOf(one, { peers: new Map(), modes, godwit: figures(pairs) })
      .filter(({ pass }) => pass !== undefined)
      .map(({ metric, pass }) => [metric, pass])
  const total = (passes: boolean): unknown[] => ['total', passes]
  const pause = (passes: boolean): unknown[] => ['pause', passes]
  expect(
    judgeMode([
      [1100, 22],
      [1100, 10],
      [1100, 23],
    ]),
  ).toEqual([total(true), pause(true)])
  expect(
    judgeMode([
      [1101, 22],
      [1101, 11],
      [1101, 23],
    ]),
  ).toEqual([total(false), pause(true)])
  expect(
    judgeMode([
      [1000, 23],
      [1000, 12],
      [1000, 22],
    ]),
  ).toEqual([total(true), pause(false)])
})
