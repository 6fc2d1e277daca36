/**
 * Names in the catalog, as they are typed and shown.
 *
 * @module
 */
import { GodwitError, NAME_PATTERN, VERSION_PATTERN, isReleaseName } from '@godwit/core'
import type { Release } from './records.ts'

export { NAME_PATTERN, VERSION_PATTERN }

/** Host names are not longer, either. */
export const NAME_LENGTH_MAX = 64

/**
 * A name as it was typed.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseName(text: string): string {
  if (NAME_PATTERN.test(text)) return text
  const rule = `1 to ${NAME_LENGTH_MAX} letters, digits, ".", "_" and "-", a letter or digit first`
  throw new GodwitError('USAGE', `${JSON.stringify(text)} is not a name: ${rule}`)
}

/**
 * `debian/12` -> name and version.
 *
 * @throws {GodwitError} `USAGE`
 */
export function parseRelease(text: string): Release {
  const [name = '', version = ''] = text.split('/')
  if (isReleaseName(text)) return { name, version }
  const rule = 'is not NAME/VERSION, like debian/12'
  throw new GodwitError('USAGE', `${JSON.stringify(text)} ${rule}`)
}

/** The way back. */
export function formatRelease({ name, version }: Release): string {
  return `${name}/${version}`
}
