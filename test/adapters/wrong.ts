/**
 * Adapters whose guests or hosts break one promise each.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import type { Guest, GuestHost, IncomingGuest, PageClasses } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import type { Hosts, WrongAdapter } from './changes.ts'
import { arrivals, guests, hosts, losing, trackers } from './changes.ts'

/** Stores to memory again and again until it is told not to. */
function storing(bytes: Uint8Array): () => void {
  const timer = setInterval(() => bytes[5]!++, 2)
  return () => clearInterval(timer)
}

/** Every so often it does nothing. */
function everyOther(act: () => Promise<void>): () => Promise<void> {
  let count = 0
  return async () => {
    if (count++ % 2 === 0) await act()
  }
}

function taking(reserve: GuestHost['reserve'], what: 'kind' | 'options'): GuestHost['reserve'] {
  return (offer, zero) => {
    const { kind, options } = offer.identity
    const identity = what === 'kind' ? { kind: 'ledger', options } : { kind, options: {} }
    return reserve({ ...offer, identity }, zero)
  }
}

/** Takes room for what it then refuses. */
const leaking: Hosts = (host) => ({
  async reserve(offer, zero) {
    try {
      return await host.reserve(offer, zero)
    } catch (thrown) {
      const right = { ...offer, identity: { kind: 'ledger', options: {} } }
      const regions = [{ id: 0, name: 'leak', byteLength: 2 ** 20 }]
      await host.reserve({ ...right, regions }, async () => {}).catch(() => {})
      throw thrown
    }
  },
})

const untyped = (): never => {
  throw new Error('no')
}

const strayClasses: PageClasses = {
  addPages: (names, _region, _pageBytes, into) => {
    if (names.length > 0) into.words.fill(0xffffffff)
  },
  giveUp: () => {},
}

export const wrongGuests: readonly WrongAdapter[] = [
  [
    'identity/plain',
    'an option is an object',
    guests(() => ({ identity: { kind: 'ledger', options: { a: new Map() as never } } })),
  ],
  [
    'regions/shape',
    'the same region twice',
    guests(({ regions }) => ({ regions: [regions[0]!, { ...regions[0]!, id: 1 }] })),
  ],
  [
    'regions/shape',
    'an id twice',
    guests(({ regions }) => ({
      regions: [regions[0]!, { ...regions[0]!, bytes: new Uint8Array(9) }],
    })),
  ],
  [
    'steps/grow',
    'steps that fall',
    guests(() => {
      let steps = 1e6
      return { steps: () => steps-- }
    }),
  ],
  [
    'pause/stops-stores',
    'it stores after a pause',
    guests((guest) => {
      let stop = (): void => {}
      return {
        async pause() {
          await guest.pause()
          stop()
          stop = storing(guest.regions[0]!.bytes)
          setTimeout(stop, 400)
        },
      }
    }),
  ],
  [
    'pause/stops-stores',
    'pause() resolves too soon',
    guests((guest) => ({
      pause: async () => void setTimeout(() => void guest.pause(), 5),
    })),
  ],
  [
    'pause/resume',
    'it goes on, and stores nothing',
    guests(({ regions }) => ({ regions: [copied(regions[0]!)] })),
  ],
  ['pause/twice', 'a second pause never resolves', guests((guest) => onlyOnce(guest))],
  [
    'pause/resume-alone',
    'resume() of one that runs stops it',
    guests((guest) => {
      let isPaused = false
      return {
        pause: () => ((isPaused = true), guest.pause()),
        resume() {
          if (isPaused) void guest.resume()
          else void guest.pause()
          isPaused = false
        },
      }
    }),
  ],
  [
    'stop/by-itself',
    'it tells that it stands, and runs',
    guests(() => ({ nextRound: async () => ({ stoodMs: 0, numbers: {} }) })),
  ],
  [
    'stop/by-itself',
    'no number of pages may wait',
    guests(() => ({ nextRound: async () => undefined, nextPages: async () => Number.NaN })),
  ],
  [
    'stop/by-itself',
    'it never tells of pages',
    guests(() => ({ nextRound: async () => undefined, nextPages: () => new Promise(() => {}) })),
  ],
  ['classes/pages', 'pages that there are not', guests(() => ({ classes: strayClasses }))],
  [
    'state/same-twice',
    'a package with the time in it',
    guests(() => {
      let count = 0
      return { captureState: () => Uint8Array.of(count++) }
    }),
  ],
  [
    'state/same-twice',
    'one buffer for all packages',
    guests(() => {
      const state = Uint8Array.of(1, 2, 3)
      return { captureState: () => state }
    }),
  ],
  ['state/only-paused', 'a state at any time', guests(() => ({ captureState: () => state() }))],
  ['state/restores', 'it loads nothing', guests(() => ({ restoreState: () => {} }))],
  ['state/refuses', 'it takes anything', guests(() => ({ restoreState: () => {} }))],
  ['state/refuses', 'no typed error', guests(() => ({ restoreState: untyped }))],
  ['throttle/slows', 'it takes nothing away', guests(() => ({ throttle: () => {} }))],
  [
    'throttle/slows',
    'it gives nothing back',
    guests((guest) => ({ throttle: (share) => guest.throttle!(Math.max(share, 0.8)) })),
  ],
  [
    'throttle/paused',
    'it lets a paused guest go on',
    guests((guest) => ({ throttle: () => void guest.resume() })),
  ],
  [
    'move/cancelled',
    'it goes on once only',
    guests((guest) => {
      let count = 0
      return { resume: () => void (count++ === 0 || guest.pause()) }
    }),
  ],
  ['move/refused', 'it does not go on', guests(() => ({ resume: () => {} }))],
]

