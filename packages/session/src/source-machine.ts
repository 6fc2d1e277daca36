/**
 * The source's side of a migration as a pure machine: `step(state, event)` gives the next state and
 * effects as plain data. No sockets, timers or promises; the source agent performs the effects and
 * reports what came of them as events.
 *
 * One owner: the guest may be resumed in every state before `released`, and from it on only when
 * the destination has answered that it refused the guest for good. In post-copy the destination
 * runs it before all of its pages are there: from `released` until the last page was acknowledged
 * the guest needs both sides. `source-recovery.ts` has what follows when the connection is lost
 * then, or before RUNNING.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import {
  interrupted,
  interruptionOf,
  ranAgain,
  receiveInRecovery,
  stepRecovery,
} from './source-recovery.ts'
import type {
  SourceEffect,
  SourceEvent,
  SourceState,
  SourceStep,
  SourceTerms,
} from './source-state.ts'
import { isCancellable, isFinished, isGuestPaused, isRecovering } from './source-state.ts'
import { checkEpoch } from './terms.ts'
import { unexpected } from './unexpected.ts'

const to = (state: SourceState, ...effects: SourceEffect[]): SourceStep => ({ state, effects })
const send = (message: MessageName): SourceEffect => ({ do: 'send', message })

/**
 * The only function that decides what the source does next.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE` for a legal message in the wrong state. The agent feeds
 *   it back as a `fail` event.
 */
export function stepSource(state: SourceState, event: SourceEvent, terms: SourceTerms): SourceStep {
  if (event.type === 'fail') return failed(state, event.error, terms)
  if (isFinished(state)) return to(state)
  if (event.type === 'message') return receive(state, event.message, terms)
  if (event.type === 'unrecorded') return failed(state, event.error, terms)
  if (isRecovering(state)) return stepRecovery(state, event, terms)
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
    case 'keeping/kept':
      return kept(state as SourceState & { name: 'keeping' })
    case 'keeping/recorded':
      return to(state)
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
  if (state.name === 'releasing' && event.type === 'recorded') {
    return to({ ...state, name: 'released', epoch: 0 }, send('Commit'))
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
  if (isRecovering(state)) return receiveInRecovery(state, message)
  switch (state.name) {
    case 'greeting':
      if (message.name === 'Welcome') return to({ name: 'reserving' }, apply, send('Reserve'))
      break
    case 'reserving':
      if (message.name === 'StaticHeld') return to(state, apply)
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
        return to({ name: 'releasing', round, postCopy }, apply, { do: 'release' })
      }
      break
    default:
      return receiveAfterCommit(state, message, terms)
  }
  throw unexpected(message, 'source', state.name)
}

function receiveAfterCommit(state: SourceState, message: Message, terms: SourceTerms): SourceStep {
  const apply: SourceEffect = { do: 'apply', message }
  if (state.name === 'released' && message.name === 'Running') {
    if (!state.postCopy) return audit(apply, terms)
    if (state.epoch > 0) return to(ranAgain(state), apply, send('Resume'))
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
  throw unexpected(message, 'source', state.name)
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

function failed(state: SourceState, error: GodwitError, terms: SourceTerms): SourceStep {
  if (isFinished(state)) return to(state)
  const interruption = interruptionOf(state, terms)
  if (interruption !== undefined) return interrupted(state, interruption, error, terms)
  // By a record that said `released` a later process might start a guest that has gone on here.
  if (state.name === 'releasing') return to({ name: 'keeping', error }, { do: 'keep' })
  if (state.name === 'keeping') return to(state)
  const leave: SourceEffect[] = [{ do: 'refuse', error }, { do: 'close' }]
  if (isCancellable(state)) {
    const resume: SourceEffect[] = isGuestPaused(state) ? [{ do: 'resume' }] : []
    return to({ name: 'failed', error }, ...resume, ...leave)
  }
  if (state.name === 'released') return to({ name: 'in-doubt', error }, ...leave)
  // The destination runs the guest; only what comes after the hand-over is incomplete.
  return to({ name: 'completed', error }, ...leave)
}

function kept({ error }: SourceState & { name: 'keeping' }): SourceStep {
  return to({ name: 'failed', error }, { do: 'resume' }, { do: 'refuse', error }, { do: 'close' })
}
