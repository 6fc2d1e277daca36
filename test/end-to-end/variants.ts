/**
 * Long lists of variants of one thing.
 *
 * @module
 */
export const isLong: boolean = process.env['GODWIT_LONG'] !== undefined

/** Every other one, or one of every `step`, from the first on; all of them with GODWIT_LONG. */
export function someOf<T>(all: readonly T[], step = 2): readonly T[] {
  return isLong ? all : all.filter((_, index) => index % step === 0)
}
