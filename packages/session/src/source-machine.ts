/**
 * The source's side of a migration as a pure machine: `step(state, event)` gives the next state and
 * effects as plain data. No sockets, timers or promises; the source agent performs the effects and
 * reports what came of them as events.
 *
 * One owner: the guest may be resumed in every state before `released`, and never from it on. In
 * post-copy the destination runs it before all of its pages are there: from `released` until the
 * last page was acknowledged the guest needs both sides.
 *
 * @module
 */
import type { GodwitError, MigrationMode } from '@godwit/core'
import { ProtocolError, assertNever } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import { checkEpoch } from './terms.ts'

export type RoundKind = 'full' | 'dirty' | 'final' | 'post-copy'

interface HandingOver {
  /** The last one, the final round included. */
  readonly round: number
  /** All rounds are installed. */
  readonly acknowledged: boolean
  readonly postCopy: boolean
}

export type SourceState =
  | { readonly name: 'idle' }
  | { readonly name: 'greeting' }
  | { readonly name: 'reserving' }
  /** Channels for pages are being dialled. */
  | { readonly name: 'opening' }
  | { readonly name: 'sending'; readonly round: number; readonly kind: 'full' | 'dirty' }
  | { readonly name: 'acknowledging'; readonly round: number }
  /** The dirty pages are counted and the stop rules asked. */
  | { readonly name: 'deciding'; readonly round: number }
  | { readonly name: 'switching-over'; readonly round: number; readonly postCopy: boolean }
  | { readonly name: 'pausing'; readonly round: number; readonly postCopy: boolean }
  /** Guest paused, for post-copy; the pages that the destination lacks are listed. */
  | { readonly name: 'discarding'; readonly round: number }
  /** Guest paused; its last pages leave. */
  | { readonly name: 'sending-final'; readonly round: number }
  | ({ readonly name: 'capturing' } & HandingOver)
  /** State package sent; the destination loads it. */
  | ({ readonly name: 'preparing' } & HandingOver)
  /** COMMIT is out. Only the destination may run the guest from here on. */
  | { readonly name: 'released'; readonly round: number; readonly postCopy: boolean }
  /** The guest runs at the destination, and the pages that it lacks there follow. */
  | { readonly name: 'pushing'; readonly round: number }
  | { readonly name: 'pushed'; readonly round: number }
  | { readonly name: 'verifying'; readonly final: boolean; readonly digested: boolean }
  | { readonly name: 'awaiting-final' }
  | { readonly name: 'proving' }
  | { readonly name: 'ending' }
  | { readonly name: 'completed'; readonly error: GodwitError | undefined }
  /** The guest is, or goes on, at the source. */
  | { readonly name: 'failed'; readonly error: GodwitError }
  /** The guest waits at the destination for pages that only this side has. */
  | { readonly name: 'stranded'; readonly error: GodwitError }
  /** COMMIT was sent and no answer came: stay stopped, ask the peer, never guess. */
  | { readonly name: 'in-doubt'; readonly error: GodwitError }

export type SourceEvent =
  | { readonly type: 'start' }
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'opened' }
  | { readonly type: 'sent' }
  | { readonly type: 'decided'; readonly next: 'round' | 'switch-over' | 'post-copy' }
  | { readonly type: 'paused' }
  | { readonly type: 'discarded' }
  | { readonly type: 'captured' }
  | { readonly type: 'digested' }
  | { readonly type: 'proved' }
  | { readonly type: 'fail'; readonly error: GodwitError }

export type SourceEffect =
  | { readonly do: 'send'; readonly message: MessageName }
  | { readonly do: 'apply'; readonly message: Message }
  | { readonly do: 'open-channels' }
  | { readonly do: 'send-round'; readonly round: number; readonly kind: RoundKind }
  | { readonly do: 'decide'; readonly round: number }
  | { readonly do: 'pause' }
  /** Tell which pages the destination lacks, of which round `round` is. */
  | { readonly do: 'discard'; readonly round: number }
  | { readonly do: 'capture' }
  /** Write `released` with the next epoch; must be durable before the next effect. */
  | { readonly do: 'release' }
  | { readonly do: 'digest' }
  | { readonly do: 'prove' }
  | { readonly do: 'resume' }
  /** Tell the peer why we stop, where it can still hear. */
  | { readonly do: 'refuse'; readonly error: GodwitError }
  | { readonly do: 'close' }

/** What the machine must know of the session's terms. */
export interface SourceTerms {
  readonly mode: MigrationMode
  readonly verify: boolean
  /** WELCOME announced FINAL. */
  readonly final: boolean
}

