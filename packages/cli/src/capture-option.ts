/**
 * `--capture FILE`: what both agents make of it.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { formatError, note } from './output.ts'

/** The help of both. */
export const captureHelp: string =
  'write everything that goes over the channels to FILE, for `godwit verify` and `godwit ' +
  "explain`; it has the guest's memory in it, and makes the migration slower (one thread)"

/** The file takes no more. */
export function tellCaptureFailed(error: GodwitError): void {
  note(formatError(error))
  note('the capture ends here; the migration goes on')
}
