/**
 * Migrations that are captured for each release, small as they are: each says what must be in it.
 * They are run by a script, without a test runner.
 *
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { explain } from '@godwit/capture'
import type { Guest, GuestHost } from '@godwit/core'
import { KIB } from '@godwit/core'
import { WorkloadGuest, WorkloadHost, parseGuest } from '@godwit/guest'
import { parseEncode } from '@godwit/policy'
import { MemoryHost, SOFTWARE } from 'godwit'
import { mixedBytes } from '../end-to-end/memory-contents.ts'
import type { Rig, SourceSettings } from '../end-to-end/rig.ts'
import { createRig } from '../end-to-end/rig.ts'
import { ShadowGuest } from '../end-to-end/shadow.ts'
import type { UnitName } from '../end-to-end/tap.ts'
import { TapChannel } from '../end-to-end/tap.ts'
import { MemoryCapture, inputOf } from './memory-capture.ts'

const pageBytes = 4096

/** What is captured at both sides. */
export interface Captures {
  readonly source: Uint8Array
  readonly destination: Uint8Array
}

/** A guest, where it goes, and how. */
export interface Scenario {
  /** Frames that must be in it. */
  readonly frames: readonly UnitName[]
  /** Made anew each time; the same each time, where it is replayed from the source's side. */
  start(): Promise<Cast>
  /** Whether today's destination can be played to by the source that was recorded. */
  readonly playsSource: boolean
  /** Whether today's source can be played to by the destination that was recorded. */
  readonly playsDestination: boolean
}

export interface Cast {
  readonly guest: Guest
  readonly host: GuestHost
  readonly settings: SourceSettings
  /** What the guest, and the memory that arrived, undergo when a round was acknowledged. */
  readonly events?: readonly (() => void)[]
  /** The n-th of these frames on a channel, by number, is lost, and all channels with it. */
  readonly cutAt?: readonly [channel: number, UnitName, number]
  /** After so many acknowledgements somebody cancels. */
  readonly cancelAfter?: number
  readonly end: () => Promise<void>
}

const nothing = async (): Promise<void> => {}

/** Every page is sent in the pause. */
const stopCopy: Scenario = {
  frames: ['Hello', 'Welcome', 'Reserve', 'SwitchOver', 'Pages', 'State', 'Commit', 'EndAck'],
  playsSource: true,
  playsDestination: true,
  start: async () => ({
    guest: new ShadowGuest([mixedBytes(4, pageBytes)]),
    host: new MemoryHost({ memory: new Uint8Array(4 * pageBytes) }, 4 * pageBytes),
    settings: { mode: 'stop-copy', verify: 'none' },
    end: nothing,
  }),
}

const pageCount = 48

/** Changes that every encoding is of use for; and pages that are spoilt where they arrived. */
function changes(guest: ShadowGuest, arrival: Uint8Array): (() => void)[] {
  const before = guest.snapshot()[0]!
  const was = (page: number) => before.slice(page * pageBytes, (page + 1) * pageBytes)
  const touch = (page: number) => guest.store(0, page * pageBytes + 99, Uint8Array.of(1, 2, 3))
  return [
    () => {
      for (const page of [4, 5, 8, 9, 12, 13]) touch(page)
      for (const page of [16, 17, 20]) guest.storePage(0, page, mixedBytes(2, pageBytes, page))
      guest.storePage(0, 24, new Uint8Array(pageBytes))
      guest.storePage(0, 28, guest.page(0, 32))
      guest.store(1, 0, Uint8Array.of(9))
    },
    () => {
      for (let at = 0; at < 9; at++) arrival[36 * pageBytes + at * 70]! ^= 0x55
      for (const page of [16, 17, 20]) guest.storePage(0, page, was(page))
      for (const page of [36, 37]) touch(page)
      const like = guest.page(0, 40)
      like.set(Uint8Array.of(7, 7, 7), 1000)
      guest.storePage(0, 44, like)
    },
    () => {
      for (const page of [36, 37, 4, 5]) guest.storePage(0, page, was(page))
    },
    () => touch(8),
  ]
}