export interface SourceStep {
  readonly state: SourceState
  readonly effects: readonly SourceEffect[]
}

const to = (state: SourceState, ...effects: SourceEffect[]): SourceStep => ({ state, effects })
const send = (message: MessageName): SourceEffect => ({ do: 'send', message })

/** States in which a cancel is honoured: all before COMMIT. */
export function isCancellable(state: SourceState): boolean {
  switch (state.name) {
    case 'idle':
    case 'greeting':
    case 'reserving':
    case 'opening':
    case 'sending':
    case 'acknowledging':
    case 'deciding':
    case 'switching-over':
    case 'pausing':
    case 'discarding':
    case 'sending-final':
    case 'capturing':
    case 'preparing':
      return true
    case 'released':
    case 'pushing':
    case 'pushed':
    case 'verifying':
    case 'awaiting-final':
    case 'proving':
    case 'ending':
    case 'completed':
    case 'failed':
    case 'stranded':
    case 'in-doubt':
      return false
    default:
      return assertNever(state)
  }
}

/** Whether the guest was asked to pause and has not been given away. */
export function isPaused(state: SourceState): boolean {
  return (
    state.name === 'pausing' ||
    state.name === 'discarding' ||
    state.name === 'sending-final' ||
    state.name === 'capturing' ||
    state.name === 'preparing'
  )
}

/** Whether losing a data channel matters: after the last acknowledgement it does not. */
export function needsDataChannels(state: SourceState): boolean {
  if (state.name === 'capturing' || state.name === 'preparing') {
    return state.postCopy || !state.acknowledged
  }
  if (state.name === 'released') return state.postCopy
  return isCancellable(state) || isPushing(state)
}

/** Whether the guest runs at the destination and still needs this side. */
export function isPushing(state: SourceState): boolean {
  return state.name === 'pushing' || state.name === 'pushed'
}

export function isFinished(state: SourceState): boolean {
  switch (state.name) {
    case 'completed':
    case 'failed':
    case 'stranded':
    case 'in-doubt':
      return true
    default:
      return false
  }
}

/**
 * The only function that decides what the source does next.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE` for a legal message in the wrong state. The agent feeds
 *   it back as a `fail` event.
 */
export function stepSource(state: SourceState, event: SourceEvent, terms: SourceTerms): SourceStep {
  if (event.type === 'fail') return failed(state, event.error)
  if (isFinished(state)) return to(state)
  if (event.type === 'message') return receive(state, event.message, terms)
  switch (`${state.name}/${event.type}`) {
    case 'idle/start':
      return to({ name: 'greeting' }, send('Hello'))
    case 'opening/opened':
      if (terms.mode === 'stop-copy') return switchOver(0, false)
      return terms.mode === 'post-copy' ? switchOver(0, true) : beginRound(1, 'full')
    case 'verifying/digested':
      return to(
        { ...(state as SourceState & { name: 'verifying' }), digested: true },
        send('Verify'),
      )
    case 'proving/proved':
      return to({ name: 'ending' }, send('End'))
    default:
      return stepRounds(state, event)
  }
}

function stepRounds(state: SourceState, event: SourceEvent): SourceStep {
  if (state.name === 'sending' && event.type === 'sent') {
    return to({ name: 'acknowledging', round: state.round }, send('RoundEnd'))
  }
  if (state.name === 'deciding' && event.type === 'decided') {
    return event.next === 'round'
      ? beginRound(state.round + 1, 'dirty')
      : switchOver(state.round, event.next === 'post-copy')
  }
  if (state.name === 'pausing' && event.type === 'paused') {
    const round = state.round + 1
    return state.postCopy
      ? to({ name: 'discarding', round: state.round }, { do: 'discard', round })
      : to({ name: 'sending-final', round }, { do: 'send-round', round, kind: 'final' })
  }
  if (state.name === 'discarding' && event.type === 'discarded') {
    const { round } = state
    const capturing = { name: 'capturing', round, acknowledged: true, postCopy: true } as const
    return to(capturing, { do: 'capture' })
  }
  if (state.name === 'sending-final' && event.type === 'sent') {
    const { round } = state
    const capturing = { name: 'capturing', round, acknowledged: false, postCopy: false } as const
    return to(capturing, send('RoundEnd'), { do: 'capture' })
  }
  if (state.name === 'pushing' && event.type === 'sent') {
    return to({ name: 'pushed', round: state.round }, send('RoundEnd'))
  }
  if (state.name === 'capturing' && event.type === 'captured') {
    return to({ ...state, name: 'preparing' }, send('State'))
  }
  throw new Error(`source machine: ${event.type} in ${state.name}`)
}

