/**
 * The preset `auto` over the real protocol: guests that rest, guests that store faster than the
 * link carries, and what it does where it may do less.
 */
import type { Report } from '@godwit/core'
import { MIB } from '@godwit/core'
import type { WorkloadGuest } from '@godwit/guest'
import { receive, send } from 'godwit'
import { reportSchema } from 'godwit/report-schema'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endPlaces, expectMoved, expectStayed, startGuest } from './places.ts'
import { endProcesses, freshPath, readReport, runGodwit } from './process.ts'

afterEach(endPlaces)
afterEach(endProcesses)
afterAll(endCommandLines)

/** It stores to four times what the link carries: 80 MB/s, all of its set five times a second. */
const hard = 'writer,wss=16MiB,rate=20000,style=page,content=0/0/0/100'
const link = { maxBandwidth: 20e6, pauseBandwidth: Infinity } as const
const memoryBytes = 20 * MIB

function textsOf({ decisions = [] }: Report): string[] {
  return decisions.map(({ text }) => text)
}

/** What anything but a pause is the way out for. @returns the report, in order */
function expectDecided(report: Report, last: RegExp): void {
  const { decisions = [], rounds } = report
  expect(decisions.at(0)).toMatchObject({
    round: 0,
    text: expect.stringMatching(/^pre-copy.*else/),
  })
  expect(decisions.at(-1)!.text).toMatch(last)
  const times = decisions.map(({ atMs }) => atMs)
  expect(times).toEqual(times.toSorted((one, other) => one - other))
  expect(decisions.at(-1)!.round).toBeLessThan(rounds.length + 1)
}

describe('a guest that rests', () => {
  it('has a round or two, and the pause', async () => {
    const guest = await startGuest('idle')
    const report = await expectMoved(guest, { preset: 'auto' })
    expect(report.rounds.filter(({ paused }) => !paused).length).toBeLessThanOrEqual(2)
    expect(report.stages.map(({ name }) => name)).not.toContain('post-copy')
    expect(report.stop!.rule).toBe('downtime')
    expect(report.policies).toMatchObject({
      preset: 'auto',
      select: 'auto',
      stop: 'auto,downtime=300ms',
      encode: 'auto',
      throttle: 'auto',
    })
    expectDecided(report, /^switch-over: /)
  })
})

describe('a guest that stores faster than the link carries', () => {
  it('goes on in post-copy', async () => {
    const guest = await startGuest(hard, memoryBytes)
    const report = await expectMoved(guest, { preset: 'auto', ...link })
    expect(report).toMatchObject({ mode: 'hybrid', stop: { rule: 'stall' } })
    expect(report.stages.map(({ name }) => name)).toContain('post-copy')
    expectDecided(report, /^post-copy: rounds do not get there/)
  })

  it('loses time where it must not', async () => {
    const guest = await startGuest(hard, memoryBytes)
    const report = await expectMoved(guest, { preset: 'auto', mode: 'pre-copy', ...link })
    expect(textsOf(report).filter((text) => text.startsWith('dirty-limit'))).not.toEqual([])
    expect(report.rounds.some(({ throttle = 0 }) => throttle > 0.3)).toBe(true)
    expectDecided(report, /^switch-over: /)
  })

  it('is paused for longer where it has no throttle', async () => {
    const guest = await startGuest(hard, memoryBytes)
    const report = await expectMoved(withoutThrottle(guest), {
      preset: 'auto',
      mode: 'pre-copy',
      ...link,
    })
    expect(report.stop!.rule).toMatch(/^(wws|budget)$/)
    expect(report.policies!['throttle']).toBe('none')
    expect(report.rounds.length).toBeLessThanOrEqual(10)
    expectDecided(report, /^switch-over: (rounds do not get there|the most was sent)/)
  })
})

/** The same guest, as if nobody could take time from it. */
function withoutThrottle(guest: WorkloadGuest): WorkloadGuest {
  return new Proxy(guest, {
    get(target, name) {
      if (name === 'throttle') return undefined
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('what is given beside it', () => {
  it('the pause that is aimed at, and other rules', async () => {
    const guest = await startGuest(hard, memoryBytes)
    const rules = { stop: 'downtime=80ms,max-rounds=1', select: 'ppc', encode: 'none' } as const
    const report = await expectMoved(guest, { preset: 'auto', ...rules, ...link })
    expect(report.stop!.rule).toBe('max-rounds')
    expect(report.policies).toMatchObject({
      stop: 'auto,downtime=80ms,max-rounds=1',
      select: 'ppc,rounds=8,threshold=0.5',
      encode: 'none',
    })
    expect(textsOf(report)[0]).toBe('pre-copy, for a pause of 80 ms; else post-copy')
  })

  it('a policy that fails leaves the guest here', async () => {
    const guest = await startGuest(hard, memoryBytes)
    const fail = (): never => {
      throw new Error('no idea')
    }
    const stop = { name: 'mine', text: 'mine', evaluate: fail }
    const report = await expectStayed(guest, { preset: 'auto', policy: { stop }, ...link })
    expect(report.error!.code).toBe('POLICY_FAILED')
  })

  it('a mode without rounds is refused', async () => {
    const options = ['--preset', 'auto', '--mode', 'stop-copy', '--to', '127.0.0.1:9']
    const ended = await runCommandLine('send', 'idle', ...options, '--quiet')
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/USAGE: preset auto: mode stop-copy has no rounds/)
  })
})

it('a destination that cannot do post-copy gets the guest in rounds', async () => {
  const memory = new Uint8Array(new SharedArrayBuffer(MIB)).fill(9)
  const arrived = Promise.withResolvers<Uint8Array>()
  const receiver = await receive(
    { run: ([region]) => arrived.resolve(region!.bytes) },
    { listen: '127.0.0.1:0' },
  )
  const heard: string[] = []
  const report = await send(
    { memory, pause: () => {}, resume: () => {} },
    {
      to: receiver.address,
      preset: 'auto',
      onDecision: ({ text }) => {
        heard.push(text)
        throw new Error('of no account')
      },
    },
  )
  expect(report).toMatchObject({ outcome: 'completed', mode: 'pre-copy', memory: { equal: true } })
  expect(Buffer.compare(await arrived.promise, memory)).toBe(0)
  expect(heard).toEqual(textsOf(report))
  expect(heard[0]).toMatch(/else a longer pause$/)
  await receiver.close()
})

it('tells on stderr what it decides, and why', async () => {
  const file = freshPath('report.json')
  const how = ['--preset', 'auto', '--memory', '8MiB', '--warmup', '50ms', '--run-for', '200ms']
  const ended = await runGodwit('demo', 'writer,wss=1MiB,rate=5000', ...how, '--json', file)
  expect(ended.code).toBe(0)
  const report = readReport(file)
  expect((await reportSchema['~standard'].validate(report)).issues).toBeUndefined()
  const lines = report.decisions!.map(({ round, text }) => `auto, after round ${round}: ${text}`)
  for (const line of lines) expect(ended.stderr).toContain(line)
})