/** Rounds, with all encodings that there are but one compression, and a batch that is asked for. */
function preCopy(encode: string): Scenario {
  return {
    frames: ['RoundBegin', 'Barrier', 'RoundEnd', 'RoundAck', 'Nak', 'Verify', 'Verified'],
    playsSource: false,
    playsDestination: true,
    start: async () => {
      const memory = [mixedBytes(pageCount, pageBytes), new Uint8Array(pageBytes + 17).fill(3)]
      const guest = new ShadowGuest(memory)
      const arrival = memory.map(({ length }) => new Uint8Array(length))
      return {
        guest,
        host: new MemoryHost({ memory: arrival }, 512 * KIB),
        settings: { encode: parseEncode(encode), stop: 'max-rounds=4' },
        events: changes(guest, arrival[0]!),
        end: nothing,
      }
    },
  }
}

/** Plain rounds: what today's destination answers follows from what it is told. */
const plainRounds: Scenario = {
  ...preCopy('same,delta,lz4'),
  frames: ['RoundBegin', 'Barrier', 'RoundEnd', 'RoundAck', 'Verify', 'Verified'],
  playsSource: true,
  start: async () => {
    const memory = mixedBytes(24, pageBytes)
    const guest = new ShadowGuest([memory])
    const touch = (page: number) => guest.store(0, page * pageBytes + 9, Uint8Array.of(5, page))
    return {
      guest,
      host: new MemoryHost({ memory: new Uint8Array(memory.length) }, memory.length),
      settings: { encode: parseEncode('same,delta,lz4'), stop: 'max-rounds=3', lanes: 2 },
      events: [
        () => [4, 5, 6].forEach(touch),
        () => guest.storePage(0, 8, guest.page(0, 9)),
        () => [4, 12].forEach(touch),
      ],
      end: nothing,
    }
  },
}

const workloadBytes = 160 * KIB

async function workload(
  settings: SourceSettings,
  more: Pick<Cast, 'cutAt'> = {},
  { wss, rate } = { wss: 32 * KIB, rate: 2000 },
): Promise<Cast> {
  const spec = `writer,wss=${wss},rate=${rate},content=40/20/10/30`
  const { identity } = parseGuest(spec, workloadBytes)
  const guest = await WorkloadGuest.start(identity, workloadBytes)
  const host = new WorkloadHost({ memoryBytesMax: workloadBytes })
  return { guest, host, settings, ...more, end: () => guest.stop() }
}

/** The guest runs there first, and asks for pages. */
const postCopy: Scenario = {
  frames: ['Discard', 'PageRequest', 'Pages', 'Barrier', 'RoundAck', 'Verified', 'EndAck'],
  playsSource: true,
  playsDestination: false,
  start: () => workload({ mode: 'post-copy', fetch: 'demand' }),
}

const recovery: Scenario = {
  frames: ['Resume', 'Lacking', 'Resumed', 'Verified', 'EndAck'],
  playsSource: false,
  playsDestination: false,
  start: () => {
    const settings = { mode: 'hybrid', recoverMs: Infinity, fetch: 'push' } as const
    return workload(
      { ...settings, hybrid: { rounds: 1 }, maxBandwidth: 2 ** 20 },
      { cutAt: [1, 'Pages', 3] },
    )
  },
}

/** COMMIT is lost: the source asks, and hands the guest over once more. */
const handOver: Scenario = {
  ...stopCopy,
  frames: ['Ready', 'Commit', 'OwnerQuery', 'Owner', 'Running', 'Verified', 'EndAck'],
  playsSource: false,
  playsDestination: false,
  start: async () => ({
    ...(await stopCopy.start()),
    settings: { mode: 'stop-copy', recoverMs: Infinity },
    cutAt: [0, 'Commit', 1],
  }),
}

