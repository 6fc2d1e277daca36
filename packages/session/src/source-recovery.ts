/**
 * The part of the source's machine that takes post-copy up again when the connection was lost. The
 * guest is the destination's in all of these states; the source has nothing but its pages.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { PeerError, ProtocolError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { checkConnection, isMendable, toldOnGivingUp } from './recovery.ts'
import type {
  RecoveringSource,
  SourceEffect,
  SourceEvent,
  SourceState,
  SourceStep,
  SourceTerms,
} from './source-state.ts'
import { mayTakeOver } from './source-state.ts'
import { unexpected } from './unexpected.ts'

/** What is to be taken up again; the states of recovery carry it. */
type Interruption = Pick<SourceState & { readonly name: 'paused' }, 'round' | 'committed'>

const to = (state: SourceState, ...effects: SourceEffect[]): SourceStep => ({ state, effects })

/** Undefined where the guest does not need both sides, as far as is known here. */
export function interruptionOf(state: SourceState): Interruption | undefined {
  switch (state.name) {
    case 'released':
      return state.postCopy ? { round: state.round + 1, committed: false } : undefined
    case 'pushing':
    case 'pushed':
    case 'reopening':
      return { round: state.round, committed: true }
    case 'paused':
    case 'reconnecting':
    case 'resuming':
      return { round: state.round, committed: state.committed }
    default:
      return undefined
  }
}

/** Anything but a message or a failure. */
export function stepRecovery(state: RecoveringSource, event: SourceEvent): SourceStep {
  const { name, round, error } = state
  // In `reopening` RESUMED has come.
  const committed = state.name === 'reopening' || state.committed
  if (event.type === 'give-up') return givenUp(committed, event.error ?? error)
  if (event.type === 'take-over' && mayTakeOver(state)) {
    // Nobody hears of this session any more, whoever it may be: first of all no channel is left.
    return to({ name: 'taken-over', error }, { do: 'close' }, { do: 'take-over' })
  }
  switch (`${name}/${event.type}`) {
    // What the lost connection was still at may end now. Nothing follows from it.
    case 'paused/opened':
    case 'paused/sent':
      return to(state)
    case 'paused/reconnect':
      return to({ name: 'reconnecting', round, committed, error }, { do: 'reconnect' })
    case 'reopening/opened':
      return to({ name: 'pushing', round }, { do: 'send-round', round, kind: 'post-copy' })
  }
  if (state.name === 'reconnecting' && event.type === 'reconnected') {
    const { epoch } = event
    const resuming = { ...state, name: 'resuming', epoch } as const
    return to(resuming, { do: 'send', message: 'Resume' })
  }
  throw new Error(`source machine: ${event.type} in ${state.name}`)
}

/** Neither HEARTBEAT nor ERROR. */
export function receiveInRecovery(state: RecoveringSource, message: Message): SourceStep {
  if (state.name === 'resuming') {
    if (message.name === 'Lacking') return to(state, { do: 'apply', message })
    if (message.name === 'Resumed') {
      const { epoch, round } = message.body
      checkConnection(epoch, state.epoch)
      if (round <= state.round) {
        const text = `The destination resumed with round ${round}; there was ${state.round}`
        throw new ProtocolError('PROTOCOL_STATE', text)
      }
      const reopening = { name: 'reopening', round, error: state.error } as const
      return to(reopening, { do: 'apply', message }, { do: 'open-channels' })
    }
  }
  throw unexpected(message, 'source', state.name)
}

/** The connection is lost, or this side failed, while the guest needs both sides. */
export function interrupted(
  state: SourceState,
  interruption: Interruption,
  error: GodwitError,
  terms: SourceTerms,
): SourceStep {
  const { committed } = interruption
  if (!terms.recovers) return over(committed, error, error)
  if (!isMendable(error) || isRefused(state, error)) {
    const isTold = error instanceof PeerError
    if (!terms.keepsCheckpoints || !isTold) return givenUp(committed, error)
  }
  // Every channel that is lost says so; the first one was enough.
  if (state.name === 'paused') return to(state)
  const paused = { name: 'paused', ...interruption, error } as const
  return to(paused, { do: 'refuse', error }, { do: 'suspend', error })
}

/** The destination has nothing that could be resumed. */
function isRefused(state: SourceState, error: GodwitError): boolean {
  return (
    (state.name === 'reconnecting' || state.name === 'resuming') &&
    error instanceof PeerError &&
    (error.code === 'SESSION_UNKNOWN' || error.code === 'EPOCH_STALE')
  )
}

function givenUp(committed: boolean, error: GodwitError): SourceStep {
  return over(committed, error, toldOnGivingUp(error))
}

function over(committed: boolean, error: GodwitError, told: GodwitError): SourceStep {
  const name = committed ? 'stranded' : 'in-doubt'
  return to({ name, error }, { do: 'refuse', error: told }, { do: 'close' })
}
