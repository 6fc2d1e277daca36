/**
 * Where in a migration something befalls it: the n-th frame of a name, on a channel, in a
 * direction.
 *
 * @module
 */
import type { Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import type { Direction, UnitName } from '../end-to-end/tap.ts'

/** As text: `data0.written.Pages.2`. */
export interface Place {
  /** `control0`, `data1`, `urgent0`. */
  readonly channel: string
  /** By the source, or there. */
  readonly direction: Direction
  readonly name: UnitName
  /** From 1. */
  readonly nth: number
}

const roleNames: ReadonlyMap<number, string> = new Map(
  Object.entries(ChannelRole).map(([name, role]) => [role, name.toLowerCase()]),
)

export function channelName({ role, index }: Preface): string {
  return `${roleNames.get(role)}${index}`
}

export function textOf({ channel, direction, name, nth }: Place): string {
  return [channel, direction, name, nth].join('.')
}

/** The inverse; undefined for text that is no place. */
export function parsePlace(text: string): Place | undefined {
  const [, channel, direction, name, nth] =
    /^([a-z]+\d+)\.(written|read)\.([A-Za-z]+)\.(\d+)$/.exec(text) ?? []
  if (nth === undefined) return undefined
  return { channel, direction, name, nth: Number(nth) } as Place
}

/** Numbers the units of one migration. */
export class PlaceCounter {
  readonly #counts = new Map<string, number>()

  next(preface: Preface, direction: Direction, name: UnitName): Place {
    const channel = channelName(preface)
    const key = `${channel}.${direction}.${name}`
    const nth = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, nth)
    return { channel, direction, name, nth }
  }
}
