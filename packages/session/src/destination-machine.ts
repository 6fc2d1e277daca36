/**
 * The destination's side of a migration as a pure machine, the mirror image of
 * `source-machine.ts`.
 *
 * One owner: the guest runs only after COMMIT was received and `owner` was written.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { ProtocolError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import type { RoundKind } from './source-machine.ts'
import { checkEpoch } from './terms.ts'

export type DestinationState =
  | { readonly name: 'greeting' }
  | { readonly name: 'welcomed' }
  | { readonly name: 'reserving' }
  /** Between rounds; `round` is the last one acknowledged. */
  | { readonly name: 'reserved'; readonly round: number; readonly switching: boolean }
  | {
      readonly name: 'receiving'
      readonly round: number
      readonly kind: RoundKind
      /** ROUND_END arrived. */
      readonly ended: boolean
      /** STATE arrived before the last pages did: it travels on another channel. */
      readonly stateArrived: boolean
    }
  /** The last round is installed; the state package is still to come. */
  | { readonly name: 'awaiting-state'; readonly round: number }
  | { readonly name: 'loading' }
  /** READY is out. The guest must not run before COMMIT. */
  | { readonly name: 'prepared' }
  | { readonly name: 'starting' }
  /** The guest runs here. */
  | { readonly name: 'running'; readonly verified: boolean; readonly final: boolean }
  | { readonly name: 'completed'; readonly error: GodwitError | undefined }
  /** Nothing of the guest is left here. */
  | { readonly name: 'discarded'; readonly error: GodwitError }

export type DestinationEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'reserved' }
  /** Every channel delivered the whole round and its totals are those of ROUND_END. */
  | { readonly type: 'installed' }
  | { readonly type: 'loaded' }
  | { readonly type: 'started' }
  /** The guest's time is over (`--run-for`). */
  | { readonly type: 'finished' }
  | { readonly type: 'fail'; readonly error: GodwitError }

export type DestinationEffect =
  | { readonly do: 'send'; readonly message: MessageName }
  | { readonly do: 'apply'; readonly message: Message }
  | { readonly do: 'reserve' }
  /** Compare the totals of the lanes with ROUND_END as soon as all barriers are there. */
  | { readonly do: 'install' }
  | { readonly do: 'load' }
  /** Write `prepared` with the next epoch; must be durable before the next effect. */
  | { readonly do: 'prepare' }
  /** Write `owner` with the next epoch, durable, then start the guest and its time, if limited. */
  | { readonly do: 'own-and-run' }
  | { readonly do: 'discard' }
  | { readonly do: 'refuse'; readonly error: GodwitError }
  | { readonly do: 'close' }

export interface DestinationTermsInForce {
  readonly mode: 'stop-copy' | 'pre-copy'
  readonly verify: boolean
  readonly final: boolean
}

export interface DestinationStep {
  readonly state: DestinationState
  readonly effects: readonly DestinationEffect[]
}

const to = (state: DestinationState, ...effects: DestinationEffect[]): DestinationStep => ({
  state,
  effects,
})
const send = (message: MessageName): DestinationEffect => ({ do: 'send', message })

/** Whether the guest was handed over: from here on it is never discarded. */
export function ownsGuest(state: DestinationState): boolean {
  return state.name === 'starting' || state.name === 'running' || state.name === 'completed'
}

/** Whether the loss of a data channel is a loss at all: after the last round it is not. */
export function awaitsPages(state: DestinationState): boolean {
  return state.name === 'reserved' || state.name === 'receiving'
}

export function isDestinationFinished(state: DestinationState): boolean {
  return state.name === 'completed' || state.name === 'discarded'
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
  if (event.type === 'fail') return failed(state, event.error)
  if (isDestinationFinished(state)) return to(state)
  if (event.type === 'message') return receive(state, event.message, terms)
  switch (event.type) {
    case 'reserved':
      if (state.name === 'reserving') {
        return to({ name: 'reserved', round: 0, switching: false }, send('Reserved'))
      }
      break
    case 'installed':
      if (state.name === 'receiving' && state.ended) {
        const { round, kind, stateArrived } = state
        if (stateArrived) return to({ name: 'loading' }, send('RoundAck'), { do: 'load' })
        return kind === 'final'
          ? to({ name: 'awaiting-state', round }, send('RoundAck'))
          : to({ name: 'reserved', round, switching: false }, send('RoundAck'))
      }
      break
    case 'loaded':
      if (state.name === 'loading')
        return to({ name: 'prepared' }, { do: 'prepare' }, send('Ready'))
      break
    case 'started':
      if (state.name === 'starting') {
        const running: DestinationState = { name: 'running', verified: false, final: false }
        return to(running, send('Running'))
      }
      break
    case 'finished':
      if (state.name === 'running') return to({ ...state, final: true }, send('Final'))
      break
  }
  throw new Error(`destination machine: ${event.type} in ${state.name}`)
}

function receive(
  state: DestinationState,
  message: Message,
  terms: DestinationTermsInForce,
): DestinationStep {
  const apply: DestinationEffect = { do: 'apply', message }
  if (message.name === 'Heartbeat') return to(state)
  if (message.name === 'Error') return to(state, apply)
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
      if (message.name === 'State') return to({ name: 'loading' }, apply, { do: 'load' })
      break
    case 'prepared':
      if (message.name === 'Commit') {
        // Before the state changes: a COMMIT that is not right hands nothing over.
        checkEpoch(message.body.epoch)
        return to({ name: 'starting' }, apply, { do: 'own-and-run' })
      }
      break
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
    case 'discarded':
      break
  }
  throw new ProtocolError(
    'PROTOCOL_STATE',
    `The source sent ${message.name} while the destination was ${state.name}`,
  )
}

function receiveBetweenRounds(
  state: DestinationState & { name: 'reserved' },
  message: Message,
  terms: DestinationTermsInForce,
): DestinationStep {
  const apply: DestinationEffect = { do: 'apply', message }
  if (message.name === 'SwitchOver' && !state.switching && message.body.round === state.round) {
    // In stop-copy mode there is no round before the pause; in pre-copy there must have been one.
    if (terms.mode === 'stop-copy' || state.round > 0) {
      return to({ ...state, switching: true }, apply, send('SwitchOverAck'))
    }
  }
  if (message.name === 'RoundBegin' && message.body.round === state.round + 1) {
    const { round, kind } = message.body
    const first = terms.mode === 'pre-copy' && state.round === 0
    const expected: RoundKind = state.switching ? 'final' : first ? 'full' : 'dirty'
    const allowed = terms.mode === 'pre-copy' || state.switching
    if (kind === expected && allowed) {
      return to({ name: 'receiving', round, kind, ended: false, stateArrived: false }, apply)
    }
  }
  throw new ProtocolError(
    'PROTOCOL_STATE',
    `The source sent ${message.name} out of order after round ${state.round}`,
  )
}

function failed(state: DestinationState, error: GodwitError): DestinationStep {
  if (isDestinationFinished(state)) return to(state)
  const leave: DestinationEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
  if (ownsGuest(state)) return to({ name: 'completed', error }, ...leave)
  return to({ name: 'discarded', error }, { do: 'discard' }, ...leave)
}
