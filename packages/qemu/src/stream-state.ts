/**
 * The state package of a machine that comes as a stream: what QEMU sends behind its memory, as it
 * is, with a head that says so.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import { SectionType } from './stream-format.ts'

export const STATE_HEAD: Uint8Array = new TextEncoder().encode('godwit qemu stream 1\n')

/**
 * The devices' part of a package, which is QEMU's to check.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE`: it is none
 */
export function deviceState(state: Uint8Array): Uint8Array {
  const isOurs = STATE_HEAD.every((byte, index) => byte === state[index])
  const first = state[STATE_HEAD.length]
  const begins = first === SectionType.Full || first === SectionType.End
  if (isOurs && begins) return state.subarray(STATE_HEAD.length)
  const text = 'The state of the offered machine is not that of a qemu guest with attach=stream'
  throw new ProtocolError('PROTOCOL_STATE', text)
}
