/**
 * Both agents in one process, on a network of their own, with every frame under the test's eyes.
 *
 * @module
 */
import type {
  Channel,
  Clock,
  Guest,
  GuestHost,
  GuestOffer,
  IncomingGuest,
  Report,
  ZeroMemory,
} from '@godwit/core'
import { systemClock } from '@godwit/core'
import type { AgentEvents, DestinationOptions, IncomingMigration } from '@godwit/destination'
import { DestinationAgent } from '@godwit/destination'
import { parseEncode, parseStop } from '@godwit/policy'
import type { SourceOptions } from '@godwit/source'
import { SourceMigration } from '@godwit/source'
import { createMemoryNetwork } from '@godwit/transport'
import { nodePrimitives, randomBytes } from 'godwit'
import type { OnUnit } from './tap.ts'
import { TapChannel } from './tap.ts'

const address = 'destination'

/** What a test may set of the source; the rest is as small and quick as it can be. */
export type SourceSettings = Partial<Omit<SourceOptions, 'stop' | 'trackers'>> & {
  readonly stop?: string
  /** The guest's own marks (the default), or the source's scan. */
  readonly tracker?: 'barrier' | 'scan'
  /** Sees the source's end of the control channel. */
  readonly onControl?: OnUnit
  /** Sees the source's end of the data channel. */
  readonly onData?: OnUnit
  /** Asked for every channel, in the order of dialling. */
  readonly wrap?: (channel: Channel, index: number) => Channel
  /** A channel is about to be dialled. */
  readonly onDial?: (index: number) => void
}

/** Counts the guests that a host holds. */
class CountingHost implements GuestHost {
  held = 0
  runs = 0
  readonly #inner: GuestHost

  constructor(inner: GuestHost) {
    this.#inner = inner
  }

  async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingGuest> {
    const guest = await this.#inner.reserve(offer, zero)
    this.held++
    const run = guest.run.bind(guest)
    const discard = guest.discard.bind(guest)
    guest.run = () => {
      this.runs++
      return run()
    }
    guest.discard = async () => {
      this.held--
      await discard()
    }
    return guest
  }
}

/** A destination, and sources that dial it. */
export interface Rig {
  readonly agent: DestinationAgent
  /** Guests reserved and not discarded. */
  readonly held: () => number
  /** How often a guest was started at the destination. */
  readonly runs: () => number
  /** Sessions in the order they began. */
  readonly sessions: readonly IncomingMigration[]
  /** Reports of sessions that ended. */
  readonly reports: readonly Report[]
  readonly source: (guest: Guest, settings?: SourceSettings) => Promise<SourceMigration>
  /** Opens a bare channel to the destination. */
  readonly dial: () => Promise<Channel>
  /** Resolves when no session is going on and all have reported. */
  readonly idle: () => Promise<void>
}

/** Makes a destination around `host`. @param wrap - sees every channel that it accepts */
export async function createRig(
  host: GuestHost,
  options: Partial<DestinationOptions> = {},
  wrap: (channel: Channel) => Channel = (channel) => channel,
): Promise<Rig> {
  const network = createMemoryNetwork()
  const counting = new CountingHost(host)
  const sessions: IncomingMigration[] = []
  const reports: Report[] = []
  const events: AgentEvents = {
    began: (migration) => sessions.push(migration),
    ended: (_migration, report) => reports.push(report),
  }
  const primitives = await nodePrimitives()
  const fixed = {
    clock: systemClock,
    primitives,
    randomBytes,
    software: 'test',
    heartbeatMs: 60_000,
    recoverMs: 0,
  }
  const agent = new DestinationAgent({ ...fixed, ...options, host: counting }, events)
  await network.listen(address, (channel) => agent.accept(wrap(channel)))
  const dialler = network.createDialler(address)
  return {
    agent,
    held: () => counting.held,
    runs: () => counting.runs,
    sessions,
    reports,
    source: (guest, settings = {}) =>
      createSource(guest, (signal) => dialler.dial(signal), settings),
    dial: () => dialler.dial(),
    async idle() {
      await Promise.all(sessions.map((session) => session.done))
      while (agent.sessions.length > 0) await new Promise(setImmediate)
    },
  }
}

/** A migration over whatever `dial` opens: the control channel first, then the data channel. */
export async function createSource(
  guest: Guest,
  dial: (signal?: AbortSignal) => Promise<Channel>,
  settings: SourceSettings = {},
): Promise<SourceMigration> {
  const { onControl, onData, wrap, onDial, stop = 'max-rounds=2', tracker, ...rest } = settings
  const clock: Clock = systemClock
  let dialled = 0
  return new SourceMigration({
    clock,
    primitives: await nodePrimitives(),
    randomBytes,
    software: 'test',
    mode: 'pre-copy',
    hash: 'xxh3',
    verify: 'fingerprints',
    encode: parseEncode('none'),
    trackers: tracker === 'scan' ? undefined : guest.trackers,
    pageBytes: 4096,
    heartbeatMs: 60_000,
    recoverMs: 0,
    ...rest,
    guest,
    stop: parseStop(stop),
    dialler: {
      address,
      async dial(signal) {
        const index = dialled++
        onDial?.(index)
        const inner = await dial(signal)
        const channel = wrap?.(inner, index) ?? inner
        const onUnit = index === 0 ? onControl : onData
        return onUnit === undefined ? channel : new TapChannel(channel, onUnit)
      },
    },
  })
}
