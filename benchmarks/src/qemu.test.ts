import type { Report } from '@godwit/core'
import { expect, it } from 'vitest'
import type { QemuFigures } from './peer/qemu-migration.ts'
import type { VmFigures } from './peer/vm-migration.ts'
import { checkConsole } from './peer/vm-migration.ts'
import type { QemuCase } from './qemu-cases.ts'
import { qemuCases } from './qemu-cases.ts'
import { casesOf } from './qemu.ts'

const report = {
  downtime: { pauseMs: 1, pagesMs: 40, stateMs: 30, resumeMs: 2 },
} as Report

function peer(totalMs: number, pauseMs: number, wireBytes: number): QemuFigures {
  const rest = { cpuSeconds: 2, rounds: 3, guestRate: 5000, blockedMs: undefined }
  return { totalMs, pauseMs, wireBytes, ...rest }
}

function own(totalMs: number, pauseMs: number, wireBytes: number): VmFigures {
  const rest = { cpuSeconds: 1, preparationMs: 5, blockedMs: undefined, report }
  return { totalMs, pauseMs, wireBytes, ...rest }
}

function caseOf(name: string): QemuCase {
  return qemuCases('full').find((one) => one.name === name)!
}

/** Two repeats: in the first one peer is quicker, in the second the other. */
const peers = new Map([
  ['one', [peer(1000, 50, 100), peer(3000, 10, 100)]],
  ['other', [peer(2000, 10, 400), peer(2000, 40, 90)]],
])

function judge(name: string, all: readonly VmFigures[]): Record<string, boolean> {
  const one = caseOf(name)
  const ways = new Map(one.ways.map((way) => [way, all]))
  const cases = casesOf(one, { peers: one.peers.length === 0 ? new Map() : peers, ways })
  const judged = cases.filter(({ pass }) => pass !== undefined)
  return Object.fromEntries(
    judged.map(({ name: who, metric, ratio, pass }) => {
      return [`${who.split('=')[1]} ${metric}${ratio === undefined ? ' alone' : ''}`, pass!]
    }),
  )
}

it('each repeat is compared with the mode that is best in it', () => {
  expect(judge('idle', [own(900, 40, 90), own(1700, 40, 80)])).toEqual({
    'file total': true,
    'file pause alone': true,
    'file wire bytes': true,
    'stream total': true,
    'stream pause': true,
  })
  expect(judge('idle', [own(960, 40, 96), own(1950, 40, 90)])).toMatchObject({
    'file total': false,
    'file wire bytes': false,
    'stream total': false,
  })
})

it('a pause is compared with that of the mode whose total is best, or has a limit', () => {
  expect(judge('few25k', [own(900, 50, 90), own(1900, 40, 90)])).toMatchObject({
    'file pause': true,
    'stream pause': true,
  })
  expect(judge('few25k', [own(900, 52, 90), own(1900, 41, 90)])).toMatchObject({
    'file pause': false,
    'stream pause': false,
  })
  expect(judge('small-idle', [own(900, 81, 90), own(900, 81, 90)])).toEqual({
    'file pause alone': false,
  })
})

it('parts of the pause are told for each way', () => {
  const one = caseOf('idle')
  const all = [own(900, 75, 90), own(900, 75, 90)]
  const cases = casesOf(one, { peers, ways: new Map(one.ways.map((way) => [way, all])) })
  const parts = cases.filter(({ metric }) => metric.startsWith('pause: '))
  expect(parts.map(({ median }) => median)).toEqual([1, 40, 30, 2, 1, 40, 30, 2])
})

it('a guest must go on at the destination, and its kernel must not complain', () => {
  expect(() => checkConsole('TICK pages=5\n')).not.toThrow()
  expect(() => checkConsole('READY\n')).toThrow(/did not go on/)
  expect(() => checkConsole('BUG: unable to handle\nTICK pages=5\n')).toThrow(/BUG/)
})
