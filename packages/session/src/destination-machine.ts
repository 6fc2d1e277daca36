/**
 * The destination's side of a migration as a pure machine, the mirror image of
 * `source-machine.ts`.
 *
 * One owner: the guest runs only after COMMIT was received and `owner` was written. In post-copy it
 * runs before all of its pages are there.
 *
 * @module
 */
import type { GodwitError, MigrationMode } from '@godwit/core'
import { ProtocolError, hasRounds, mayPostCopy } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import type { RoundKind } from './source-machine.ts'
import { checkEpoch } from './terms.ts'

/** To what the source switches over: its last round, or a guest whose pages are to follow. */
export type Switching = 'no' | 'final' | 'post-copy'

/** The round of a guest that runs here before its pages are: the number, once it is known. */
interface PostCopy {
  readonly round: number
  readonly postCopy: boolean
}

export type DestinationState =
  | { readonly name: 'greeting' }
  | { readonly name: 'welcomed' }
  | { readonly name: 'reserving' }
  /** Between rounds; `round` is the last one acknowledged. */
  | { readonly name: 'reserved'; readonly round: number; readonly switching: Switching }
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
  | ({ readonly name: 'loading' } & PostCopy)
  /** READY is out. The guest must not run before COMMIT. */
  | ({ readonly name: 'prepared' } & PostCopy)
  | ({ readonly name: 'starting' } & PostCopy)
  /** The guest runs here, and pages that it lacks arrive. */
  | {
      readonly name: 'filling'
      readonly round: number
      /** ROUND_BEGIN and ROUND_END of the post-copy round arrived. */
      readonly begun: boolean
      readonly ended: boolean
    }
  /** The guest runs here. */
  | { readonly name: 'running'; readonly verified: boolean; readonly final: boolean }
  | { readonly name: 'completed'; readonly error: GodwitError | undefined }
  /** The guest is here and waits for pages that do not come. */
  | { readonly name: 'stranded'; readonly error: GodwitError }
  /** Nothing of the guest is left here. */
  | { readonly name: 'discarded'; readonly error: GodwitError }

export type DestinationEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'reserved' }
  /** Every channel delivered the whole round and its totals are those of ROUND_END. */
  | { readonly type: 'installed' }
  | { readonly type: 'loaded' }
  | { readonly type: 'started' }
  /** The guest's time is over (`--run-for`), and all of its pages are here. */
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
  readonly mode: MigrationMode
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
const running: DestinationState = { name: 'running', verified: false, final: false }
const loading = (round: number, postCopy: boolean): DestinationState => {
  return { name: 'loading', round, postCopy }
}

/** Whether the guest was handed over: from here on it is never discarded. */
export function ownsGuest(state: DestinationState): boolean {
  switch (state.name) {
    case 'starting':
    case 'filling':
    case 'running':
    case 'completed':
    case 'stranded':
      return true
    default:
      return false
  }
}

/** Whether the loss of a data channel is a loss at all: after the last round it is not. */
export function awaitsPages(state: DestinationState): boolean {
  switch (state.name) {
    case 'reserved':
    case 'receiving':
    case 'filling':
      return true
    case 'loading':
    case 'prepared':
    case 'starting':
      return state.postCopy
    default:
      return false
  }
}

export function isDestinationFinished(state: DestinationState): boolean {
  return state.name === 'completed' || state.name === 'discarded' || state.name === 'stranded'
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
        return to({ name: 'reserved', round: 0, switching: 'no' }, send('Reserved'))
      }
      break
    case 'installed':
      if (state.name === 'filling' && state.ended) return to(running, send('RoundAck'))
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
        return to({ ...state, name: 'prepared' }, { do: 'prepare' }, send('Ready'))
      break
    case 'started':
      if (state.name === 'starting') {
        const round = state.round + 1
        return state.postCopy
          ? to({ name: 'filling', round, begun: false, ended: false }, send('Running'))
          : to(running, send('Running'))
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
      if (message.name === 'State') return to(loading(state.round, false), apply, { do: 'load' })
      break
    case 'prepared':
      if (message.name === 'Commit') {
        // Before the state changes: a COMMIT that is not right hands nothing over.
        checkEpoch(message.body.epoch)
        return to({ ...state, name: 'starting' }, apply, { do: 'own-and-run' })
      }
      break
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
  throw unexpected(state, message)
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

/** Whether the guest runs, or is to run, before all of its pages are here. */
export function isPostCopy(state: DestinationState): boolean {
  return state.name === 'filling' || ('postCopy' in state && state.postCopy)
}

/** Whether pages of the next round may come once the message of this state is out. */
export function mayInstall(state: DestinationState): boolean {
  // Pages of a post-copy round come from READY on: before, they would be taken for others.
  if (state.name === 'reserved') return state.switching !== 'post-copy'
  return state.name !== 'loading' && awaitsPages(state)
}

/** Without rounds there is none before the pause; with them there must have been one. */
function maySwitch(mode: MigrationMode, round: number, next: Switching): boolean {
  const isTime = !hasRounds(mode) || round > 0
  return isTime && (next === 'post-copy' ? mayPostCopy(mode) : mode !== 'post-copy')
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
  throw unexpected(state, message)
}

function unexpected(state: DestinationState, message: Message): ProtocolError {
  return new ProtocolError(
    'PROTOCOL_STATE',
    `The source sent ${message.name} while the destination was ${state.name}`,
  )
}

function failed(state: DestinationState, error: GodwitError): DestinationStep {
  if (isDestinationFinished(state)) return to(state)
  const leave: DestinationEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
  const isIncomplete = state.name === 'filling' || (state.name === 'starting' && state.postCopy)
  if (isIncomplete) return to({ name: 'stranded', error }, ...leave)
  if (ownsGuest(state)) return to({ name: 'completed', error }, ...leave)
  return to({ name: 'discarded', error }, { do: 'discard' }, ...leave)
}
