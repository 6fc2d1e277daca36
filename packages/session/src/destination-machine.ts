/**
 * The destination's side of a migration as a pure machine, the mirror image of
 * `source-machine.ts`.
 *
 * One owner: the guest runs only after COMMIT was received and `owner` was written, and is given up
 * after READY only when `refused` was. `destination-ownership.ts` has these steps. In post-copy the
 * guest runs before all of its pages are there. `destination-recovery.ts` has what follows when the
 * connection is lost then.
 *
 * @module
 */
import type { GodwitError, MigrationMode } from '@godwit/core'
import { ProtocolError, hasRounds, mayPostCopy } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import {
  failedInDoubt,
  isHandedOver,
  receiveInDoubt,
  stepOwnership,
} from './destination-ownership.ts'
import {
  filling,
  interrupted,
  interruptionOf,
  receiveInRecovery,
  stepRecovery,
} from './destination-recovery.ts'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
  DestinationStep,
  DestinationTermsInForce,
  Switching,
} from './destination-state.ts'
import { isDestinationFinished, isDestinationRecovering, ownsGuest } from './destination-state.ts'
import type { RoundKind } from './source-state.ts'
import { unexpected } from './unexpected.ts'

const to = (state: DestinationState, ...effects: DestinationEffect[]): DestinationStep => ({
  state,
  effects,
})
const send = (message: MessageName): DestinationEffect => ({ do: 'send', message })
const running = {
  name: 'running',
  verified: false,
  final: false,
  postCopyRound: undefined,
} as const
const loading = (round: number, postCopy: boolean): DestinationState => {
  return { name: 'loading', round, postCopy }
}

/**
 * The only function that decides what the destination does next.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE` for a legal message in the wrong state
 */
export function stepDestination(
  state: DestinationState,
  event: DestinationEvent,
  terms: DestinationTermsInForce,
): DestinationStep {
  if (event.type === 'fail') return failed(state, event.error, terms)
  if (isDestinationFinished(state)) return to(state)
  if (event.type === 'message') return receive(state, event.message, terms)
  if (isDestinationRecovering(state)) return stepRecovery(state, event)
  if (isHandedOver(state)) return stepOwnership(state, event, terms)
  switch (event.type) {
    case 'reserved':
      if (state.name === 'reserving') {
        return to({ name: 'reserved', round: 0, switching: 'no' }, send('Reserved'))
      }
      break
    case 'installed':
      if (state.name === 'filling' && state.ended) return filled(state)
      if (state.name === 'receiving' && state.ended) {
        const { round, kind, stateArrived } = state
        if (stateArrived) return to(loading(round, false), send('RoundAck'), { do: 'load' })
        return kind === 'final'
          ? to({ name: 'awaiting-state', round }, send('RoundAck'))
          : to({ name: 'reserved', round, switching: 'no' }, send('RoundAck'))
      }
      break
    case 'loaded':
      if (state.name === 'loading')
        return to({ ...state, name: 'preparing' }, { do: 'record', state: 'prepared' })
      break
    case 'started':
      if (state.name === 'starting') {
        return to(afterStart(state), send('Running'))
      }
      break
    case 'finished':
      if (state.name === 'running') return to({ ...state, final: true }, send('Final'))
      if (state.name === 'filling' && state.complete) return to({ ...state, final: true })
      break
    default:
      break
  }
  throw new Error(`destination machine: ${event.type} in ${state.name}`)
}

/** Where the connection is another one the source has channels for pages to dial first. */
function afterStart(state: DestinationState & { name: 'starting' }): DestinationState {
  const { postCopy, round, again } = state
  if (!postCopy) return running
  if (again === undefined) return filling(round + 1, false, false)
  const lacking = { round: round + 1, started: true, complete: false, final: false }
  return { name: 'resuming', ...lacking, ...again }
}

