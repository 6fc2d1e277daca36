/**
 * How a case ends that does not pass.
 *
 * @module
 */

/** The agent under test broke a clause. */
export class Failure extends Error {
  /** Undefined: any that the case is about. */
  readonly clause: string | undefined
  readonly expected: string
  readonly came: string

  constructor(clause: string | undefined, expected: string, came: string) {
    super(`expected ${expected}, came ${came}`)
    this.clause = clause
    this.expected = expected
    this.came = came
  }
}

/** The case says nothing about this agent: it does not offer what it takes. */
export class Skip extends Error {}

/** @throws {Failure} unless `holds` */
export function check(clause: string, holds: boolean, expected: string, came: unknown): void {
  if (!holds) throw new Failure(clause, expected, show(came))
}

/** @throws {Failure} unless both look the same */
export function checkEqual(clause: string, came: unknown, expected: unknown): void {
  if (show(came) !== show(expected)) throw new Failure(clause, show(expected), show(came))
}

const shownCharsMax = 200

/** One line; binary values by their length and first bytes. */
export function show(value: unknown): string {
  if (typeof value === 'string') return value
  const text = JSON.stringify(value, (_key, item: unknown) => {
    if (item instanceof Uint8Array) return `${item.length} bytes ${hex(item.subarray(0, 8))}`
    return typeof item === 'bigint' ? `${item}` : item
  })
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}...` : text
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
