/**
 * Every moment of a migration that a test can see: each state of either side has one.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import type { GuestHost, OwnerStore } from '@godwit/core'
import { MemoryOwners } from '@godwit/destination'
import type { WorkloadGuest } from '@godwit/guest'
import { vi } from 'vitest'
import type { SourceSettings } from './rig.ts'
import type { Unit } from './tap.ts'
import { TapChannel } from './tap.ts'

/** Of the event loop: enough for the last round to be installed. */
const lateTurns = 20

/** Called with the frame that is about to leave or to be handed on, if it is one. */
export type Look = (unit?: Unit) => void

/**
 * `look` is called before the guest is paused, captured, resumed or asked for stores, before a
 * channel is dialled, at the proof, and at every frame border of every channel. Spies on `guest`
 * until mocks are restored.
 */
export function lookingAt(guest: WorkloadGuest, look: Look): SourceSettings {
  const pause = guest.pause.bind(guest)
  const resume = guest.resume.bind(guest)
  const capture = guest.captureState.bind(guest)
  const tracker = guest.trackers[0]!
  const collect = tracker.collect.bind(tracker)
  vi.spyOn(guest, 'pause').mockImplementation(() => {
    look()
    return pause()
  })
  vi.spyOn(guest, 'resume').mockImplementation(() => {
    look()
    return resume()
  })
  // A package that comes late is waited for at the destination.
  const captureLate = async (): Promise<Uint8Array> => {
    for (let turn = 0; turn < lateTurns; turn++) {
      look()
      await setImmediate()
    }
    return capture()
  }
  vi.spyOn(guest, 'captureState').mockImplementation(captureLate as never)
  vi.spyOn(tracker, 'collect').mockImplementation((from, count, into) => {
    look()
    return collect(from, count, into)
  })
  return {
    onDial: () => look(),
    owners: lookingOwners(look),
    wrap: (channel) =>
      new TapChannel(channel, (unit) => {
        look(unit)
        return 'pass'
      }),
    prove: () => {
      look()
      return Promise.resolve({ stepsBefore: 0, stepsAfter: 0, continuous: true })
    },
  }
}

/** `look` is called before room is made, the guest's state loaded, and the guest started. */
export function lookingHost(host: GuestHost, look: Look): GuestHost {
  return {
    async reserve(offer, zero) {
      look()
      const guest = await host.reserve(offer, zero)
      const run = guest.run.bind(guest)
      const restore = guest.restoreState.bind(guest)
      guest.run = () => {
        look()
        return run()
      }
      guest.restoreState = (state) => {
        look()
        return restore(state)
      }
      return guest
    },
  }
}

/** `look` is called before it is written whose the guest is, and before that is durable. */
export function lookingOwners(look: Look): OwnerStore {
  const owners = new MemoryOwners()
  return {
    async open(facts) {
      const log = await owners.open(facts)
      return {
        async write(owned) {
          look()
          await setImmediate()
          look()
          await log.write(owned)
        },
        close: (forget) => log.close(forget),
      }
    },
    find: (session) => owners.find(session),
    refuse: (session) => owners.refuse(session),
  }
}
