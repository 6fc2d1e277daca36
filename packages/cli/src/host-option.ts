/**
 * `receive --guest`: how guests of a kind are taken in, where the operator has a say in it.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import { MEMCACHED_KIND, parseMemcachedHost } from '@godwit/memcached'
import type { QemuHostPlace } from '@godwit/qemu'
import { parseQemuHost, QEMU_KIND } from '@godwit/qemu'

/** What was said, by kind. */
export interface HostOptions {
  /** Where services listen that arrive. */
  readonly memcached?: string
  readonly qemu?: QemuHostPlace
}

/**
 * Reads one of them.
 *
 * @param before - those that were read
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`
 */
export function parseHostOption(text: string, before: HostOptions = {}): HostOptions {
  const [kind = ''] = text.split(',')
  if (Object.hasOwn(before, kind)) {
    throw new GodwitError('GUEST_OPTION', `--guest ${kind} is given twice`)
  }
  if (kind === MEMCACHED_KIND) return { ...before, memcached: parseMemcachedHost(text) }
  if (kind === QEMU_KIND) return { ...before, qemu: parseQemuHost(text) }
  const known = [MEMCACHED_KIND, QEMU_KIND].join(', ')
  throw new GodwitError('GUEST_UNKNOWN', `--guest has nothing to say of "${kind}"; only ${known}`)
}
