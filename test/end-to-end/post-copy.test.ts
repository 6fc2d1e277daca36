import type { Clock, Report } from '@godwit/core'
import { KIB, MIB, pagesCovering, systemClock } from '@godwit/core'
import type { IncomingWorkload } from '@godwit/guest'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { FETCH_NAMES, parseEncode } from '@godwit/policy'
import { afterEach, describe, expect, it } from 'vitest'
import { advances, expectContinuous } from './oracle.ts'
import { PageWatch } from './page-watch.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { someOf } from './variants.ts'

/** Regions of 1 MiB, and one of a page and a short one, or of a short one alone. */
const memoryBytes = 2 * MIB + 5000
const guestSpec = `writer,wss=${512 * KIB},rate=20000,content=10/30/20/40`
/** Does not fire: hybrid's own rules do. */
const stop = 'max-rounds=9'
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** What waits for a second without faults is not to wait so long. */
const quickClock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 20,
  after: (delayMs, task) => systemClock.after(delayMs / 20, task),
}

async function startGuest(spec: string, pageBytes = 4096): Promise<WorkloadGuest> {
  const { identity } = parseGuest(spec, memoryBytes)
  const guest = await WorkloadGuest.start(identity, memoryBytes, {
    pageBytes,
    regionBytesMax: MIB,
  })
  cleanups.push(() => guest.stop())
  return guest
}

async function startRig(): Promise<Rig> {
  const rig = await createRig(new WorkloadHost())
  cleanups.push(async () => {
    for (const session of rig.sessions) await session.guest?.discard()
  })
  return rig
}

function total(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + value, 0)
}

interface Moved {
  readonly source: Report
  readonly destination: Report
  readonly arrived: IncomingWorkload
}

/** Moves a guest, which goes on as if it had stayed; both sides tell the same. */
async function move(guest: WorkloadGuest, settings: SourceSettings): Promise<Moved> {
  const rig = await startRig()
  await advances(guest, 50)
  const migration = await rig.source(guest, { stop, clock: quickClock, ...settings })
  const source = await migration.run()
  expect(source.error).toBeUndefined()
  expect(source.outcome).toBe('completed')
  expect(source.memory?.equal).toBe(settings.verify === 'none' ? undefined : true)
  await rig.idle()
  expect([rig.held(), rig.runs()]).toEqual([1, 1])
  const [destination] = rig.reports
  expect(destination!.outcome).toBe('completed')
  expect(destination!.memory).toEqual(source.memory)
  expect(destination!.wireBytes).toBe(source.wireBytes)
  const arrived = rig.sessions[0]!.guest as IncomingWorkload
  await expectContinuous(arrived, guest.identity, guest.steps())
  return { source, destination: destination!, arrived }
}

function checkCounters({ source, destination }: Moved): void {
  for (const { pages, rounds } of [source, destination]) {
    expect(total(Object.values(pages!))).toBe(total(rounds.map((round) => round.pages)))
  }
  for (const key of ['pages', 'bytes'] as const) {
    expect(destination.rounds.map((round) => round[key])).toEqual(
      source.rounds.map((round) => round[key]),
    )
  }
  // Nobody is paused while pages travel.
  expect(source.rounds.map((round) => round.paused)).toEqual(source.rounds.map(() => false))
}

/** Every page that was lacking came once, and no other did. */
function checkPages(watch: PageWatch, { source }: Moved): void {
  const { discarded, sent, requested } = watch
  expect([...discarded.values()].every((times) => times === 1)).toBe(true)
  expect([...sent.keys()].toSorted()).toEqual([...discarded.keys()].toSorted())
  expect([...sent.values()].every((times) => times === 1)).toBe(true)
  expect(source.rounds.at(-1)!.pages).toBe(sent.size)
  for (const [page, times] of requested) {
    expect(discarded.has(page)).toBe(true)
    expect(times).toBe(1)
  }
}

const modes = [
  { mode: 'post-copy' },
  { mode: 'hybrid', hybrid: { rounds: 1 } },
  { mode: 'hybrid', hybrid: { rounds: 2 } },
] as const
const encodings = ['none', 'raw', 'auto', 'same,mdd,zstd', 'delta,lz4'] as const
const hashes = ['xxh3', 'xxh64', 'sha256'] as const

/** Every two of mode, fetch and encoding meet; the others take turns. */
const cases = modes.flatMap((mode, m) =>
  FETCH_NAMES.flatMap((fetch, f) =>
    encodings
      .map((encode, e) => {
        const hash = hashes[(m + 2 * f + e) % 3]!
        const pageBytes = (f + m) % 2 === 0 ? 4096 : 16384
        const [threads, lanes] = [1 + ((f + e) % 3), 1 + ((m + e) % 2)]
        return { ...mode, fetch, encode, hash, pageBytes, threads, lanes }
      })
      .filter((_, e) => (m + f + e) % 2 === 0),
  ),
)

