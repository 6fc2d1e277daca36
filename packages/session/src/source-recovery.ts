/**
 * The part of the source's machine that goes on when the connection was lost after the hand-over:
 * asks whose the guest is where that is not known, and takes post-copy up again. The guest is the
 * destination's in all of these states, unless that answers that it refused it for good.
 *
 * @module
 */
import type { ErrorCode, GodwitError } from '@godwit/core'
import { GodwitError as Failure, PeerError, ProtocolError } from '@godwit/core'
import type { Message, Owner } from '@godwit/wire'
import { checkConnection, isMendable, toldOnGivingUp } from './recovery.ts'
import type {
  RecoveringSource,
  SourceEffect,
  SourceEvent,
  SourceState,
  SourceStep,
  SourceTerms,
} from './source-state.ts'
import { isRecovering, mayTakeOver } from './source-state.ts'
import { checkEpoch } from './terms.ts'
import { unexpected } from './unexpected.ts'

/** What is to be taken up again; the states of recovery carry it. */
type Interruption = Omit<SourceState & { readonly name: 'paused' }, 'name' | 'error'>

const to = (state: SourceState, ...effects: SourceEffect[]): SourceStep => ({ state, effects })

/** Undefined where nothing can be taken up again. */
export function interruptionOf(state: SourceState, terms: SourceTerms): Interruption | undefined {
  switch (state.name) {
    case 'released': {
      const { postCopy } = state
      const round = postCopy ? state.round + 1 : state.round
      return postCopy || terms.asks ? { round, postCopy, committed: false } : undefined
    }
    case 'pushing':
    case 'pushed':
    case 'reopening':
      return { round: state.round, postCopy: true, committed: true }
    case 'paused':
    case 'reconnecting':
    case 'asking':
    case 'bereaved':
    case 'resuming': {
      const { round, postCopy, committed } = state
      return { round, postCopy, committed }
    }
    default:
      return undefined
  }
}

/** RUNNING came on a connection that was made anew, in post-copy: its pages are to follow. */
export function ranAgain({ round, epoch }: SourceState & { name: 'released' }): SourceState {
  // It was asked since the connection was lost, or this one was: that is all the reason there is.
  const error = new Failure('CONNECTION_LOST', 'The connection was lost before RUNNING')
  return { name: 'resuming', round: round + 1, postCopy: true, committed: true, epoch, error }
}

/** Anything but a message or a failure. */
export function stepRecovery(
  state: RecoveringSource,
  event: SourceEvent,
  terms: SourceTerms,
): SourceStep {
  const { name, round, error } = state
  if (event.type === 'give-up') return givenUp(state, event.error ?? error)
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
      return to({ ...state, name: 'reconnecting' } as SourceState, { do: 'reconnect' })
    case 'reopening/opened':
      return to({ name: 'pushing', round }, { do: 'send-round', round, kind: 'post-copy' })
  }
  if (state.name === 'reconnecting' && event.type === 'reconnected') {
    const { epoch } = event
    return !state.committed && terms.asks
      ? to({ ...state, name: 'asking', epoch }, { do: 'send', message: 'OwnerQuery' })
      : to({ ...state, name: 'resuming', epoch }, { do: 'send', message: 'Resume' })
  }
  throw new Error(`source machine: ${event.type} in ${state.name}`)
}

/** Neither HEARTBEAT nor ERROR. */
export function receiveInRecovery(state: RecoveringSource, message: Message): SourceStep {
  if (state.name === 'asking' && message.name === 'Owner') {
    checkEpoch(message.body.epoch)
    return answered(state, message.body)
  }
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

/** Whose the guest is, as the destination has it in writing. */
function answered(state: SourceState & { name: 'asking' }, { owner }: Owner): SourceStep {
  const { round, postCopy, epoch, error } = state
  switch (owner) {
    case 'prepared': {
      const last = postCopy ? round - 1 : round
      const commit: SourceEffect = { do: 'send', message: 'Commit' }
      return to({ name: 'released', round: last, postCopy, epoch }, commit)
    }
    case 'refused':
      return to({ name: 'failed', error }, { do: 'keep' }, { do: 'resume' }, { do: 'close' })
    case 'lost':
      return bereaved(state, error)
    case 'running':
      if (!postCopy) return to({ name: 'completed', error }, { do: 'close' })
      return to({ ...state, name: 'resuming', committed: true }, { do: 'send', message: 'Resume' })
    case 'ended':
      return to({ name: postCopy ? 'stranded' : 'completed', error }, { do: 'close' })
  }
}

/** No connection would help; only an operator may decide that the guest goes on here. */
function bereaved(state: RecoveringSource, error: GodwitError): SourceStep {
  const { round, postCopy, committed } = { committed: true, postCopy: true, ...state }
  const left = { name: 'bereaved', round, postCopy, committed, error } as const
  return to(left, { do: 'suspend', error })
}

/** The connection is lost, or this side failed, while the guest needs both sides. */
export function interrupted(
  state: SourceState,
  interruption: Interruption,
  error: GodwitError,
  terms: SourceTerms,
): SourceStep {
  const { committed } = interruption
  if (!terms.recovers) return over({ ...state, committed }, error, error)
  if (state.name === 'bereaved') return to(state)
  if (isRecovering(state) && isTold(error, 'LOST_WITH_HOST')) return bereaved(state, error)
  // Nothing that may have happened answers the question.
  const asks = terms.asks && !committed
  if (!asks && (!isMendable(error) || isRefused(state, error))) {
    const isPeers = error instanceof PeerError
    if (!terms.keepsCheckpoints || !isPeers) return givenUp({ ...state, committed }, error)
  }
  // Every channel that is lost says so; the first one was enough.
  if (state.name === 'paused') return to(state)
  const paused = { name: 'paused', ...interruption, error } as const
  return to(paused, { do: 'refuse', error }, { do: 'suspend', error })
}

/** The destination has nothing that could be resumed. */
function isRefused(state: SourceState, error: GodwitError): boolean {
  if (state.name !== 'reconnecting' && state.name !== 'resuming') return false
  return isTold(error, 'SESSION_UNKNOWN') || isTold(error, 'EPOCH_STALE')
}

function isTold(error: GodwitError, code: ErrorCode): boolean {
  return error instanceof PeerError && error.code === code
}

function givenUp(state: Ending, error: GodwitError): SourceStep {
  return over(state, error, toldOnGivingUp(error))
}

interface Ending {
  readonly name: SourceState['name']
  readonly committed?: boolean
}

function over({ name, committed }: Ending, error: GodwitError, told: GodwitError): SourceStep {
  const last = name === 'bereaved' ? 'lost' : (committed ?? true) ? 'stranded' : 'in-doubt'
  return to({ name: last, error }, { do: 'refuse', error: told }, { do: 'close' })
}
