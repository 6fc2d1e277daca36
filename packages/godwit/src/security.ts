/**
 * How agents prove who they are: a pre-shared key, or certificates. Nothing is negotiated.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { Security } from '@godwit/seal'
import type { TlsCredentials } from '@godwit/transport'
import { checkCredentials } from '@godwit/transport'
import { nodeSealTools } from './seal-tools.ts'

/** One of the two, at both ends. */
export type SecurityOptions = { readonly psk: Uint8Array } | { readonly tls: TlsCredentials }

/**
 * Whoever is answered can try out keys at leisure: the key itself must be out of reach, not a
 * password.
 */
export const PSK_BYTES_MIN = 16
export const PSK_BYTES_MAX = 1024
/** A key at random has nearly as many different bytes as it has bytes. */
const differentBytesMin = 8

/** @throws {GodwitError} `USAGE` */
export function checkSecurity(options: SecurityOptions): void {
  if ('tls' in options) {
    checkCredentials(options.tls)
    return
  }
  const { length } = options.psk
  if (length < PSK_BYTES_MIN || length > PSK_BYTES_MAX) {
    const range = `${PSK_BYTES_MIN} to ${PSK_BYTES_MAX} bytes`
    throw new GodwitError('USAGE', `A pre-shared key has ${range}; this one has ${length}`)
  }
  if (new Set(options.psk).size < differentBytesMin) {
    const text = 'The pre-shared key is not random: it has too few different bytes'
    throw new GodwitError('USAGE', text)
  }
}

/** What agents take. @throws {GodwitError} `USAGE` */
export function securityOf(options: SecurityOptions): Security {
  checkSecurity(options)
  if ('tls' in options) return { ...nodeSealTools, method: 'tls' }
  return { ...nodeSealTools, method: 'psk', key: options.psk }
}
