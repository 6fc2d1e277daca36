/**
 * The list of guests and their options, for `--help`.
 *
 * @module
 */
import { GUEST_KINDS } from '@godwit/guest'
import { MEMCACHED_HELP } from '@godwit/memcached'

/** Several lines, without a line feed at the end. */
export function guestHelp(): string {
  const lines = ['Guests:']
  for (const { kind, help, options } of [...GUEST_KINDS, MEMCACHED_HELP]) {
    lines.push(`  ${kind.padEnd(13)} ${help}`)
    for (const option of options) {
      const fallback = option.fallback === '' ? '' : ` (default ${option.fallback})`
      lines.push(`    ${`${option.name}=${option.value}`.padEnd(16)} ${option.help}${fallback}`)
    }
  }
  return lines.join('\n')
}
