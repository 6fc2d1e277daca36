/** Somebody marks the stores to a guest's memory: only such pages are looked at. */
import { MIB, noMarks } from '@godwit/core'
import { parseEncode, parseSelect } from '@godwit/policy'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost, receive, send } from 'godwit'
import { describe, expect, it } from 'vitest'
import type { SourceThread } from './fake-threads.ts'
import { sourceThreads } from './fake-threads.ts'
import { MarkedGuest } from './marked-guest.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'
import type { OnUnit } from './tap.ts'
import { TapChannel } from './tap.ts'

const pageBytes = 4096
/** Rounds of more than 64 MiB have sets that are not known when they begin. */
const large = [16_000, 800] as const
const small = [900, 30] as const
const noise = randomBytes(MIB, 1)
/** A page that was stored to, and that nobody marked. */
const unseen = 5000 * pageBytes

function createGuest(counts: readonly number[]): MarkedGuest {
  const memory = counts.map((pageCount) => {
    const bytes = new Uint8Array(new SharedArrayBuffer(pageCount * pageBytes))
    for (let at = 0; at + MIB <= bytes.length; at += 5 * MIB) bytes.set(noise, at)
    return bytes
  })
  return new MarkedGuest(memory)
}

interface Stage {
  readonly rig: Rig
  readonly arrival: readonly Uint8Array[]
  readonly started: readonly SourceThread[]
  /** @param onAck - the destination has all of a round, and the guest has not been paused yet */
  readonly settings: (onAck: (round: number) => void, hasThreads?: boolean) => SourceSettings
}

async function setUp(guest: MarkedGuest, onData: OnUnit = () => undefined): Promise<Stage> {
  const arrival = guest.regions.map(({ bytes }) => new Uint8Array(bytes.length).fill(0xee))
  const rig = await createRig(new MemoryHost({ memory: arrival }, 128 * MIB))
  const started: SourceThread[] = []
  const dial = async (): Promise<TapChannel> => new TapChannel(await rig.dial(), onData)
  let acks = 0
  return {
    rig,
    arrival,
    started,
    settings: (onAck, hasThreads = false) => ({
      tracker: 'scan',
      marks: guest.marks,
      onData,
      onControl: ({ name }) => {
        if (name === 'RoundAck' && !guest.isPaused) onAck(++acks)
        return undefined
      },
      ...(hasThreads && { startLane: sourceThreads(dial, started) }),
    }),
  }
}

/** Pages here and there get another content. */
function storeSome(guest: MarkedGuest, round: number): void {
  for (let page = round; page < 800; page += 7) {
    guest.storePage(0, page, noise.subarray(page + round, page + round + pageBytes))
  }
  guest.storePage(1, 29, noise.subarray(round, round + pageBytes))
}

