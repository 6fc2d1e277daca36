/**
 * Names of what a fleet knows, and `NAME/VERSION` of an operating system or hypervisor. They come
 * from peers and files and end up on terminals and in SQL parameters, so they are plain.
 *
 * @module
 */

/** Of guests, machines, operating systems and hypervisors. */
export const NAME_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
/**
 * Versions of distributions also have these: `1:8.2+dfsg~rc1`. With a name and a slash they are 128
 * characters at most, which is what a migration says of a map.
 */
export const VERSION_PATTERN: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:+~-]{0,62}$/

/** Whether a text is `NAME/VERSION`, like `debian/12`. */
export function isReleaseName(text: string): boolean {
  const [name = '', version = '', ...more] = text.split('/')
  return NAME_PATTERN.test(name) && VERSION_PATTERN.test(version) && more.length === 0
}
