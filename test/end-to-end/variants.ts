/**
 * Long lists of variants of one thing.
 *
 * @module
 */
const isLong = process.env['GODWIT_LONG'] !== undefined

/** Every other one, from the first on; all of them with GODWIT_LONG. */
export function someOf<T>(all: readonly T[]): readonly T[] {
  return isLong ? all : all.filter((_, index) => index % 2 === 0)
}