export const wrongHosts: readonly WrongAdapter[] = [
  [
    'host/reserves',
    'memory that is not zero',
    hosts((host) => ({ reserve: (offer) => host.reserve(offer, dirty) })),
  ],
  ['host/reserves', 'other regions', arrivals(({ regions }) => ({ regions: regions.slice(1) }))],
  [
    'host/refuses-kind',
    'it takes every kind',
    hosts((host) => ({ reserve: taking((...all) => host.reserve(...all), 'kind') })),
  ],
  ['host/refuses-kind', 'it reserves what it refuses', hosts(leaking)],
  [
    'host/refuses-option',
    'options are ignored',
    hosts((host) => ({ reserve: taking((...all) => host.reserve(...all), 'options') })),
  ],
  [
    'host/refuses-size',
    'another code',
    hosts((host) => ({
      reserve: (offer, zero) => {
        if (offer.regions.length === 1) return host.reserve(offer, zero)
        throw new GodwitError('INTERNAL', 'what?')
      },
    })),
  ],
  ['host/no-room', 'discard() gives nothing back', arrivals(() => ({ discard: () => {} }))],
  ['host/zero-fails', 'what it reserved stays', hosts(leaking)],
  [
    'host/zero-fails',
    'another reason',
    hosts((host) => ({
      reserve: (offer, zero) =>
        host.reserve(offer, zero).catch(() => {
          throw new Error('what?')
        }),
    })),
  ],
  [
    'host/runs-when-told',
    'it runs when it was restored',
    arrivals((guest) => ({
      restoreState: async (bytes) => {
        await guest.restoreState(bytes)
        await started(guest)
      },
    })),
  ],
  ['host/runs-when-told', 'it does not run', arrivals(() => ({ run: () => {} }))],
  ['host/refuses-state', 'it takes anything', arrivals(() => ({ restoreState: () => {} }))],
  ['host/discards', 'its thread works on', arrivals(() => ({ discard: () => {} }))],
  [
    'host/stops',
    'it does not stop',
    arrivals(() => ({ stop: async () => ({ steps: 1, registers: state() }) })),
  ],
  [
    'host/checkpoint',
    'a look while it runs',
    arrivals((guest) => ({
      checkpoint: async (copy) => {
        copy((await captured(guest)).slice())
        return true
      },
    })),
  ],
  ['host/checkpoint', 'it is never looked at', arrivals(() => ({ checkpoint: async () => true }))],
  ['move/pre-copy', 'stores that nobody reports', trackers(losing((page) => page % 2 === 0))],
  [
    'move/post-copy-memory',
    'somebody stores to a page before it runs',
    arrivals((guest) => {
      const store = (): unknown => guest.regions[0]!.bytes.fill(0xa5, 0, 8)
      const timer = setInterval(store, 1)
      return {
        discard: () => (clearInterval(timer), guest.discard()),
      }
    }),
  ],
  [
    'move/post-copy',
    'it does not run before its pages are there, nor after',
    arrivals(() => ({ run: () => {} })),
  ],
]

async function captured(guest: IncomingGuest): Promise<Uint8Array> {
  const { registers } = await guest.stop!()
  await guest.run()
  return registers
}

/** Resolves when its thread has begun to store. */
async function started(guest: IncomingGuest): Promise<void> {
  const before = guest.steps!()
  await guest.run()
  while (guest.steps!() === before) await setImmediate()
}

async function dirty(regions: Guest['regions']): Promise<void> {
  for (const { bytes } of regions) bytes[bytes.length - 1] = 1
}

function state(): Uint8Array {
  return Uint8Array.of(1, 2, 3)
}

/** Memory that nobody stores to. */
function copied(region: Guest['regions'][number]): Guest['regions'][number] {
  return { ...region, bytes: Uint8Array.from(region.bytes) }
}

function onlyOnce(guest: Guest): Partial<Guest> {
  const pause = everyOther(() => guest.pause())
  let count = 0
  return { pause: () => (count++ === 0 ? pause() : new Promise(() => {})) }
}
