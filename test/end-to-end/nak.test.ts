/**
 * Content that the destination lost: it asks for pages once more, and the migration goes on.
 */
import type { Report } from '@godwit/core'
import { parseEncode } from '@godwit/policy'
import { randomBytes } from '@godwit/testkit'
import { MemoryHost } from 'godwit'
import { describe, expect, it } from 'vitest'
import { sourceThreads } from './fake-threads.ts'
import { mixedBytes } from './memory-contents.ts'
import type { Rig, SourceSettings } from './rig.ts'
import { createRig } from './rig.ts'
import { ShadowGuest, difference } from './shadow.ts'

const pageBytes = 4096
const pageCount = 300

/** What happens between two rounds, to the guest and to what arrived of it. */
type Event = (guest: ShadowGuest, arrival: Uint8Array) => void

interface Moved {
  readonly source: Report
  readonly destination: Report
  /** How many came. */
  readonly naks: number
}

/** Moves a guest; `events[n - 1]` comes after round n. In the end all of its memory is there. */
async function move(
  memory: Uint8Array,
  events: readonly Event[],
  settings: SourceSettings,
  more: (rig: Rig) => SourceSettings = () => ({}),
): Promise<Moved> {
  const guest = new ShadowGuest([memory])
  const arrival = new Uint8Array(memory.length)
  const rig = await createRig(new MemoryHost({ memory: arrival }, 2 * memory.length))
  let round = 0
  let naks = 0
  const migration = await rig.source(guest, {
    stop: `max-rounds=${events.length}`,
    onControl: ({ direction, name }) => {
      if (direction === 'read' && name === 'RoundAck') events[round++]?.(guest, arrival)
      return undefined
    },
    onData: ({ direction, name }) => {
      if (direction === 'read' && name === 'Nak') naks++
      return undefined
    },
    ...settings,
    ...more(rig),
  })
  const source = await migration.run()
  await rig.idle()
  const destination = rig.reports[0]!
  expect(source.error).toBeUndefined()
  expect(source).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  expect(difference([arrival], guest.snapshot())).toBeUndefined()
  expect(destination.pages).toEqual(source.pages)
  expect(destination.wireBytes).toBe(source.wireBytes)
  return { source, destination, naks }
}

/** Of what arrived, a few bytes of a page are others. */
function spoil(arrival: Uint8Array, page: number): void {
  for (let i = 0; i < 9; i++) arrival[page * pageBytes + 70 * i]! ^= 0x55
}

/** A change of so few bytes that a delta is sent. */
function touch(guest: ShadowGuest, page: number, value = 1): void {
  guest.store(0, page * pageBytes + 100, Uint8Array.of(value, value, value))
}

const nothing: Event = () => {}

