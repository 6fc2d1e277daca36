/**
 * Page selectors over the real protocol: what is held back, what rounds send, and that all of the
 * guest arrives.
 */
import type { Report } from '@godwit/core'
import { KIB, MIB } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { SELECT_NAMES, parseEncode, parseMode, parseSelect, parseSending } from '@godwit/policy'
import type { SourceMigration } from '@godwit/source'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import type { SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
const pageCount = 64

/**
 * Moves a guest that stores to `trace[n - 1]` after round n, a new byte each time. At the end its
 * memory must be there.
 */
async function moveScripted(
  select: string,
  trace: readonly (readonly number[])[],
  settings: SourceSettings = {},
): Promise<Report> {
  const guest = new ShadowGuest([randomBytes(pageCount * pageBytes, 7)])
  const arrival = new Uint8Array(pageCount * pageBytes)
  const rig = await createRig(new MemoryHost({ memory: arrival }, MIB))
  let round = 0
  const migration = await rig.source(guest, {
    select: parseSelect(select),
    stop: 'max-rounds=30',
    ...settings,
    onControl: ({ direction, name }) => {
      if (direction === 'written' || name !== 'RoundAck' || guest.isPaused) return undefined
      round++
      const pages = trace[round - 1] ?? []
      for (const page of pages) guest.store(0, page * pageBytes + 9, Uint8Array.of(round))
      return undefined
    },
  })
  const report = await migration.run()
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference([arrival], guest.snapshot())).toBeUndefined()
  return report
}

/** Pages that each round sent, and those that it held. */
function sentAndHeld({ rounds }: Report): (readonly [number, number])[] {
  return rounds.map(({ pages, heldPages = 0 }) => [pages, heldPages] as const)
}

describe('rounds, by hand', () => {
  it('all-dirty sends what is dirty and holds nothing', async () => {
    const report = await moveScripted('all-dirty', [[1, 2], [1], [2]], { stop: 'max-rounds=3' })
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [2, 0],
      [1, 0],
      [1, 0],
    ])
    expect(report.policies).toMatchObject({ select: 'all-dirty' })
  })

  it('history holds what was hot, and sends it in the pause', async () => {
    // Pages 1 and 2 are stored to after rounds 1 and 2: hot from then on. Page 9 is not.
    const trace = [[1, 2], [1, 2, 9], [1], [1]]
    const report = await moveScripted('history,rounds=3,hits=2', trace, { stop: 'max-rounds=4' })
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [2, 0],
      [1, 2],
      [0, 2],
      [2, 0],
    ])
    expect(report.rounds.map(({ dirtyPages }) => dirtyPages)).toEqual([2, 3, 1, 1, undefined])
    expect(report.stop).toEqual({ rule: 'max-rounds', round: 4, limit: 4, dirtyPages: 2 })
    expect(report.policies!['select']).toBe('history,rounds=3,hits=2')
  })

  it('what cools down goes while the guest runs', async () => {
    const report = await moveScripted('history,rounds=2,hits=2', [[1], [1], [], [5]], {
      stop: 'max-rounds=5',
    })
    // After round 3 page 1 has one hit of two: round 4 sends it.
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [1, 0],
      [0, 1],
      [1, 0],
      [1, 0],
      [0, 0],
    ])
  })

  it('history-send sends what was dirtied often, and the others at the end', async () => {
    const report = await moveScripted('history-send,rounds=4,hits=2', [[1, 2], [1], [1], []], {
      stop: 'max-rounds=4',
    })
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [0, 2],
      [1, 1],
      [0, 2],
      [2, 0],
    ])
  })

  it('second-chance waits for two clean rounds', async () => {
    const report = await moveScripted('second-chance', [[1, 2], [1], [], []], {
      stop: 'max-rounds=5',
    })
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [0, 2],
      [0, 2],
      [1, 1],
      [1, 0],
      [0, 0],
    ])
  })

  it('ppc holds what is likely to be dirtied again', async () => {
    const report = await moveScripted(
      'ppc',
      [
        [1, 2],
        [1, 2],
        [1, 3],
      ],
      { stop: 'max-rounds=3' },
    )
    // After round 2 both are above 0.5; after round 3 page 2 is not any more, but rounds are over.
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [2, 0],
      [0, 2],
      [3, 0],
    ])
  })

  it('flag holds for good, and nobody waits for what will not change', async () => {
    const report = await moveScripted('flag', [
      [1, 2],
      [1, 2],
    ])
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [2, 0],
      [2, 0],
    ])
    expect(report.stop).toEqual({ rule: 'held', round: 2, heldPages: 2 })
  })

  it('a look at pages that are held is not for ever', async () => {
    const hot = Array<number[]>(20).fill([4])
    const report = await moveScripted('second-chance', hot)
    // After rounds 1, 2 and 3 there is nothing to send, and two rounds of waiting are all it takes.
    expect(report.stop).toEqual({ rule: 'held', round: 3, heldPages: 1 })
    expect(sentAndHeld(report)).toEqual([
      [64, 0],
      [0, 1],
      [0, 1],
      [1, 0],
    ])
  })

  it('held pages count in the expected pause, and among the dirty ones', async () => {
    const hot = Array<number[]>(20).fill([4, 5, 6])
    const few = await moveScripted('flag', hot, { stop: 'few-dirty=3' })
    expect(few.stop).toMatchObject({ rule: 'held', heldPages: 3 })
    const enough = await moveScripted('flag', hot, { stop: 'few-dirty=4' })
    expect(enough.stop).toEqual({ rule: 'few-dirty', dirtyPages: 3, limit: 4 })
    const stalled = await moveScripted('history,rounds=9,hits=1', hot, { stop: 'wws' })
    expect(stalled.stop).toMatchObject({ rule: 'wws', dirtyPages: 3, lastDirtyPages: 3 })
    expect(sentAndHeld(stalled).slice(0, 2)).toEqual([
      [64, 0],
      [0, 3],
    ])
  })
})