const checkpoints: Scenario = {
  frames: ['CheckpointBegin', 'CheckpointEnd', 'CheckpointAck', 'EndAck'],
  playsSource: false,
  playsDestination: false,
  start: () => {
    const settings = { mode: 'post-copy', fetch: 'push', checkpointMs: 30 } as const
    const slow = { recoverMs: Infinity, maxBandwidth: 2 ** 18 }
    return workload({ ...settings, ...slow }, {}, { wss: 64 * KIB, rate: 100 })
  },
}

const cancel: Scenario = {
  frames: ['RoundAck', 'Error'],
  playsSource: true,
  playsDestination: false,
  start: async () => {
    const guest = new ShadowGuest([mixedBytes(8, pageBytes)])
    return {
      guest,
      host: new MemoryHost({ memory: new Uint8Array(8 * pageBytes) }, 8 * pageBytes),
      settings: { stop: 'max-rounds=5' },
      events: [() => guest.store(0, 5, Uint8Array.of(1))],
      cancelAfter: 1,
      end: nothing,
    }
  },
}

const refusal: Scenario = {
  frames: ['Reserve', 'Error'],
  playsSource: true,
  playsDestination: true,
  start: async () => ({
    guest: new ShadowGuest([mixedBytes(8, pageBytes)]),
    host: new MemoryHost({}, 4 * pageBytes),
    settings: {},
    end: nothing,
  }),
}

/** By the name of their files. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'stop-copy': stopCopy,
  'pre-copy': plainRounds,
  'encodings-zstd': preCopy('same,mdd,zstd'),
  'encodings-mecom': preCopy('same,delta,mecom'),
  'post-copy': postCopy,
  'hand-over': handOver,
  recovery,
  checkpoints,
  cancel,
  refusal,
}

/** Frames that a capture of the scenario lacks. */
export function lackingFrames({ frames }: Scenario, bytes: Uint8Array): readonly string[] {
  const found = new Set<string>()
  for (const fact of explain(inputOf(bytes))) if (fact.type === 'frame') found.add(fact.frame)
  return frames.filter((name) => !found.has(name))
}

/** Runs a scenario, and captures it at both sides. */
export async function capture(scenario: Scenario): Promise<Captures> {
  const cast = await scenario.start()
  const [source, destination] = [new MemoryCapture('source'), new MemoryCapture('destination')]
  const options = { software: SOFTWARE, recoverMs: Infinity }
  const rig = await createRig(cast.host, options, (channel) =>
    destination.recorder.capture(channel),
  )
  await run(rig, cast, source)
  await rig.idle()
  for (const session of rig.sessions) await session.release()
  await cast.end()
  return { source: source.end(), destination: destination.end() }
}

async function run(rig: Rig, cast: Cast, captured: MemoryCapture): Promise<void> {
  const { guest, settings, events = [], cutAt, cancelAfter } = cast
  let acknowledged = 0
  let isToCancel = false
  const migration = await rig.source(guest, {
    software: SOFTWARE,
    ...settings,
    // Above whatever cuts: what is lost was said.
    wrap: (channel, index) => {
      let seen = 0
      const cut = new TapChannel(channel, ({ direction, name }) => {
        const isIt = index === cutAt?.[0] && direction === 'written' && name === cutAt[1]
        return isIt && ++seen === cutAt[2] ? 'lose' : undefined
      })
      return captured.recorder.capture(cut)
    },
    onControl: ({ direction, name }) => {
      if (direction === 'written' || name !== 'RoundAck') return undefined
      events[acknowledged]?.()
      isToCancel = ++acknowledged === cancelAfter
      return undefined
    },
  })
  const running = migration.run()
  while (cancelAfter !== undefined && !isToCancel) await setImmediate()
  if (isToCancel) migration.cancel()
  await running
}