describe('a page that the destination lost', () => {
  it.each<[string, SourceSettings]>([
    ['delta', {}],
    ['same,delta', { hash: 'xxh64' }],
    ['delta,zstd', { hash: 'sha256' }],
    ['mdd', { tracker: 'scan' }],
    ['same,mdd,lz4', { lanes: 3 }],
  ])('is sent once more, where a delta to it was sent: %s %o', async (encode, settings) => {
    const event: Event = (guest, arrival) => {
      spoil(arrival, 17)
      for (const page of [16, 17, 18, 40]) touch(guest, page)
    }
    const all = { ...settings, encode: parseEncode(encode) }
    // Round 2 has the deltas to what round 1 left; with more lanes, round 3 surely has.
    const first: Event = (guest) => [16, 17, 18, 40].forEach((page) => touch(guest, page, 9))
    const { source, naks } = await move(randomBytes(pageCount * pageBytes, 1), [first, event], all)
    expect(naks).toBe(1)
    expect(source.encoding!.repairedPages).toBe(4)
    expect(source.pages!.delta).toBeGreaterThanOrEqual(4)
  })

  it('is sent once more while the guest is paused', async () => {
    const event: Event = (guest, arrival) => {
      spoil(arrival, 17)
      touch(guest, 17)
    }
    const memory = randomBytes(pageCount * pageBytes, 1)
    const { source, naks } = await move(memory, [event], { encode: parseEncode('delta') })
    expect([naks, source.encoding!.repairedPages]).toEqual([1, 1])
    expect(source.rounds.map((round) => round.paused)).toEqual([false, true])
  })

  it('is sent as it is then: the guest goes on meanwhile', async () => {
    const event: Event = (guest, arrival) => {
      for (let page = 0; page < 50; page++) {
        spoil(arrival, page)
        touch(guest, page)
      }
    }
    let seen: ShadowGuest | undefined
    let stores = 0
    const { source } = await move(
      randomBytes(pageCount * pageBytes, 1),
      [(guest, arrival) => event((seen = guest), arrival), nothing, nothing],
      {
        encode: parseEncode('delta'),
        onData: ({ direction, name }) => {
          if (seen?.isPaused !== false || name === 'Preface') return undefined
          // At every frame, the NAK and the repairs too, both ways.
          if (direction === 'read' || name === 'Pages') touch(seen, 20 + (stores % 30), ++stores)
          return undefined
        },
      },
    )
    expect(stores).toBeGreaterThan(2)
    expect(source.encoding!.repairedPages).toBeGreaterThanOrEqual(50)
  })

  it('is zero by then, and is sent as that', async () => {
    const event: Event = (guest, arrival) => {
      spoil(arrival, 17)
      touch(guest, 17)
      guest.storePage(0, 18, new Uint8Array(pageBytes))
      touch(guest, 299)
    }
    const memory = mixedBytes(pageCount, pageBytes)
    const { source } = await move(memory, [event, nothing], { encode: parseEncode('delta') })
    // Zero pages of the batch were not installed either.
    expect(source.encoding!.repairedPages).toBeGreaterThanOrEqual(2)
    expect(source.pages!.zero).toBe(76)
  })

  it('is sent once more, where others were said to hold the same', async () => {
    const event: Event = (guest, arrival) => {
      for (let page = 0; page < 20; page++) {
        spoil(arrival, page)
        guest.storePage(0, 100 + page, guest.page(0, page))
      }
    }
    // What was spoilt comes anew, since nothing else would tell.
    const mend: Event = (guest) => {
      for (let page = 0; page < 20; page++) guest.storePage(0, page, randomBytes(pageBytes, page))
    }
    const memory = randomBytes(pageCount * pageBytes, 1)
    const { source, naks } = await move(memory, [event, mend], { encode: parseEncode('same') })
    expect(source.pages!.same).toBeGreaterThan(0)
    expect(naks).toBe(1)
    expect(source.encoding!.repairedPages).toBe(20)
  })

  it('was never kept, where its batch was not installed: it comes whole', async () => {
    const memory = randomBytes(pageCount * pageBytes, 1)
    const before = new ShadowGuest([memory.slice()])
    const event: Event = (guest, arrival) => {
      for (let page = 0; page < 8; page++) {
        spoil(arrival, 200 + page)
        guest.storePage(0, 100 + page, guest.page(0, 200 + page))
        guest.storePage(0, page, randomBytes(pageBytes, 900 + page))
      }
    }
    const back: Event = (guest) => {
      for (let page = 0; page < 8; page++) {
        guest.storePage(0, page, before.page(0, page))
        guest.storePage(0, 200 + page, randomBytes(pageBytes, 500 + page))
      }
    }
    const settings = { encode: parseEncode('same') }
    const { source, naks } = await move(memory, [event, back, nothing], settings)
    expect(source.pages!.same).toBeGreaterThan(0)
    expect(source.pages!.reference).toBeGreaterThan(0)
    // The store was not filled in round 2, whose first batch has them all, and is asked for in
    // round 3.
    expect(naks).toBe(2)
    expect(source.encoding!.repairedPages).toBe(32)
  })

  it('is known again: deltas go on from what was sent once more', async () => {
    const event: Event = (guest, arrival) => {
      spoil(arrival, 17)
      for (let page = 0; page < 30; page++) touch(guest, page, 1)
    }
    const again = (value: number): Event => {
      return (guest) => {
        for (let page = 0; page < 30; page++) touch(guest, page, value)
      }
    }
    const memory = randomBytes(pageCount * pageBytes, 1)
    const settings = { encode: parseEncode('delta') }
    const { source, naks } = await move(memory, [event, again(2), again(3)], settings)
    expect([naks, source.encoding!.repairedPages]).toEqual([1, 30])
    expect(source.pages!.delta).toBe(90)
  })
})

describe('reports of a migration with repairs', () => {
  const events = [1, 2].map((value): Event => {
    return (guest, arrival) => {
      for (let page = 0; page < 30; page++) {
        spoil(arrival, page)
        touch(guest, page, value)
      }
    }
  })
  const memory = (): Uint8Array => {
    const bytes = randomBytes(pageCount * pageBytes, 1)
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
    copy.set(bytes)
    return copy
  }
  const settings = { encode: parseEncode('delta') }

  it('tell them, where lanes have threads, in the last round, too', async () => {
    const { source } = await move(memory(), events, settings, (rig) => ({
      startLane: sourceThreads(() => rig.dial(), []),
    }))
    expect(source.encoding!.repairedPages).toBe(60)
  })

  it('agree on the bytes of every round', async () => {
    const { source, destination } = await move(memory(), events, settings)
    expect(source.encoding!.repairedPages).toBe(60)
    expect(source.rounds.map((round) => round.bytes)).toEqual(
      destination.rounds.map((round) => round.bytes),
    )
  })
})
