/**
 * One cell of the matrix: a mode, a fault, and the frame at which it strikes.
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import type { Fault } from './fault.ts'
import { FAULTS } from './fault.ts'
import type { Place } from './place.ts'
import { parsePlace, textOf } from './place.ts'

export const MODES: readonly MigrationMode[] = ['stop-copy', 'pre-copy', 'post-copy', 'hybrid']

export interface Cell {
  readonly mode: MigrationMode
  readonly fault: Fault
  readonly place: Place
}

/** `pre-copy/cut-all/control0.written.Commit.1` */
export function nameOf({ mode, fault, place }: Cell): string {
  return [mode, fault.name, textOf(place)].join('/')
}

/** The inverse; undefined for a text that names no cell, or several. */
export function parseCell(text: string): Cell | undefined {
  const [modeName, faultName, placeText = ''] = text.split('/')
  const mode = MODES.find((one) => one === modeName)
  const fault = FAULTS.find(({ name }) => name === faultName)
  const place = parsePlace(placeText)
  if (mode === undefined || fault === undefined || place === undefined) return undefined
  return { mode, fault, place }
}

/** Every fault at every frame where it makes a difference; `places` in the order of coming. */
export function cellsOf(mode: MigrationMode, places: readonly Place[]): readonly Cell[] {
  const commit = places.findIndex(({ name }) => name === 'Commit')
  const isPostCopy = mode === 'post-copy' || mode === 'hybrid'
  return FAULTS.flatMap((fault) => {
    const struck = places.filter((place, i) => fault.isAt(place, isPostCopy && i > commit))
    return struck.map((place) => ({ mode, fault, place }))
  })
}