describe('a guest that runs before its pages are there', () => {
  it.each(someOf(cases, 4))('goes on as if it had stayed: %j', async (one) => {
    const { threads, encode, pageBytes, mode, fetch } = one
    const guest = await startGuest(`${guestSpec},threads=${threads}`, pageBytes)
    const watch = new PageWatch()
    const { onControl, onData } = watch
    const moved = await move(guest, { ...one, encode: parseEncode(encode), onControl, onData })
    const { source, destination } = moved
    checkCounters(moved)
    checkPages(watch, moved)
    expect(source.rounds).toHaveLength(1 + ('hybrid' in one ? one.hybrid.rounds : 0))
    expect(destination.faults).toEqual(source.faults)
    // A wait counts when it is over: one of each thread may be missing.
    expect(source.faults!.count).toBeGreaterThanOrEqual(watch.requested.size - threads)
    const isSureToWait = fetch === 'demand' && source.rounds.length < 3
    expect(source.faults!.count).toBeGreaterThanOrEqual(isSureToWait ? 1 : 0)
    expect(source.policies).toMatchObject({ fetch })
    expect(source.stages.map(({ name }) => name)).toContain('post-copy')
    expect(source.stop).toMatchObject({ rule: mode === 'hybrid' ? 'rounds' : 'mode' })
    const pages = guest.regions.map(({ bytes }) => pagesCovering(bytes.length, pageBytes))
    const least = mode === 'hybrid' ? 0 : total(pages)
    expect(watch.discarded.size).toBeGreaterThanOrEqual(least)
  })

  it.each([
    ['idle', {}],
    ['cpu', { fetch: 'prepage' }],
    ['memory-read', { fetch: 'bubbles' }],
    ['memory-write,wss=256KiB', { fetch: 'push', tracker: 'scan' }],
    [`${guestSpec},order=rand,threads=4`, { fetch: 'demand', verify: 'sha256' }],
    [`writer,wss=512KiB,style=page`, { fetch: 'push', verify: 'none', maxBandwidth: 8 * MIB }],
  ] as const)('may be any: %s %j', async (spec, settings) => {
    const guest = await startGuest(spec)
    const { source } = await move(guest, { ...settings, mode: 'post-copy' })
    expect(source.stop).toEqual({ rule: 'mode' })
    expect(source.rounds).toHaveLength(1)
  })

  it('may lack nothing at all', async () => {
    const guest = await startGuest('cpu')
    const watch = new PageWatch()
    const { onControl, onData } = watch
    const hybrid = { rounds: 1 }
    const settings = { mode: 'hybrid', hybrid, stop: 'max-rounds=9', onControl, onData } as const
    const { source } = await move(guest, settings)
    expect(source.rounds[1]).toMatchObject({ pages: 0, bytes: 0 })
    expect([watch.discarded.size, watch.sent.size, source.faults!.count]).toEqual([0, 0, 0])
  })

  it('is moved on from there', async () => {
    const guest = await startGuest(guestSpec)
    const first = await startRig()
    const report = await (await first.source(guest, { mode: 'post-copy' })).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    await first.idle()
    const there = (first.sessions[0]!.guest as IncomingWorkload).asGuest()
    cleanups.push(() => there.stop())
    await move(there, { mode: 'hybrid', hybrid: { rounds: 1 } })
  })
})

describe('hybrid', () => {
  it('ends as pre-copy does where a rule says that the pause is short', async () => {
    const guest = await startGuest(guestSpec)
    const rules = { mode: 'hybrid', hybrid: { rounds: 1 }, stop: 'few-dirty=1000000' } as const
    const { source } = await move(guest, rules)
    expect(source.stop).toMatchObject({ rule: 'few-dirty' })
    expect(source.rounds.map((round) => round.paused)).toEqual([false, true])
    expect(source.stages.map(({ name }) => name)).not.toContain('post-copy')
    expect(source.faults?.count ?? 0).toBe(0)
  })

  it('goes on where another one ends the rounds', async () => {
    const guest = await startGuest(guestSpec)
    const rules = { mode: 'hybrid', hybrid: { rounds: 3 }, stop: 'max-rounds=2' } as const
    const { source } = await move(guest, rules)
    expect(source.stop).toMatchObject({ rule: 'max-rounds', round: 2 })
    expect(source.rounds).toHaveLength(3)
    expect(source.stages.map(({ name }) => name)).toContain('post-copy')
  })

  it('goes on by its own rules', async () => {
    const guest = await startGuest(guestSpec)
    const { source } = await move(guest, { mode: 'hybrid', hybrid: { afterMs: 0 } })
    expect(source.stop).toMatchObject({ rule: 'after', afterMs: 0 })
    expect(source.rounds).toHaveLength(2)
    expect(source.stages.map(({ name }) => name)).toContain('post-copy')
  })

  it('goes on with post-copy when it is asked to', async () => {
    const guest = await startGuest(guestSpec)
    const rig = await startRig()
    let rounds = 0
    const migration = await rig.source(guest, {
      mode: 'hybrid',
      stop,
      onControl: ({ direction, name }) => {
        if (direction === 'written' && name === 'RoundBegin' && ++rounds === 3) {
          migration.switchToPostCopy()
        }
        return undefined
      },
    })
    const report = await migration.run()
    expect(report.error).toBeUndefined()
    expect(report.stop).toEqual({ rule: 'asked', round: 3 })
    expect(report.rounds).toHaveLength(4)
    await rig.idle()
    const arrived = rig.sessions[0]!.guest as IncomingWorkload
    await expectContinuous(arrived, guest.identity, guest.steps())
  })

  it.each(['pre-copy', 'stop-copy', 'post-copy'] as const)(
    'is the only mode that can be asked: %s',
    async (mode) => {
      const guest = await startGuest('idle')
      const migration = await (await startRig()).source(guest, { mode })
      expect(() => migration.switchToPostCopy()).toThrow(expect.objectContaining({ code: 'USAGE' }))
    },
  )
})
