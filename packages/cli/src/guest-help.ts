/**
 * The list of guests and their options, for `--help`.
 *
 * @module
 */
import { GUEST_KINDS } from '@godwit/guest'
import { MEMCACHED_HELP } from '@godwit/memcached'
import type { QemuHelp } from '@godwit/qemu'
import { QEMU_HELP, QEMU_HOST_HELP } from '@godwit/qemu'

/** Several lines, without a line feed at the end. */
export function guestHelp(): string {
  return formatKinds('Guests:', [...GUEST_KINDS, MEMCACHED_HELP, QEMU_HELP])
}

/** The same of `receive --guest`. */
export function hostHelp(): string {
  return formatKinds('Guests for --guest:', [QEMU_HOST_HELP])
}

function formatKinds(title: string, kinds: readonly QemuHelp[]): string {
  const lines = [title]
  for (const { kind, help, options } of kinds) {
    lines.push(`  ${kind.padEnd(13)} ${help}`)
    for (const option of options) {
      const fallback = option.fallback === '' ? '' : ` (default ${option.fallback})`
      lines.push(`    ${`${option.name}=${option.value}`.padEnd(16)} ${option.help}${fallback}`)
    }
  }
  return lines.join('\n')
}
