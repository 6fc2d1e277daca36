/**
 * What can befall a migration, and what must follow from it.
 *
 * @module
 */
import type { Place } from './place.ts'
import type { ProxiedChannel, ProxiedUnit } from './proxy.ts'
import type { Stage } from './stage.ts'

/** One kind of failure. */
export interface Fault {
  readonly name: string
  /**
   * Whether it makes a difference there.
   *
   * @param follows - pages follow a guest that was handed over
   */
  isAt(place: Place, follows: boolean): boolean
  /** Happens when that unit has come. @returns whether the unit is passed on */
  strike(stage: Stage, unit: ProxiedUnit): boolean
  /** What goes on in the world afterwards, until the command of the source ends. */
  follow?(stage: Stage): Promise<void>
  /** Which process is lost for good, and with it what it has of a guest. */
  readonly kills?: 'source' | 'destination'
  /** Both sides have a state directory, and who comes after the dead finds it. */
  readonly hasRecords?: boolean
  /** Whose state directory is on a disk of {@link SMALL_DISK_BYTES}. */
  readonly smallDisk?: 'source' | 'destination'
  /** Replace those that all cells have. */
  readonly receive?: readonly string[]
  readonly send?: readonly string[]
}

const everywhere = (): boolean => true
const onControl = ({ channel }: Place): boolean => channel === 'control0'
/** Once is enough for frames of a kind: these cells take as long as a peer is waited for. */
const atFirst = ({ name, nth }: Place): boolean => nth === 1 || name === 'RoundAck'
/** Where pages follow the guest. */
const whileFollowing = (_place: Place, follows: boolean): boolean => follows

const stallAll = (stage: Stage, ...directions: ('written' | 'read')[]): false => {
  for (const { ways } of stage.proxy.channels) for (const one of directions) ways[one].stall()
  return false
}

/** Threads of their own for lanes cost half of a cell: not all of them have any. */
const onThreads = ['--lanes', '1']

const cuts: readonly Fault[] = [
  {
    name: 'cut-all',
    send: onThreads,
    isAt: everywhere,
    strike({ proxy }) {
      proxy.cut()
      return false
    },
  },
  {
    name: 'cut-one',
    isAt: everywhere,
    strike(_stage, { channel }) {
      channel.cut()
      return false
    },
  },
  {
    // With it the other side may be at work upon the unit already.
    name: 'cut-behind',
    isAt: (place) => onControl(place),
    strike(_stage, { channel }) {
      setImmediate(() => channel.cut())
      return true
    },
  },
  {
    // Attempts to connect anew fail for a while.
    name: 'outage',
    isAt: whileFollowing,
    strike({ proxy }) {
      proxy.isDown = true
      proxy.cut()
      return false
    },
    async follow(stage) {
      await stage.refusals(2)
      stage.proxy.isDown = false
    },
  },
  {
    name: 'lane-dies',
    isAt: ({ channel, direction }) => channel === 'data0' && direction === 'written',
    send: ['--lanes', '3'],
    strike(_stage, { channel }) {
      channel.cut()
      return false
    },
  },
]

const silences: readonly Fault[] = [
  {
    name: 'stall-all',
    isAt: atFirst,
    strike: (stage) => stallAll(stage, 'written', 'read'),
  },
  {
    name: 'half-open-written',
    isAt: (place) => onControl(place) && atFirst(place),
    strike: (stage) => stallAll(stage, 'written'),
  },
  {
    name: 'half-open-read',
    isAt: (place) => onControl(place) && atFirst(place),
    strike: (stage) => stallAll(stage, 'read'),
  },
  {
    name: 'half-closed',
    isAt: everywhere,
    strike(_stage, { channel, place }) {
      channel.ways[place.direction].endEarly()
      return false
    },
  },
  {
    name: 'trickle',
    isAt: atFirst,
    send: ['--memory', '4MiB'],
    receive: ['--memory-limit', '8MiB'],
    strike(_stage, { channel }) {
      slowDown(channel)
      return true
    },
  },
  {
    name: 'halt-source',
    isAt: (place) => onControl(place) && atFirst(place),
    strike({ source }) {
      source.halt()
      return true
    },
    async follow(stage) {
      await stage.destinationGaveUp()
      stage.source.goOn()
    },
  },
  {
    name: 'halt-destination',
    isAt: (place) => onControl(place) && atFirst(place),
    strike({ destination }) {
      destination.halt()
      return true
    },
    async follow(stage) {
      await stage.sourceGaveUp()
      stage.destination.goOn()
    },
  },
]

function slowDown({ ways }: ProxiedChannel): void {
  ways.written.trickle()
  ways.read.trickle()
}

const deaths: readonly Fault[] = [
  {
    name: 'kill-source',
    kills: 'source',
    isAt: everywhere,
    // Nobody waits for ever for pages that died.
    receive: ['--recover-for', '500ms'],
    strike({ source }) {
      source.kill()
      return false
    },
  },
  {
    name: 'kill-destination',
    kills: 'destination',
    // The next has nothing in writing, and can say nothing, however often it is asked.
    send: [...onThreads, '--recover-for', '2s'],
    isAt: everywhere,
    strike({ destination }) {
      destination.kill()
      return false
    },
    follow: (stage) => stage.replaceDestination(),
  },
  {
    name: 'fence-destination',
    kills: 'destination',
    isAt: whileFollowing,
    strike({ destination, proxy }) {
      proxy.isDown = true
      destination.kill()
      return false
    },
    async follow(stage) {
      await stage.sourceGaveUp()
      await stage.fence('paused')
    },
  },
  {
    name: 'restart-destination',
    kills: 'destination',
    hasRecords: true,
    isAt: (place) => onControl(place),
    strike({ destination }) {
      destination.kill()
      return false
    },
    async follow(stage) {
      await stage.replaceDestination()
      // It refuses what it held, or says that what ran there is dead: for an operator to decide.
      await stage.fence('bereaved')
    },
  },
  {
    name: 'restart-source',
    kills: 'source',
    hasRecords: true,
    isAt: (place) => onControl(place),
    receive: ['--recover-for', '8s'],
    strike({ source }) {
      source.kill()
      return false
    },
    follow: (stage) => stage.recoverSource(),
  },
]

const disks: readonly Fault[] = (['source', 'destination'] as const).map((side) => ({
  name: `disk-full-${side}`,
  hasRecords: true,
  smallDisk: side,
  isAt: (place) => onControl(place),
  strike(stage) {
    stage.fillDisk()
    return true
  },
  async follow(stage) {
    await stage.sourceGaveUp()
    stage.emptyDisk()
  },
}))

export const FAULTS: readonly Fault[] = [...cuts, ...silences, ...deaths, ...disks]