function switchOver(round: number, postCopy: boolean): SourceStep {
  return to({ name: 'switching-over', round, postCopy }, send('SwitchOver'))
}

function beginRound(round: number, kind: 'full' | 'dirty'): SourceStep {
  return to({ name: 'sending', round, kind }, { do: 'send-round', round, kind })
}

function receive(state: SourceState, message: Message, terms: SourceTerms): SourceStep {
  const apply: SourceEffect = { do: 'apply', message }
  if (message.name === 'Heartbeat') return to(state)
  if (message.name === 'Error') return to(state, apply)
  switch (state.name) {
    case 'greeting':
      if (message.name === 'Welcome') return to({ name: 'reserving' }, apply, send('Reserve'))
      break
    case 'reserving':
      if (message.name === 'Reserved')
        return to({ name: 'opening' }, apply, { do: 'open-channels' })
      break
    case 'acknowledging':
      if (message.name === 'RoundAck' && message.body.round === state.round) {
        const { round } = state
        return to({ name: 'deciding', round }, apply, { do: 'decide', round })
      }
      break
    case 'switching-over':
      if (message.name === 'SwitchOverAck') {
        return to({ ...state, name: 'pausing' }, apply, { do: 'pause' })
      }
      break
    case 'capturing':
    case 'preparing':
      if (
        message.name === 'RoundAck' &&
        message.body.round === state.round &&
        !state.acknowledged
      ) {
        return to({ ...state, acknowledged: true }, apply)
      }
      if (message.name === 'Ready' && state.name === 'preparing' && state.acknowledged) {
        // Before the state changes: after it the guest could not be resumed.
        checkEpoch(message.body.epoch)
        const { round, postCopy } = state
        const released: SourceState = { name: 'released', round, postCopy }
        return to(released, apply, { do: 'release' }, send('Commit'))
      }
      break
    default:
      return receiveAfterCommit(state, message, terms)
  }
  throw unexpected(state, message)
}

function receiveAfterCommit(state: SourceState, message: Message, terms: SourceTerms): SourceStep {
  const apply: SourceEffect = { do: 'apply', message }
  if (state.name === 'released' && message.name === 'Running') {
    if (!state.postCopy) return audit(apply, terms)
    const round = state.round + 1
    const push: SourceEffect = { do: 'send-round', round, kind: 'post-copy' }
    return to({ name: 'pushing', round }, apply, push)
  }
  if (
    state.name === 'pushed' &&
    message.name === 'RoundAck' &&
    message.body.round === state.round
  ) {
    return audit(apply, terms)
  }
  if (state.name === 'verifying') {
    if (message.name === 'Final' && terms.final && !state.final) {
      return to({ ...state, final: true }, apply)
    }
    if (message.name === 'Verified' && state.digested) {
      if (!terms.final) return to({ name: 'ending' }, apply, send('End'))
      return state.final
        ? to({ name: 'proving' }, apply, { do: 'prove' })
        : to({ name: 'awaiting-final' }, apply)
    }
  }
  if (state.name === 'awaiting-final' && message.name === 'Final') {
    return to({ name: 'proving' }, apply, { do: 'prove' })
  }
  if (state.name === 'ending' && message.name === 'EndAck') {
    return to({ name: 'completed', error: undefined }, apply, { do: 'close' })
  }
  throw unexpected(state, message)
}

/** The destination has all of the guest: verification, if agreed, and the end. */
function audit(apply: SourceEffect, terms: SourceTerms): SourceStep {
  if (terms.verify) {
    return to({ name: 'verifying', final: false, digested: false }, apply, { do: 'digest' })
  }
  return terms.final
    ? to({ name: 'awaiting-final' }, apply)
    : to({ name: 'ending' }, apply, send('End'))
}

function unexpected(state: SourceState, message: Message): ProtocolError {
  return new ProtocolError(
    'PROTOCOL_STATE',
    `The destination sent ${message.name} while the source was ${state.name}`,
  )
}

function failed(state: SourceState, error: GodwitError): SourceStep {
  if (isFinished(state)) return to(state)
  const leave: SourceEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
  if (isCancellable(state)) {
    const resume: SourceEffect[] = isPaused(state) ? [{ do: 'resume' }] : []
    return to({ name: 'failed', error }, ...resume, ...leave)
  }
  if (state.name === 'released') return to({ name: 'in-doubt', error }, ...leave)
  if (isPushing(state)) return to({ name: 'stranded', error }, ...leave)
  // The destination runs the guest; only what comes after the hand-over is incomplete.
  return to({ name: 'completed', error }, ...leave)
}
