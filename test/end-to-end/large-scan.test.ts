/**
 * More memory than is looked through before a round, and nobody who reports stores to it: it is
 * looked through while its pages travel.
 */
import type { Guest } from '@godwit/core'
import { MIB } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { randomBytes, seededRandom } from '@godwit/testkit'
import type { RoundBegin } from '@godwit/wire'
import { FRAME_HEADER_BYTES, FrameType, decodeMessage } from '@godwit/wire'
import { MemoryHost, receive, send } from 'godwit'
import { describe, expect, it } from 'vitest'
import { CuttingProxy } from './cutting-proxy.ts'
import type { SourceThread } from './fake-threads.ts'
import { sourceThreads } from './fake-threads.ts'
import { expectSameCounts } from './mixed-memory.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { OnUnit } from './tap.ts'
import { TapChannel } from './tap.ts'

const pageBytes = 4096
/** Some more than 64 MiB, in two regions; the last page is a short one. */
const pageCounts = [16_000, 800] as const
const allPages = pageCounts[0] + pageCounts[1]
const shortBytes = 96
const noise = randomBytes(64 * pageBytes, 1)
/** One of so many pages of {@link noise} is not zero. */
const noisyShare = 5
/** Pages that {@link storeToMany} stores to. */
const manyPages = 4000

/** Zeros, and noise here and there, in memory that threads may be given. */
function createGuest(counts: readonly number[] = pageCounts): ShadowGuest {
  const memory = counts.map((pageCount, index) => {
    const byteLength = pageCount * pageBytes - index * shortBytes
    const bytes = new Uint8Array(new SharedArrayBuffer(byteLength))
    for (let at = 0; at + noise.length <= byteLength; at += noisyShare * noise.length) {
      bytes.set(noise, at)
    }
    return bytes
  })
  return new ShadowGuest(memory)
}

/** Another content of every fourth page of the first region. */
function storeToMany(guest: ShadowGuest, seed: number): void {
  for (let page = 0; page < manyPages; page++) {
    const at = ((page * 7 + seed) % 60) * pageBytes
    guest.storePage(0, page * 4, noise.subarray(at + seed, at + seed + pageBytes))
  }
}

/** Stores a little to some pages in every turn, but for the pause. @returns to end it */
function keepStoring(guest: ShadowGuest, seed: number): () => void {
  const next = seededRandom(seed)
  let isOver = false
  const turn = (): void => {
    if (isOver) return
    for (let i = 0; i < 4 && !guest.isPaused; i++) {
      const region = next(8) === 0 ? 1 : 0
      const at = next(guest.regions[region]!.bytes.length - 16)
      const from = next(noise.length - 16)
      guest.store(region, at, noise.subarray(from, from + 16))
    }
    setImmediate(turn)
  }
  turn()
  return () => {
    isOver = true
  }
}

interface Stage {
  readonly rig: Rig
  readonly arrival: readonly Uint8Array[]
  readonly begins: RoundBegin[]
  readonly started: SourceThread[]
  /** @param onAck - the destination has all of a round, and the guest has not been paused yet */
  readonly settings: (onAck: (round: number) => void, hasThreads?: boolean) => SourceSettings
}

/** @param onData - sees the data channels */
async function setUp(guest: ShadowGuest, onData: OnUnit = () => undefined): Promise<Stage> {
  const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length).fill(0xee))
  const rig = await createRig(new MemoryHost({ memory: arrival }, 128 * MIB))
  const begins: RoundBegin[] = []
  const started: SourceThread[] = []
  const dial = async (): Promise<TapChannel> => new TapChannel(await rig.dial(), onData)
  return {
    rig,
    arrival,
    begins,
    started,
    settings: (onAck, hasThreads = false) => ({
      tracker: 'scan',
      onData,
      onControl: ({ name }, bytes) => {
        if (name === 'RoundBegin') begins.push(beginOf(bytes))
        if (name === 'RoundAck' && !guest.isPaused) onAck(begins.length)
        return undefined
      },
      ...(hasThreads && { startLane: sourceThreads(dial, started) }),
    }),
  }
}

