/**
 * The cells of a grid: each is one way to move one guest over one link, all of it data.
 *
 * @module
 */
import { GodwitError, formatBytes } from '@godwit/core'
import { rotated } from '../static/ways.ts'

export interface Cell {
  /** What the guest does, in the paper's words, like `KCS`; a word without a comma, as `way`. */
  readonly load: string
  readonly memoryBytes: number
  /** How it is moved, like `BDA`. */
  readonly way: string
  /** As `godwit send` takes them. */
  readonly guest: string
  readonly options: readonly string[]
  /** In bytes per second, both ways, headers included. */
  readonly linkRate: number
  /** What a service on the same link asks for, in bytes per second; 0: there is none. */
  readonly competingRate: number
}

/** How much of a grid is measured. */
export const SCALES = ['quick', 'normal', 'full'] as const
export type Scale = (typeof SCALES)[number]

/** Cells of one group differ in `way` only: those are compared, repeat by repeat. */
export function groupOf({ load, memoryBytes, linkRate }: Cell): string {
  return `${load}, ${formatBytes(memoryBytes)}, ${formatLinkRate(linkRate)}`
}

/** What a cell is known by. */
export function nameOf(cell: Cell): string {
  return `${groupOf(cell)}, ${cell.way}`
}

/** `125000000` -> `1 Gbit/s`: links are sold by bits. */
export function formatLinkRate(bytesPerSecond: number): string {
  const megabits = (bytesPerSecond * 8) / 1e6
  return megabits >= 1000 ? `${megabits / 1000} Gbit/s` : `${megabits} Mbit/s`
}

/** As `tc` and options of `godwit` take it. */
export function rateOption(bytesPerSecond: number): string {
  return `${Math.round(bytesPerSecond * 8)}bit`
}

/**
 * The order of one repeat: group by group, so that what is compared is measured within moments, and
 * in each group another way is first in each repeat.
 */
export function orderOf(cells: readonly Cell[], repeat: number): readonly Cell[] {
  const groups = Map.groupBy(cells, groupOf)
  return [...groups.values()].flatMap((group) => rotated(group, repeat))
}

/**
 * The cells whose load or way is named; all where none is.
 *
 * @throws {GodwitError} `USAGE`: there is none of a name
 */
export function pickCells(cells: readonly Cell[], only: readonly string[] | undefined): Cell[] {
  if (only === undefined) return [...cells]
  const namesOf = ({ load, way }: Cell): readonly string[] => [load, way]
  const known = new Set(cells.flatMap(namesOf).map(plain))
  const wanted = new Set(only.map(plain))
  const unknown = only.map((name) => name.trim()).filter((name) => !known.has(plain(name)))
  if (unknown.length > 0) {
    const all = [...new Set([...cells.map(({ load }) => load), ...cells.map(({ way }) => way)])]
    const none = unknown.map((name) => `"${name}"`).join(', ')
    throw new GodwitError('USAGE', `--only: there is no ${none}; there are ${all.join(', ')}`)
  }
  return cells.filter((cell) => namesOf(cell).some((name) => wanted.has(plain(name))))
}

function plain(name: string): string {
  return name.trim().toLowerCase()
}
