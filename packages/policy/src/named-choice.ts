/**
 * Choices in the form `NAME[,option=value...]`, as policies are written.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'

/** A name, and what it is to be set up with. */
export interface NamedChoice<Name extends string = string> {
  readonly name: Name
  readonly options: ReadonlyMap<string, string>
  /** As it was written. */
  readonly text: string
}

/**
 * Takes a text apart.
 *
 * @param what - what is chosen, for errors
 * @throws {GodwitError} `USAGE`: another name, an option twice, or without a value
 */
export function parseChoice<Name extends string>(
  text: string,
  what: string,
  names: readonly Name[],
): NamedChoice<Name> {
  const [first = '', ...parts] = text.split(',')
  const name = names.find((one) => one === first)
  if (name === undefined) {
    throw new GodwitError('USAGE', `"${first}" is not a ${what}; there are ${names.join(', ')}`)
  }
  const options = new Map<string, string>()
  for (const part of parts) {
    const at = part.indexOf('=')
    const option = part.slice(0, at)
    if (at < 1 || at === part.length - 1 || options.has(option)) {
      throw new GodwitError('USAGE', `"${text}": "${part}" is not OPTION=VALUE, each option once`)
    }
    options.set(option, part.slice(at + 1))
  }
  return { name, options, text }
}

/** @throws {GodwitError} `USAGE`: there is an option that the choice does not know */
export function onlyOptions({ name, options, text }: NamedChoice, known: readonly string[]): void {
  for (const option of options.keys()) {
    if (known.includes(option)) continue
    const there = known.length === 0 ? 'none' : known.join(', ')
    throw new GodwitError('USAGE', `"${text}": ${name} has no "${option}"; there is ${there}`)
  }
}