function beginOf(frame: Uint8Array): RoundBegin {
  const body = frame.subarray(FRAME_HEADER_BYTES)
  return decodeMessage(FrameType.RoundBegin, body).body as RoundBegin
}

describe('memory that is looked through while it travels', () => {
  it.each([
    { lanes: 1, encode: 'none', hasThreads: false },
    { lanes: 2, encode: 'same,delta', hasThreads: false },
    { lanes: 2, encode: 'none', hasThreads: true },
    { lanes: 2, encode: 'same,delta', hasThreads: true },
  ])('arrives whatever is stored to it meanwhile: %o', async ({ lanes, encode, hasThreads }) => {
    const guest = createGuest()
    const { rig, arrival, begins, started, settings } = await setUp(guest)
    const onAck = (round: number): void => {
      for (let page = 0; page < 300; page++) guest.store(0, page * 40_960, Uint8Array.of(round))
      guest.store(1, guest.regions[1]!.bytes.length - 1, Uint8Array.of(round))
    }
    const migration = await rig.source(guest, {
      ...settings(onAck, hasThreads),
      lanes,
      encode: parseEncode(encode),
      stop: 'max-rounds=3',
    })
    const end = keepStoring(guest, lanes)
    const report = await migration.run()
    end()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    expect(begins.map(({ kind, open }) => `${kind} ${open}`)).toEqual([
      'full undefined',
      'dirty true',
      'dirty true',
      'final true',
    ])
    expect(report.rounds[0]!.pages).toBe(allPages)
    for (const { pages, scanMs } of report.rounds.slice(1)) {
      expect(pages).toBeGreaterThan(300)
      expect(scanMs).toBeGreaterThan(0)
    }
    expect(report.pages!.delta > 100).toBe(encode !== 'none')
    expect(started).toHaveLength(hasThreads ? lanes : 0)
    await rig.idle()
    expectSameCounts({ source: report, destination: rig.reports[0]! })
  })

  it('goes page for page, no more than was stored to', async () => {
    const guest = createGuest()
    const { rig, arrival, begins, settings } = await setUp(guest)
    const onAck = (round: number): void => {
      if (round === 1) storeToMany(guest, 1)
      if (round === 2) guest.store(1, 0, Uint8Array.of(1, 2, 3))
    }
    const migration = await rig.source(guest, { ...settings(onAck), stop: 'max-rounds=3' })
    const report = await migration.run()
    expect(report.rounds.map(({ pages }) => pages)).toEqual([allPages, manyPages, 1, 0])
    expect(report.rounds.map(({ scanMs }) => scanMs === undefined)).toEqual([
      true,
      ...Array<boolean>(3).fill(false),
    ])
    expect(begins.map(({ open }) => open === true)).toEqual([false, true, true, true])
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })

  it('is not, where it is 64 MiB: its sets are known before', async () => {
    const guest = createGuest([(64 * MIB) / pageBytes])
    const { rig, arrival, begins, settings } = await setUp(guest)
    const onAck = (): void => guest.store(0, 5, Uint8Array.of(1))
    const migration = await rig.source(guest, settings(onAck))
    const report = await migration.run()
    expect(begins.map(({ open }) => open)).toEqual([undefined, undefined, undefined])
    expect(begins.map(({ pages }) => pages)).toEqual([16_384, 1, 0])
    expect(report.rounds.every(({ scanMs }) => scanMs === undefined)).toBe(true)
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })
})

