/**
 * What both machines must know of recovery: which failures a new connection may mend, and that both
 * sides speak of the same one.
 *
 * @module
 */
import type { ErrorCode, GodwitError } from '@godwit/core'
import { CancelledError, ProtocolError } from '@godwit/core'

/** Whoever of the two sides says this has nothing to go on with. */
const finalCodes: ReadonlySet<ErrorCode> = new Set(['CANCELLED', 'GUEST_FAILED'])

/** Whether a new connection may mend it: what one side gave up for good is never tried again. */
export function isMendable(error: GodwitError): boolean {
  return !finalCodes.has(error.code)
}

/** What the peer is told when this side gives up for good, whatever the reason. */
export function toldOnGivingUp(error: GodwitError): GodwitError {
  return isMendable(error) ? new CancelledError(error.message) : error
}

/** @throws {ProtocolError} `PROTOCOL_STATE` for a RESUME or RESUMED of another connection */
export function checkConnection(epoch: number, expected: number): void {
  if (epoch === expected) return
  throw new ProtocolError(
    'PROTOCOL_STATE',
    `The peer speaks of connection ${epoch}; this is ${expected}`,
  )
}