describe('stop rules that count bytes', () => {
  it('ratio and budget tell what was sent', async () => {
    const all = Array.from({ length: pageCount }, (_, page) => page)
    const edits = Array<number[]>(9).fill(all)
    const ratio = await moveScripted('all-dirty', edits, { stop: 'ratio=1.5' })
    const bytes = ratio.rounds.map((round) => round.bytes)
    expect(ratio.rounds).toHaveLength(4)
    expect(ratio.stop).toEqual({
      rule: 'ratio',
      ratio: (bytes[1]! + bytes[2]!) / bytes[0]!,
      least: 1.5,
      firstRoundBytes: bytes[0],
      laterRoundsBytes: bytes[1]! + bytes[2]!,
    })
    const budget = await moveScripted('all-dirty', edits, { stop: 'budget=3.5' })
    expect(budget.rounds).toHaveLength(5)
    expect(budget.stop).toEqual({
      rule: 'budget',
      totalBytes: budget.rounds.slice(0, 4).reduce((sum, round) => sum + round.bytes, 0),
      memoryBytes: pageCount * pageBytes,
      factor: 3.5,
    })
  })
})

describe('a guest that goes on storing', () => {
  const memoryBytes = 2 * MIB + 5000
  const ended: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ended.splice(0).toReversed()) await end()
  })

  /** A cap under which rounds last long enough for the guest to store to many pages. */
  const slow = { maxBandwidth: 8e6, pauseBandwidth: Infinity }

  const idle = new Int32Array(new SharedArrayBuffer(4))

  /** Time for the guest, which has threads of its own, to store to all of its working set. */
  function storeToAll(guest: WorkloadGuest): void {
    const target = guest.steps() + (2 * 512 * KIB) / pageBytes
    while (guest.steps() < target) Atomics.wait(idle, 0, 0, 1)
  }

  async function moveWriter(settings: SourceSettings): Promise<Report> {
    const spec = `writer,wss=${512 * KIB},rate=30000,style=page,content=10/30/20/40`
    const { identity } = parseGuest(spec, memoryBytes)
    const guest = await WorkloadGuest.start(identity, memoryBytes, { regionBytesMax: MIB })
    ended.push(() => guest.stop())
    const rig = await createRig(new WorkloadHost())
    ended.push(async () => {
      await rig.agent.abandon()
      for (const session of rig.sessions) await session.guest?.discard()
    })
    await advances(guest, 300)
    let migration: SourceMigration | undefined
    let isFirst = false
    const looks: SourceSettings = {
      onControl: ({ direction, name }) => {
        isFirst = direction === 'written' && name === 'RoundBegin'
        if (name === 'RoundAck' && migration?.state === 'acknowledging') storeToAll(guest)
        return undefined
      },
      onData: ({ direction, name }) => {
        if (!isFirst || direction !== 'written' || name !== 'Pages') return undefined
        isFirst = false
        if (migration?.state === 'sending') storeToAll(guest)
        return undefined
      },
    }
    migration = await rig.source(guest, {
      stop: 'max-rounds=5',
      ...slow,
      ...looks,
      ...settings,
    })
    const report = await migration.run()
    expect(report.error).toBeUndefined()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.rounds.length).toBeGreaterThanOrEqual(3)
    await rig.idle()
    expect([rig.held(), rig.runs()]).toEqual([1, 1])
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
    return report
  }

  const names = SELECT_NAMES.filter((name) => name !== 'classes')

  const holding = new Set(['clark-wws', 'second-chance', 'history-send', 'ppc'])

  it.each(names)('arrives whole: %s', async (name) => {
    const { select, encode } = parseSending(name, undefined)
    const report = await moveWriter({ select: select!, encode })
    expect(report.policies!['select']).toBe(select!.text)
    expect(report.rounds[0]!.pages + (report.rounds[0]!.heldPages ?? 0)).toBeGreaterThan(512)
    const isHeld = report.rounds.some(({ heldPages = 0 }) => heldPages > 0)
    // Once flagged, all there is: nothing is waited for. Five hits take more rounds than there are.
    expect(isHeld).toBe(holding.has(name))
    expect(name !== 'flag' || report.stop!.rule === 'held').toBe(true)
  })

  it.each([
    ['ppc', 'hybrid,rounds=3', {}],
    ['flag', 'hybrid,rounds=9', { stop: 'max-rounds=9' }],
    ['second-chance', 'hybrid,rounds=3', { encode: parseEncode('same,delta'), lanes: 2 }],
    ['clark-wws,every=1ms', 'hybrid,rounds=2', { encode: parseEncode('auto') }],
    ['history,rounds=2,hits=1', 'hybrid,working-set=20ms,rounds=3', {}],
  ] as const)('what is held follows it in post-copy: %s, %s', async (select, mode, more) => {
    const report = await moveWriter({ ...parseMode(mode), select: parseSelect(select), ...more })
    expect(report.stages.map(({ name }) => name)).toContain('post-copy')
    const isHeld = report.rounds.some(({ heldPages = 0 }) => heldPages > 0)
    expect(isHeld || report.stop!.rule === 'held').toBe(true)
    // Nothing is held in the last round.
    expect(report.rounds.at(-1)!.heldPages).toBeUndefined()
  })

  it.each([
    ['ppc', 'none', 3],
    ['history-send,hits=2', 'same,mdd,zstd', 3],
    ['tpo,rounds=3,hits=1', 'delta,lz4', 2],
    ['clark-wws,every=1ms', 'auto', 2],
  ] as const)('arrives by several lanes: %s, %s, %i', async (select, encode, lanes) => {
    const settings = { select: parseSelect(select), encode: parseEncode(encode), lanes }
    const report = await moveWriter(settings)
    expect(report.rounds.some(({ heldPages = 0 }) => heldPages > 0)).toBe(true)
  })

  it('clark-wws leaves out of every round what is dirty again', async () => {
    const select = parseSelect('clark-wws,every=1ms')
    const report = await moveWriter({ select, stop: 'max-rounds=3' })
    const held = report.rounds.map(({ heldPages = 0 }) => heldPages)
    expect(held[0]).toBeGreaterThan(0)
    expect(held[1]).toBeGreaterThan(0)
    expect(held.at(-1)).toBe(0)
  })

  it('tpo leaves out of round 1 what is being updated', async () => {
    const select = parseSelect('tpo')
    const { rounds } = await moveWriter({ select, stop: 'max-rounds=3' })
    expect(rounds.map(({ heldPages = 0 }) => heldPages > 0)).toEqual([true, false, false, false])
  })
})

describe('a selector that watches stores', () => {
  it.each(['clark-wws', 'second-chance', 'history', 'history-send', 'ppc', 'flag', 'tpo'])(
    'is refused where the tracker sees none: %s',
    async (name) => {
      const moving = moveScripted(name, [], { tracker: 'scan' })
      await expect(moving).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringContaining(`select: ${name}: the scan tracker sees no stores`),
      })
    },
  )

  it('is not taken by default there', async () => {
    const guest = new ShadowGuest([randomBytes(pageBytes, 7)])
    const rig = await createRig(new MemoryHost({ memory: new Uint8Array(pageBytes) }, MIB))
    const auto = { encode: parseEncode('auto') }
    const scans = await rig.source(guest, { ...auto, tracker: 'scan' })
    expect((await scans.run()).policies!['select']).toBe('all-dirty')
    const marks = await rig.source(guest, auto)
    expect((await marks.run()).policies!['select']).toBe('clark-wws,rounds=1,every=50ms')
  })
})
