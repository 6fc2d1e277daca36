/**
 * The part of the destination's machine that takes post-copy up again when the connection was lost.
 * The guest is this side's in all of these states, and runs as far as it gets.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { ProtocolError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationStep,
  DestinationTermsInForce,
  RecoveringDestination,
} from './destination-state.ts'
import { mayResume } from './destination-state.ts'
import { checkConnection, isMendable, toldOnGivingUp } from './recovery.ts'
import { checkEpoch } from './terms.ts'
import { unexpected } from './unexpected.ts'

/** What is to be taken up again; the states of recovery carry it. */
type Interruption = Omit<DestinationState & { readonly name: 'paused' }, 'name' | 'error'>

const to = (state: DestinationState, ...effects: DestinationEffect[]): DestinationStep => ({
  state,
  effects,
})

/** A post-copy round is to come. */
export function filling(round: number, complete: boolean, final: boolean): DestinationState {
  return { name: 'filling', round, begun: false, ended: false, complete, final }
}

/** Undefined where the guest did not come by post-copy, or has not come yet. */
export function interruptionOf(state: DestinationState): Interruption | undefined {
  switch (state.name) {
    case 'starting': {
      const round = state.round + 1
      const interruption = { round, started: false, complete: false, final: false }
      return state.postCopy ? interruption : undefined
    }
    case 'filling': {
      const { round, complete, final } = state
      return { round, started: true, complete, final }
    }
    case 'running': {
      const { postCopyRound: round, final } = state
      return round === undefined ? undefined : { round, started: true, complete: true, final }
    }
    case 'paused':
    case 'resuming': {
      const { round, started, complete, final } = state
      return { round, started, complete, final }
    }
    default:
      return undefined
  }
}

/** Whether there is a connection whose loss would leave something to be taken up again. */
export function isInterruptible(state: DestinationState): boolean {
  if (state.name === 'prepared' || state.name === 'answering') return true
  return state.name !== 'paused' && interruptionOf(state) !== undefined
}

/** Anything but a message or a failure. */
export function stepRecovery(
  state: RecoveringDestination,
  event: DestinationEvent,
): DestinationStep {
  switch (event.type) {
    case 'started':
      // RUNNING has nobody to hear it; RESUMED will say the same.
      if (state.name === 'paused' && !state.started) return to({ ...state, started: true })
      break
    case 'finished':
      if (state.complete) return to({ ...state, final: true })
      break
    case 'reconnected':
      if (mayResume(state)) return to({ ...state, name: 'resuming', epoch: event.epoch })
      break
    case 'give-up': {
      const error = event.error ?? state.error
      return over(state.complete, error, toldOnGivingUp(error))
    }
    default:
      break
  }
  throw new Error(`destination machine: ${event.type} in ${state.name}`)
}

/** Neither HEARTBEAT nor ERROR. */
export function receiveInRecovery(
  state: RecoveringDestination,
  message: Message,
  terms: DestinationTermsInForce,
): DestinationStep {
  if (state.name === 'resuming' && message.name === 'OwnerQuery' && terms.asks) {
    checkEpoch(message.body.epoch)
    return to(state, { do: 'send', message: 'Owner' })
  }
  if (state.name !== 'resuming' || message.name !== 'Resume') {
    throw unexpected(message, 'destination', state.name)
  }
  const { epoch, round } = message.body
  checkConnection(epoch, state.epoch)
  // Every round of post-copy is named here first: the source's may only be older.
  if (round > state.round) {
    const text = `The source resumes after round ${round}; there was none after ${state.round}`
    throw new ProtocolError('PROTOCOL_STATE', text)
  }
  return to(
    filling(state.round + 1, state.complete, state.final),
    { do: 'apply', message },
    { do: 'tell-lacking' },
    { do: 'send', message: 'Resumed' },
  )
}

/** The connection is lost, or this side failed, while the guest is here by post-copy. */
export function interrupted(
  state: DestinationState,
  interruption: Interruption,
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  const { complete } = interruption
  if (!terms.recovers) return over(complete, error, error)
  // A source that verifies has heard that all pages are here: it does not come back.
  const isUnneeded = state.name === 'running' && state.verified
  if (isUnneeded || !isMendable(error)) return over(complete, error, toldOnGivingUp(error))
  // Every channel that is lost says so; the first one was enough.
  if (state.name === 'paused') return to(state)
  const paused = { name: 'paused', ...interruption, error } as const
  return to(paused, { do: 'refuse', error }, { do: 'suspend', error })
}

function over(complete: boolean, error: GodwitError, told: GodwitError): DestinationStep {
  const name = complete ? 'completed' : 'stranded'
  return to({ name, error }, { do: 'refuse', error: told }, { do: 'close' })
}
