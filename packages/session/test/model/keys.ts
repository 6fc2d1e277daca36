/**
 * A text for every moment, the same for those that nothing tells apart.
 *
 * @module
 */
import { GodwitError, PeerError } from '@godwit/core'
import type { System } from './system.ts'

/** Of everything in it that is not plain only errors are met, and of these only codes matter. */
function textOf(value: unknown): string {
  if (value instanceof GodwitError) {
    return value instanceof PeerError ? `${value.code}?` : value.code
  }
  if (value === null || typeof value !== 'object') return String(value)
  let text = '('
  for (const key in value) text += `${textOf((value as Record<string, unknown>)[key])} `
  return `${text})`
}

/** Parts are never changed, and most are the same in the next moment. */
const known = new WeakMap<object, number>()
const numbers = new Map<string, number>()

function numberOf(part: object): number {
  let number = known.get(part)
  if (number !== undefined) return number
  const text = textOf(part)
  number = numbers.get(text) ?? numbers.size
  numbers.set(text, number)
  known.set(part, number)
  return number
}

export function keyOf(system: System): string {
  const { source, destination, lines, budget, wentOn, isUnkept, ranThere, takenOver } = system
  const flags = Number(wentOn) + 2 * Number(isUnkept) + 4 * Number(ranThere) + 8 * Number(takenOver)
  let key = `${flags} ${numberOf(source)} ${numberOf(destination)} ${numberOf(budget)}`
  for (const line of lines) key += ` ${numberOf(line)}`
  return key
}
