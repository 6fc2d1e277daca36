/**
 * Room for a guest that arrives, its state, its start and its end.
 *
 * @module
 */
import assert from 'node:assert/strict'
import type { GuestOffer, Region } from '@godwit/core'
import { GIB } from '@godwit/core'
import type { Reserved, Room, Runner, Stand, Trial } from './stand.ts'
import { assertDisjoint, copyOf, longLookMs, offerOf, refuses } from './stand.ts'
import { badStatesOf } from './state-trials.ts'

export const hostTrials: readonly Trial[] = [
  {
    name: 'host/reserves',
    promise: 'reserve() gives the regions that were offered, in order and all zero, also again.',
    async play(stand) {
      const { guest } = await stand.start()
      const room = await stand.open()
      const offer = offerOf(guest, stand.pageBytes)
      for (const time of ['first', 'second']) {
        const reserved = await room.reserve(offer)
        const { regions } = reserved.guest
        const shapes = regions.map(({ id, name, bytes }) => {
          return { id, name, byteLength: bytes.length }
        })
        assert.deepEqual(withoutNames(shapes), withoutNames(offer.regions))
        assertDisjoint(regions)
        const zero = regions.map(({ bytes }) => new Uint8Array(bytes.length))
        stand.sameMemory(regions, zero, `not zero, the ${time} time`)
        for (const { bytes } of regions) bytes.fill(0x5a)
        await reserved.discard()
      }
    },
  },
  {
    name: 'host/refuses-kind',
    promise: 'Another kind of guest is GUEST_UNKNOWN, and nothing is reserved.',
    play: refusing('another kind', ['GUEST_UNKNOWN'], (offer) => ({
      ...offer,
      identity: { ...offer.identity, kind: 'no-such-guest' },
    })),
  },
  {
    name: 'host/refuses-option',
    promise: 'An option that the host does not know is GUEST_OPTION, and nothing is reserved.',
    play: refusing('an unknown option', ['GUEST_OPTION'], (offer) => ({
      ...offer,
      identity: {
        ...offer.identity,
        options: { ...offer.identity.options, 'no-such-option': 1 },
      },
    })),
  },
  {
    name: 'host/refuses-size',
    promise: 'More memory than there is: NO_ROOM or GUEST_OPTION, and nothing is reserved.',
    play: refusing('4 TiB', ['NO_ROOM', 'GUEST_OPTION'], (offer) => ({
      ...offer,
      regions: Array.from({ length: 1024 }, (_, id) => {
        return { id, name: `r${id}`, byteLength: 4 * GIB }
      }),
    })),
  },
  {
    name: 'host/no-room',
    promise: 'A guest for which there is no room is NO_ROOM; discard() makes room.',
    async play(stand) {
      const { guest } = await stand.start()
      const room = await stand.open()
      const offer = offerOf(guest, stand.pageBytes)
      const first = await room.reserve(offer)
      await refuses(() => room.reserve(offer), 'a second guest beside the first', 'NO_ROOM')
      await first.discard()
      await reservesStill(room, offer, 'discard()')
    },
  },
  {
    name: 'host/zero-fails',
    promise: 'Where zeroing fails reserve() rejects with that, and nothing is reserved.',
    async play(stand) {
      const { guest } = await stand.start()
      const room = await stand.open()
      const offer = offerOf(guest, stand.pageBytes)
      const reason = new Error('no zeros today')
      const reserving = room.reserve(offer, async () => {
        throw reason
      })
      await assert.rejects(reserving, (thrown) => thrown === reason, 'it must reject with that')
      await reservesStill(room, offer, 'a reserve() that failed')
    },
  },
  {
    name: 'host/runs-when-told',
    promise: 'A guest stands until run(), has its memory and state of before, and then goes on.',
    async play(stand) {
      const { from, room, reserved, state } = await moveByHand(stand)
      const { guest } = reserved
      const memory = copyOf(guest.regions)
      const lent = Uint8Array.from(state)
      await stand.within(guest.restoreState(lent), 'restoreState()')
      lent.fill(0xee)
      await stand.stands(guest.regions, undefined, 'not told to run', longLookMs)
      assert.equal(guest.steps?.(), from.guest.steps?.(), 'steps after restoreState()')
      stand.sameMemory(guest.regions, memory, 'restoreState() stored to memory')
      await stand.within(guest.run(), 'run()')
      await stand.goesOn(() => room.progress(guest), 'it does not run after run()')
    },
  },
  {
    name: 'host/refuses-state',
    promise: 'A state package that is not right is refused with a typed error; a right one is not.',
    async play(stand) {
      const { room, reserved, state } = await moveByHand(stand)
      const bad = Object.entries(badStatesOf(stand, state))
      if (bad.length === 0) return 'there is no bad state'
      const { guest } = reserved
      const memory = copyOf(guest.regions)
      for (const [what, bytes] of bad) {
        await refuses(async () => guest.restoreState(bytes), `a state that is ${what}`)
        stand.sameMemory(guest.regions, memory, `after a state that is ${what}`)
      }
      await stand.within(guest.restoreState(state), 'restoreState()')
      await stand.within(guest.run(), 'run()')
      await stand.goesOn(() => room.progress(guest), 'it does not run after what it refused')
      return undefined
    },
  },
  {
    name: 'host/discards',
    promise: 'discard() of a guest that ran ends it: nobody stores any more, and there is room.',
    async play(stand) {
      const { from, room, reserved, state } = await moveByHand(stand)
      const { guest } = reserved
      // It may be gone from the guest afterwards.
      const regions: readonly Region[] = [...guest.regions]
      await stand.within(guest.restoreState(state), 'restoreState()')
      await stand.within(guest.run(), 'run()')
      await stand.goesOn(() => room.progress(guest), 'it does not run after run()')
      await reserved.discard()
      await stand.stands(regions, undefined, 'discarded')
      await reservesStill(room, offerOf(from.guest, stand.pageBytes), 'discard()')
    },
  },
  {
    name: 'host/stops',
    promise: 'stop() ends all stores, and tells the steps and registers of that moment.',
    async play(stand) {
      const { room, reserved, state } = await moveByHand(stand)
      const { guest } = reserved
      if (guest.stop === undefined) return 'it has no stop'
      await stand.within(guest.restoreState(state), 'restoreState()')
      await stand.within(guest.run(), 'run()')
      await stand.goesOn(() => room.progress(guest), 'it does not run after run()')
      const { steps, registers } = await stand.within(guest.stop(), 'stop()')
      assert.ok(registers instanceof Uint8Array, 'registers are no Uint8Array')
      if (guest.steps !== undefined) assert.equal(steps, guest.steps(), 'steps')
      await stand.stands(guest.regions, () => room.progress(guest), 'stopped')
      return undefined
    },
  },
  {
    name: 'host/checkpoint',
    promise: 'checkpoint() has memory and state looked at while the guest stands, which goes on.',
    async play(stand) {
      const { room, reserved, state } = await moveByHand(stand)
      const { guest } = reserved
      if (guest.checkpoint === undefined) return 'it has no checkpoint'
      await stand.within(guest.restoreState(state), 'restoreState()')
      await stand.within(guest.run(), 'run()')
      const never = new AbortController().signal
      let looks = 0
      for (let time = 0; time < 8; time++) {
        const taken: Promise<boolean> = guest.checkpoint((now) => {
          looks++
          assert.equal(now.length, state.length, 'a state package of another length')
          const memory = copyOf(guest.regions)
          const end = performance.now() + 10
          while (performance.now() < end);
          stand.sameMemory(guest.regions, memory, 'while it is looked at')
        }, never)
        assert.equal(await stand.within(taken, 'checkpoint()'), true, 'it gave up by itself')
        assert.equal(looks, time + 1, 'how often it was looked at')
        await stand.goesOn(() => room.progress(guest), 'it does not go on after checkpoint()')
      }
      const given = guest.checkpoint(() => {}, AbortSignal.abort())
      assert.equal(await stand.within(given, 'checkpoint(), given up'), false)
      await stand.goesOn(() => room.progress(guest), 'it does not go on after one given up')
      return undefined
    },
  },
]

