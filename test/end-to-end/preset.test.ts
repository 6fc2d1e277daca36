/**
 * Presets over the real protocol: each moves a guest that stores all the time, and the report says
 * what was in force.
 */
import type { PresetSettings } from '@godwit/policy'
import { PRESET_NAMES, withPreset } from '@godwit/policy'
import { afterAll, afterEach, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endPlaces, expectMoved, slow, startGuest } from './places.ts'
import { endProcesses, freshPath, readReport, runGodwit } from './process.ts'
import { someOf } from './variants.ts'

afterEach(endPlaces)
afterEach(endProcesses)
afterAll(endCommandLines)

const writer = 'writer,wss=1MiB,rate=5000,style=few,content=20/30/30/20'

/** The other one decides as it goes: `auto.test.ts`. */
const fixed = PRESET_NAMES.filter((name) => name !== 'auto')

it.each(someOf(fixed))('%s moves a writer', async (preset) => {
  const guest = await startGuest(writer)
  const given = preset === 'bda' ? { bandwidth: 'bda,link=320Mbit,used=0' } : {}
  const report = await expectMoved(guest, { preset, ...given, ...slow })
  const settings: PresetSettings = withPreset({ preset, ...given })
  const { mode, select, stop, encode, hash, bandwidth, throttle } = settings
  expect(report.mode).toBe(mode)
  expect(report.policies).toMatchObject({
    preset,
    encode,
    hash: hash ?? 'xxh3',
    bandwidth: bandwidth ?? 'fixed',
    throttle: throttle ?? 'none',
    select: expect.stringMatching(new RegExp(`^${select ?? 'all-dirty'}(,|$)`)),
    stop: expect.stringContaining(stop ?? 'downtime=300ms,ratio=0.75+wws=0.9'),
  })
})

it('what is given beside it wins', async () => {
  const guest = await startGuest(writer)
  const beside = { select: 'flag', mode: 'hybrid,rounds=1', hash: 'xxh64', encode: 'lz4' } as const
  const report = await expectMoved(guest, { preset: 'xen', ...beside, ...slow })
  expect(report).toMatchObject({ mode: 'hybrid', stop: { rule: 'rounds' } })
  expect(report.policies).toMatchObject({
    preset: 'xen',
    select: 'flag,times=2',
    hash: 'xxh64',
    encode: 'lz4',
    stop: 'max-rounds=30,few-dirty=50,budget=3',
    bandwidth: 'clark',
  })
})

const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

it.each<[string[], RegExp]>([
  [['--preset', 'fast'], /"fast" is not a preset; there are xen, qemu, .*mecom/],
  [['--preset', 'bda'], /preset bda: give --bandwidth bda,link=RATE with it/],
  [['--preset', 'ppc', '--mode', 'stop-copy'], /ppc needs a mode with rounds/],
])('%j is refused before anything is begun', async (options, text) => {
  const ended = await runCommandLine('send', 'idle', ...options, ...nowhere)
  expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
  expect(ended.stderr).toMatch(/^godwit: USAGE: [^\n]+\n$/)
  expect(ended.stderr).toMatch(text)
})

it('a demo takes one, and what is given beside it', async () => {
  const file = freshPath('report.json')
  const how = ['--preset', 'hash75', '--hash', 'xxh64', '--memory', '4MiB', '--warmup', '50ms']
  const ended = await runGodwit('demo', 'idle', ...how, '--run-for', '200ms', '--json', file)
  expect(ended.code).toBe(0)
  expect(readReport(file).policies).toMatchObject({
    preset: 'hash75',
    encode: 'same',
    hash: 'xxh64',
    stop: 'downtime=300ms,ratio=0.75,max-rounds=30',
  })
})