function receive(
  state: DestinationState,
  message: Message,
  terms: DestinationTermsInForce,
): DestinationStep {
  const apply: DestinationEffect = { do: 'apply', message }
  if (message.name === 'Heartbeat') return to(state)
  if (message.name === 'Error') return to(state, apply)
  if (isDestinationRecovering(state)) return receiveInRecovery(state, message, terms)
  switch (state.name) {
    case 'greeting':
      if (message.name === 'Hello') return to({ name: 'welcomed' }, apply, send('Welcome'))
      break
    case 'welcomed':
      if (message.name === 'Reserve') return to({ name: 'reserving' }, apply, { do: 'reserve' })
      break
    case 'reserved':
      return receiveBetweenRounds(state, message, terms)
    case 'receiving':
      if (message.name === 'RoundEnd' && message.body.round === state.round && !state.ended) {
        return to({ ...state, ended: true }, apply, { do: 'install' })
      }
      if (
        message.name === 'State' &&
        state.kind === 'final' &&
        state.ended &&
        !state.stateArrived
      ) {
        return to({ ...state, stateArrived: true }, apply)
      }
      break
    case 'awaiting-state':
      if (message.name === 'State') return to(loading(state.round, false), apply, { do: 'load' })
      break
    case 'preparing':
    case 'prepared':
    case 'holding':
    case 'answering':
    case 'owning':
    case 'refusing':
      return receiveInDoubt(state, message)
    case 'filling':
      return receiveWhileFilling(state, message)
    case 'running':
      if (message.name === 'Verify' && terms.verify && !state.verified) {
        return to({ ...state, verified: true }, apply, send('Verified'))
      }
      if (
        message.name === 'End' &&
        state.verified === terms.verify &&
        state.final === terms.final
      ) {
        return to({ name: 'completed', error: undefined }, apply, send('EndAck'), { do: 'close' })
      }
      break
    case 'reserving':
    case 'loading':
    case 'starting':
    case 'completed':
    case 'stranded':
    case 'discarded':
      break
  }
  throw unexpected(message, 'destination', state.name)
}

function receiveBetweenRounds(
  state: DestinationState & { name: 'reserved' },
  message: Message,
  terms: DestinationTermsInForce,
): DestinationStep {
  const apply: DestinationEffect = { do: 'apply', message }
  const { round: last, switching } = state
  if (message.name === 'SwitchOver' && switching === 'no' && message.body.round === last) {
    const next = message.body.postCopy === true ? 'post-copy' : 'final'
    if (maySwitch(terms.mode, last, next)) {
      return to({ ...state, switching: next }, apply, send('SwitchOverAck'))
    }
  }
  if (switching === 'post-copy') {
    if (message.name === 'Discard') return to(state, apply)
    if (message.name === 'State') return to(loading(last, true), apply, { do: 'load' })
  } else if (message.name === 'RoundBegin' && message.body.round === last + 1) {
    const { round, kind } = message.body
    const expected: RoundKind = switching === 'final' ? 'final' : last === 0 ? 'full' : 'dirty'
    if (kind === expected && (hasRounds(terms.mode) || switching === 'final')) {
      return to({ name: 'receiving', round, kind, ended: false, stateArrived: false }, apply)
    }
  }
  throw new ProtocolError(
    'PROTOCOL_STATE',
    `The source sent ${message.name} out of order after round ${state.round}`,
  )
}

/** Without rounds there is none before the pause; with them there must have been one. */
function maySwitch(mode: MigrationMode, round: number, next: Switching): boolean {
  const isTime = !hasRounds(mode) || round > 0
  return isTime && (next === 'post-copy' ? mayPostCopy(mode) : mode !== 'post-copy')
}

/** The guest is whole. A source that was told how it ended may have been lost before it heard. */
function filled({ round, final }: DestinationState & { name: 'filling' }): DestinationStep {
  const again = final ? [send('Final')] : []
  return to({ ...running, final, postCopyRound: round }, send('RoundAck'), ...again)
}

function receiveWhileFilling(
  state: DestinationState & { name: 'filling' },
  message: Message,
): DestinationStep {
  const { round, begun, ended } = state
  const apply: DestinationEffect = { do: 'apply', message }
  if (message.name === 'RoundBegin' && message.body.round === round && !begun) {
    if (message.body.kind === 'post-copy') return to({ ...state, begun: true }, apply)
  }
  if (message.name === 'RoundEnd' && message.body.round === round && begun && !ended) {
    return to({ ...state, ended: true }, apply, { do: 'install' })
  }
  throw unexpected(message, 'destination', state.name)
}

function failed(
  state: DestinationState,
  error: GodwitError,
  terms: DestinationTermsInForce,
): DestinationStep {
  if (isDestinationFinished(state)) return to(state)
  if (isHandedOver(state)) return failedInDoubt(state, error, terms)
  const interruption = interruptionOf(state)
  if (interruption !== undefined) return interrupted(state, interruption, error, terms)
  const leave: DestinationEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
  if (ownsGuest(state)) return to({ name: 'completed', error }, ...leave)
  return to({ name: 'discarded', error }, { do: 'discard' }, ...leave)
}