describe('memory whose stores are marked', () => {
  it.each([
    { counts: large, lanes: 1, encode: 'none', hasThreads: false },
    { counts: large, lanes: 2, encode: 'same,delta', hasThreads: true },
    { counts: small, lanes: 1, encode: 'none', hasThreads: false },
    { counts: small, lanes: 2, encode: 'same,delta', hasThreads: true },
  ])('arrives as it is: %o', async ({ counts, lanes, encode, hasThreads }) => {
    const guest = createGuest(counts)
    const { rig, arrival, settings } = await setUp(guest)
    const more = { lanes, encode: parseEncode(encode), stop: 'max-rounds=3' }
    const ofRound = settings((round) => storeSome(guest, round), hasThreads)
    const report = await (await rig.source(guest, { ...ofRound, ...more })).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.tracker).toBe('soft-dirty')
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
    // What was stored in each round, and nothing else; the guest stands in the last one.
    const pages = report.rounds.map((round) => round.pages)
    expect(pages).toEqual([counts[0] + counts[1], 116, 115, 115])
    expect([guest.begins, guest.looks >= 3]).toEqual([1, true])
  })

  it.each([large, small])('is looked at where it is marked only: %o', async (...counts) => {
    const guest = createGuest(counts)
    const page = Math.min(unseen, guest.regions[0]!.bytes.length - pageBytes)
    const { rig, arrival, settings } = await setUp(guest)
    const onAck = (round: number): void => {
      guest.isBlind = true
      guest.store(0, page, Uint8Array.of(round))
      guest.isBlind = false
      storeSome(guest, round)
    }
    const own = { ...settings(onAck), verify: 'none' as const, stop: 'max-rounds=2' }
    const report = await (await rig.source(guest, own)).run()
    expect(report.outcome).toBe('completed')
    const [lost, ...rest] = [guest.snapshot()[0]!.slice(page, page + 1), arrival[0]![page]]
    expect([lost[0], rest]).not.toEqual([rest[0], rest])
    arrival[0]!.set(lost, page)
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })

  it.each([false, true])(
    'is sent in the pause where round 1 ends early: %s',
    async (hasThreads) => {
      const guest = createGuest(large)
      let cut = (): void => {}
      const { rig, arrival, settings } = await setUp(guest, ({ direction, name }) => {
        if (direction === 'written' && name === 'Pages') cut()
        return undefined
      })
      const ofRound = settings(() => {}, hasThreads)
      const migration = await rig.source(guest, { ...ofRound, stop: 'max-rounds=9', lanes: 2 })
      cut = () => migration.endRounds({ rule: 'timeout', numbers: { limitMs: 1 } })
      // It stores all the time, but for the pause.
      let stores = 0
      const turn = (): void => {
        if (!guest.isPaused) storeSome(guest, ++stores % 7)
        if (migration.canCancel) setImmediate(turn)
      }
      turn()
      const report = await migration.run()
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      expect([report.stop!.rule, report.tracker]).toEqual(['timeout', 'soft-dirty'])
      const [early, rest] = report.rounds.map(({ pages }) => pages)
      expect(early).toBeLessThan(large[0] + large[1])
      expect(early! + rest!).toBeGreaterThanOrEqual(large[0] + large[1])
      expect([guest.begins, stores > 1]).toEqual([1, true])
      expect(difference(arrival, guest.snapshot())).toBeUndefined()
    },
  )

  it('is looked at altogether where rounds leave pages out', async () => {
    const guest = createGuest(small)
    const { rig, arrival, settings } = await setUp(guest)
    const onAck = (round: number): void => storeSome(guest, round)
    // As a user's own may be.
    const select = { ...parseSelect('all-dirty'), text: 'own' }
    const own = { ...settings(onAck), stop: 'max-rounds=3', select }
    const report = await (await rig.source(guest, own)).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect([report.tracker, guest.begins, guest.looks]).toEqual(['scan', 0, 0])
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })

  it('is looked at altogether once the marks do not count any more', async () => {
    const guest = createGuest(large)
    const { rig, arrival, settings } = await setUp(guest)
    const onAck = (round: number): void => {
      if (round === 2) guest.lost = 'made up'
      guest.isBlind = round === 2
      guest.store(0, unseen, Uint8Array.of(round))
      storeSome(guest, round)
    }
    const own = { ...settings(onAck), stop: 'max-rounds=3', lanes: 2 }
    const report = await (await rig.source(guest, own)).run()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(report.tracker).toBe('scan')
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })
})

describe('the tracker soft-dirty', () => {
  it.each(['auto', 'soft-dirty'] as const)('goes by marks: %s', async (tracker) => {
    const guest = createGuest(large)
    const { identity, regions, marks } = guest
    const blind = {
      identity,
      regions,
      marks,
      isForeign: true,
      pause: () => {
        storeSome(guest, 1)
        return guest.pause()
      },
      resume: () => guest.resume(),
      captureState: () => guest.captureState(),
    }
    const arrival = regions.map(({ bytes }) => new Uint8Array(bytes.length))
    const receiver = await receive({ memory: arrival }, { listen: '127.0.0.1:0' })
    const report = await send(blind, { to: receiver.address, lanes: 2, tracker })
    await receiver.close()
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect([report.tracker, report.rounds.at(-1)!.pages]).toEqual(['soft-dirty', 116])
    expect(difference(arrival, guest.snapshot())).toBeUndefined()
  })

  it('is refused where there are none, or where rounds leave pages out', async () => {
    const to = '127.0.0.1:1'
    const lacking = new ShadowGuest([new Uint8Array(pageBytes)])
    await expect(send(lacking, { to, tracker: 'soft-dirty' })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('nobody marks stores of a memory guest') as string,
    })
    const guest = createGuest(small)
    const select = 'ppc'
    await expect(send(guest, { to, tracker: 'soft-dirty', select })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('not those of select ppc') as string,
    })
    const none = Object.assign(guest, { marks: noMarks('soft-dirty', 'made up') })
    await expect(send(none, { to, tracker: 'soft-dirty' })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'Soft-dirty bits cannot be had: made up; use scan or auto',
    })
    expect(guest.pauses).toBe(0)
  })
})