describe('a round whose set is not known yet', () => {
  it.each([false, true])('ends early, and the rest goes in the pause: %s', async (hasThreads) => {
    const guest = createGuest()
    let cut = (): void => {}
    const { rig, arrival, begins, settings } = await setUp(guest, ({ direction, name }) => {
      if (direction === 'written' && name === 'Pages' && begins.length === 2) cut()
      return undefined
    })
    const onAck = (round: number): void => {
      if (round === 1) storeToMany(guest, 1)
    }
    const more = { stop: 'max-rounds=9', lanes: 2 }
    const migration = await rig.source(guest, { ...settings(onAck, hasThreads), ...more })
    const by = { rule: 'timeout', numbers: { limitMs: 1 } } as const
    cut = () => migration.endRounds(by)
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'completed', stop: { rule: 'timeout', limitMs: 1 } })
    const [all, early, rest, ...none] = report.rounds.map(({ pages }) => pages)
    expect([all, none]).toEqual([allPages, []])
    expect(early).toBeGreaterThan(0)
    expect(rest).toBeGreaterThan(manyPages / 2)
    expect(early! + rest!).toBe(manyPages)
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    await rig.idle()
    expectSameCounts({ source: report, destination: rig.reports[0]! })
  })

  it.each([false, true])(
    'is lost with its connection, the guest is not: %s',
    async (hasThreads) => {
      const guest = createGuest()
      let isLost = false
      const { rig, arrival, begins, started, settings } = await setUp(guest, (unit) => {
        if (unit.direction === 'read' || unit.name !== 'Pages' || begins.length !== 2)
          return undefined
        isLost = true
        return 'cut'
      })
      const onAck = (): void => storeToMany(guest, 1)
      const more = { stop: 'max-rounds=9', lanes: 2 }
      const migration = await rig.source(guest, { ...settings(onAck, hasThreads), ...more })
      const end = keepStoring(guest, 3)
      const report = await migration.run()
      expect(isLost).toBe(true)
      expect(report).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST' } })
      expect([guest.isPaused, guest.pauses, begins.length]).toEqual([false, 0, 2])
      expect(started.every((thread) => thread.isOver)).toBe(true)
      await rig.idle()
      expect(rig.held()).toBe(0)
      const again = await rig.source(guest, { tracker: 'scan', lanes: 2 })
      expect(await again.run()).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      end()
      expect(difference(arrival, guest.snapshot())).toBeUndefined()
    },
  )
})

describe('with threads of their own, over TCP', () => {
  /** Nobody marks its stores; it stores to many pages between two rounds, and stops by itself. */
  function blindGuest(guest: ShadowGuest, roundsMax = 3): Guest {
    let round = 0
    return {
      identity: guest.identity,
      regions: guest.regions,
      pause: () => guest.pause(),
      resume: () => guest.resume(),
      captureState: () => guest.captureState(),
      nextRound: async () => {
        storeToMany(guest, ++round)
        if (round < roundsMax) return undefined
        await guest.pause()
        return { stoodMs: 0, numbers: {} }
      },
    }
  }

  it.each(['none', 'same,delta'])('lanes find what is stored: %s', async (encode) => {
    const guest = createGuest()
    const arrival = guest.regions.map(({ bytes }) => {
      return new Uint8Array(new SharedArrayBuffer(bytes.length))
    })
    const receiver = await receive({ memory: arrival }, { listen: '127.0.0.1:0' })
    const end = keepStoring(guest, 5)
    const options = { lanes: 2, tracker: 'scan', encode } as const
    const report = await send(blindGuest(guest), { to: receiver.address, ...options })
    end()
    await receiver.close()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    expect(report.rounds.map(({ paused }) => paused)).toEqual([false, false, false, true])
    for (const { pages, scanMs } of report.rounds.slice(1)) {
      expect(pages).toBeGreaterThan(manyPages / 2)
      expect(scanMs).toBeGreaterThan(0)
    }
  })

  it('a connection that is lost leaves the guest where it is', async () => {
    const guest = createGuest()
    const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length))
    const receiver = await receive({ memory: arrival }, { listen: '127.0.0.1:0' })
    // All noise of round 1 and some of round 2.
    const firstBytes = (allPages / noisyShare) * pageBytes
    const proxy = new CuttingProxy(receiver.address, [firstBytes + 4 * MIB])
    const options = { lanes: 2, tracker: 'scan', encode: 'none' } as const
    const report = await send(blindGuest(guest), { to: await proxy.listen(), ...options })
    proxy.close()
    await receiver.close()
    expect(proxy.cuts).toBe(1)
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'CONNECTION_LOST' } })
    expect([guest.isPaused, guest.pauses, report.rounds.length]).toEqual([false, 0, 1])
  })
})
