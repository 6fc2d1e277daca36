/**
 * Where a service listens.
 *
 * @module
 */
import { type ErrorCode, GodwitError } from '@godwit/core'

/** What clients connect to. */
export interface Place {
  /** A name or an IP address. */
  readonly host: string
  readonly port: number
}

/** Where a service listens that nobody has told another place. */
export const LOOPBACK = '127.0.0.1'

const codes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'ADDRESS_IN_USE',
  EACCES: 'ADDRESS_UNAVAILABLE',
  EADDRNOTAVAIL: 'ADDRESS_UNAVAILABLE',
}

/** What the system said of listening somewhere, or whatever else a thread could not do. */
export function placeError({
  code = '',
  message,
}: {
  readonly code?: string | undefined
  readonly message: string
}): GodwitError {
  return new GodwitError(codes[code] ?? 'GUEST_FAILED', message)
}
