/**
 * A legal message in the wrong state.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import type { Message } from '@godwit/wire'

const peers = { source: 'destination', destination: 'source' } as const

/** What `side`, in `state`, answers to a message that its peer ought not to have sent. */
export function unexpected(
  { name }: Message,
  side: keyof typeof peers,
  state: string,
): ProtocolError {
  const text = `The ${peers[side]} sent ${name} while the ${side} was ${state}`
  return new ProtocolError('PROTOCOL_STATE', text)
}
