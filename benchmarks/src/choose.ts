/**
 * Which cases of a benchmark are measured.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'

/**
 * Cases by name, in the order of the names.
 *
 * @param benchmark - its name, for who asks for a case that it has not
 * @throws {GodwitError} `USAGE`
 */
export function chooseNamed<T extends { readonly name: string }>(
  benchmark: string,
  all: readonly T[],
  names: readonly string[],
): readonly T[] {
  return names.map((name) => {
    const found = all.find((one) => one.name === name)
    if (found !== undefined) return found
    const known = all.map((one) => one.name).join(', ')
    throw new GodwitError('USAGE', `"${name}" is not a case of ${benchmark}; there are ${known}`)
  })
}
