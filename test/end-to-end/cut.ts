/**
 * Connections that break at a certain frame.
 *
 * @module
 */
import type { Channel } from '@godwit/core'
import type { Preface } from '@godwit/wire'
import { ChannelRole, decodePreface } from '@godwit/wire'
import type { SourceSettings } from './rig.ts'
import type { Direction, UnitName, Verdict } from './tap.ts'
import { TapChannel } from './tap.ts'

export type ChannelName = 'control' | 'data' | 'urgent' | 'reverse'
/** The n-th unit of that name in that direction on the k-th connection, counted from 1 and 0. */
export type Point = readonly [ChannelName, Direction, Verdict, UnitName, number, number]

const roles: Readonly<Record<number, ChannelName>> = {
  [ChannelRole.Control]: 'control',
  [ChannelRole.Data]: 'data',
  [ChannelRole.Urgent]: 'urgent',
  [ChannelRole.Reverse]: 'reverse',
}

/** Breaks connections where it is said. `done`: how many of the points were come by. */
export function cutAt(points: readonly Point[]): { settings: SourceSettings; done: () => number } {
  const seen = points.map(() => 0)
  const wrap = (channel: Channel): Channel => {
    let preface: Preface | undefined
    return new TapChannel(channel, (unit, bytes) => {
      // The source's comes first, and tells which channel this is.
      preface ??= decodePreface(bytes)!
      const [name, epoch] = [roles[preface.role], preface.epoch]
      let verdict: Verdict = 'pass'
      for (const [index, [on, direction, what, unitName, nth, at]] of points.entries()) {
        const isIt = on === name && at === epoch && direction === unit.direction
        if (isIt && unitName === unit.name && ++seen[index]! === nth) verdict = what
      }
      return verdict
    })
  }
  return {
    settings: { wrap },
    done: () => points.filter(([, , , , nth], index) => seen[index]! >= nth).length,
  }
}