function withoutNames(shapes: GuestOffer['regions']): readonly object[] {
  return shapes.map(({ id, byteLength }) => ({ id, byteLength }))
}

function refusing(
  what: string,
  codes: readonly string[],
  change: (offer: GuestOffer) => GuestOffer,
): (stand: Stand) => Promise<void> {
  return async (stand) => {
    const { guest } = await stand.start()
    const room = await stand.open()
    const offer = offerOf(guest, stand.pageBytes)
    await refuses(() => room.reserve(change(offer)), what, ...codes)
    await reservesStill(room, offer, `what was refused, ${what}`)
  }
}

/** There is room for one: what holds any of it shows. */
async function reservesStill(room: Room, offer: GuestOffer, after: string): Promise<void> {
  try {
    const reserved = await room.reserve(offer)
    await reserved.discard()
  } catch (cause) {
    assert.fail(`after ${after} there is no room for the guest: ${String(cause)}`)
  }
}

interface HandMoved {
  /** Paused. */
  readonly from: Runner
  readonly room: Room
  /** Its memory is there. */
  readonly reserved: Reserved
  readonly state: Uint8Array
}

/** As the engine does, without a network. */
async function moveByHand(stand: Stand): Promise<HandMoved> {
  const from = await stand.startPaused()
  const room = await stand.open()
  const reserved = await room.reserve(offerOf(from.guest, stand.pageBytes))
  const memory = reserved.guest.regions
  for (const [index, { bytes }] of from.guest.regions.entries()) memory[index]!.bytes.set(bytes)
  return { from, room, reserved, state: Uint8Array.from(await from.guest.captureState()) }
}
