/**
 * Names in the catalog: what they may consist of, and `NAME/VERSION` of a release. They end up in
 * tables on terminals and in SQL parameters, so they are plain.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Release } from './records.ts'

/** Host names are not longer, either. */
export const NAME_LENGTH_MAX = 64
/** Of guests, machines, operating systems and hypervisors. */
export const NAME_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/**
 * Versions of distributions also have these: `1:8.2+dfsg~rc1`. With a name and a slash they are 128
 * characters at most, which is what a migration says of a map.
 */
export const VERSION_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:+~-]{0,62}$/

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
  const [name = '', version = '', ...more] = text.split('/')
  if (NAME_PATTERN.test(name) && VERSION_PATTERN.test(version) && more.length === 0) {
    return { name, version }
  }
  const rule = 'is not NAME/VERSION, like debian/12'
  throw new GodwitError('USAGE', `${JSON.stringify(text)} ${rule}`)
}

/** The way back. */
export function formatRelease({ name, version }: Release): string {
  return `${name}/${version}`
}
