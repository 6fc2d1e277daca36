/**
 * Errors that are met, one object of each.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { CancelledError, GodwitError as Failure, PeerError, TransportError } from '@godwit/core'
import { errorCodeOf } from '@godwit/wire'

export const lost: GodwitError = new TransportError('CONNECTION_LOST', 'lost')
export const cancelled: GodwitError = new CancelledError()
export const unwritable: GodwitError = new Failure('FILE_UNWRITABLE', 'not written')

const told = new Map<number, GodwitError>()

export function toldBy(code: number): GodwitError {
  const known = told.get(code) ?? new PeerError(errorCodeOf(code), 'told')
  told.set(code, known)
  return known
}
