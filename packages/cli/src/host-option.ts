/**
 * `--guest` of `receive` and `agent`: how guests of a kind are taken in, where the operator has a
 * say in it.
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
  /** How a QEMU is started for a VM that arrives; none are taken in without. */
  readonly qemu?: QemuHostPlace
}

const readers = { [MEMCACHED_KIND]: parseMemcachedHost, [QEMU_KIND]: parseQemuHost } as const

/**
 * Reads one of them.
 *
 * @param before - those that were read
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`
 */
export function parseHostOption(text: string, before: HostOptions = {}): HostOptions {
  const [kind = ''] = text.split(',')
  if (kind !== MEMCACHED_KIND && kind !== QEMU_KIND) {
    const known = `there are ${Object.keys(readers).join(' and ')}`
    throw new GodwitError('GUEST_UNKNOWN', `--guest has nothing to say of "${kind}"; ${known}`)
  }
  if (before[kind] !== undefined) {
    throw new GodwitError('GUEST_OPTION', `--guest ${kind} is given twice`)
  }
  return { ...before, [kind]: readers[kind](text) }
}
