/**
 * The part of the destination's machine from READY until the guest is started or given up: what is
 * written, and in which order. The source may have handed the guest over without this side having
 * heard it; then it comes back and asks.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { PeerError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationStep,
  DestinationTermsInForce,
} from './destination-state.ts'
import { interrupted, interruptionOf } from './destination-recovery.ts'
import { checkEpoch } from './terms.ts'
import { unexpected } from './unexpected.ts'

/** States in which it may be that both sides have all that it takes to run the guest. */
export type HandingOver = Extract<
  DestinationState,
  { readonly name: 'preparing' | 'prepared' | 'holding' | 'answering' | 'owning' | 'refusing' }
>

const to = (state: DestinationState, ...effects: DestinationEffect[]): DestinationStep => ({
  state,
  effects,
})

/** Whether this part has the say. */
export function isHandedOver(state: DestinationState): state is HandingOver {
  switch (state.name) {
    case 'preparing':
    case 'prepared':
    case 'holding':
    case 'answering':
    case 'owning':
    case 'refusing':
      return true
    default:
      return false
  }
}

/** Anything but a message or a failure. */
export function stepOwnership(
  state: HandingOver,
  event: DestinationEvent,
  terms: DestinationTermsInForce,
): DestinationStep {
  if (event.type === 'recorded') return recorded(state, terms)
  if (event.type === 'unrecorded') return unrecorded(state, event.error, terms)
  switch (state.name) {
    case 'holding':
      if (event.type === 'reconnected') {
        return to({ ...state, name: 'answering', epoch: event.epoch })
      }
      if (event.type === 'give-up') return refusing(event.error ?? state.error)
      break
    case 'answering':
      if (event.type === 'give-up') return refusing(event.error ?? state.error)
      break
    default:
      break
  }
  throw new Error(`destination machine: ${event.type} in ${state.name}`)
}

function recorded(state: HandingOver, terms: DestinationTermsInForce): DestinationStep {
  switch (state.name) {
    case 'preparing': {
      const prepared = { ...state, name: 'prepared', again: undefined } as const
      return to(prepared, { do: 'send', message: 'Ready' })
    }
    case 'owning': {
      const { round, postCopy, again, failed } = state
      const starting = { name: 'starting', round, postCopy, again } as const
      if (failed === undefined) return to(starting, { do: 'run' })
      return lostWhileStarting(starting, failed, terms)
    }
    case 'refusing': {
      const { error } = state
      const leave: DestinationEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
      return to({ name: 'discarded', error }, { do: 'discard' }, ...leave)
    }
    default:
      throw new Error(`destination machine: recorded in ${state.name}`)
  }
}

/** The guest is this side's and is started, whatever became of the connection. */
function lostWhileStarting(
  starting: DestinationState & { name: 'starting' },
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  const run: DestinationEffect = { do: 'run' }
  const interruption = interruptionOf(starting)
  if (interruption === undefined) {
    return to({ name: 'completed', error }, run, { do: 'refuse', error }, { do: 'close' })
  }
  const { state, effects } = interrupted(starting, interruption, error, terms)
  return to(state, run, ...effects)
}

/** Nothing is as it would be if it had been written. */
function unrecorded(
  state: HandingOver,
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  switch (state.name) {
    case 'preparing':
      return failedInDoubt(state, error, terms)
    case 'owning':
      return hold(state, error, terms)
    case 'refusing': {
      // It is not answered now that it is refused. Whoever asks has it written first.
      const leave: DestinationEffect[] = [{ do: 'refuse', error: state.error }, { do: 'close' }]
      return to({ name: 'discarded', error: state.error }, { do: 'discard' }, ...leave)
    }
    default:
      throw new Error(`destination machine: unrecorded in ${state.name}`)
  }
}

/** Neither HEARTBEAT nor ERROR. */
export function receiveInDoubt(state: HandingOver, message: Message): DestinationStep {
  if (state.name === 'prepared' && message.name === 'Commit') {
    // Before the state changes: a COMMIT that is not right hands nothing over.
    checkEpoch(message.body.epoch)
    const owning = { ...state, name: 'owning', failed: undefined } as const
    return to(owning, { do: 'apply', message }, { do: 'record', state: 'owner' })
  }
  if (state.name === 'answering' && message.name === 'OwnerQuery') {
    checkEpoch(message.body.epoch)
    const { round, postCopy, epoch, error } = state
    const prepared = { name: 'prepared', round, postCopy, again: { epoch, error } } as const
    return to(prepared, { do: 'send', message: 'Owner' })
  }
  // COMMIT may have been on its way; the source will ask what came of it.
  if (state.name === 'refusing') return to(state)
  throw unexpected(message, 'destination', state.name)
}

export function failedInDoubt(
  state: HandingOver,
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  switch (state.name) {
    case 'preparing': {
      // READY is not out: the source has nothing to release the guest by.
      const leave: DestinationEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
      return to({ name: 'discarded', error }, { do: 'discard' }, ...leave)
    }
    case 'prepared': {
      // The first connection brings COMMIT before ERROR: this source has not let go.
      const isKept = error instanceof PeerError && state.again === undefined
      return isKept ? refusing(error) : hold(state, error, terms)
    }
    case 'holding':
      return isCancel(error) ? refusing(error) : to(state)
    case 'answering':
      return hold(state, error, terms)
    case 'owning':
      return to({ ...state, failed: state.failed ?? error })
    case 'refusing':
      return to(state)
  }
}

/** Somebody asked for it on this side. */
function isCancel(error: GodwitError): boolean {
  return error.code === 'CANCELLED' && !(error instanceof PeerError)
}

function refusing(error: GodwitError): DestinationStep {
  return to({ name: 'refusing', error }, { do: 'record', state: 'refused' })
}

/** Keeps the guest for a source that will ask, if there is to be one. */
function hold(
  state: HandingOver & { readonly round: number; readonly postCopy: boolean },
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  if (isCancel(error) || !terms.asks || !terms.recovers) return refusing(error)
  const { round, postCopy } = state
  const holding = { name: 'holding', round, postCopy, error } as const
  return to(holding, { do: 'refuse', error }, { do: 'suspend', error })
}
