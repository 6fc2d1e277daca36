/**
 * `receive --guest`: how guests of a kind are taken in, where the operator has a say in it.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import { MEMCACHED_KIND, parseMemcachedHost } from '@godwit/memcached'

/** What was said, by kind. */
export interface HostOptions {
  /** Where services listen that arrive. */
  readonly memcached?: string
}

/**
 * Reads one of them.
 *
 * @param before - those that were read
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`
 */
export function parseHostOption(text: string, before: HostOptions = {}): HostOptions {
  const [kind = ''] = text.split(',')
  if (kind !== MEMCACHED_KIND) {
    const known = `there is ${MEMCACHED_KIND}`
    throw new GodwitError('GUEST_UNKNOWN', `--guest has nothing to say of "${kind}"; ${known}`)
  }
  if (before.memcached !== undefined) {
    throw new GodwitError('GUEST_OPTION', `--guest ${kind} is given twice`)
  }
  return { ...before, memcached: parseMemcachedHost(text) }
}
