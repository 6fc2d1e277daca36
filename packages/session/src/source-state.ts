/**
 * What the source's machine is made of: its states, the events that it is fed, the effects that it
 * asks for, and what can be said of a state.
 *
 * @module
 */
import type { GodwitError, MigrationMode } from '@godwit/core'
import { assertNever } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'

export type RoundKind = 'full' | 'dirty' | 'final' | 'post-copy'

interface HandingOver {
  /** The last one, the final round included. */
  readonly round: number
  /** All rounds are installed. */
  readonly acknowledged: boolean
  readonly postCopy: boolean
}

/** What is to be taken up again: pages that follow, or a hand-over whose end is not known. */
interface Interruption {
  /** The last round that was announced or, of post-copy, was about to be. */
  readonly round: number
  readonly postCopy: boolean
  /** RUNNING or RESUMED came: the destination has the guest for sure. */
  readonly committed: boolean
  /** What the connection was lost by. */
  readonly error: GodwitError
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
  /** READY came; `released` is being written. */
  | { readonly name: 'releasing'; readonly round: number; readonly postCopy: boolean }
  /** COMMIT is out. Only the destination may run the guest from here on. */
  | {
      readonly name: 'released'
      readonly round: number
      readonly postCopy: boolean
      /** Of the connection that COMMIT is out on; above 0 it has no channels for pages yet. */
      readonly epoch: number
    }
  /** The guest runs at the destination, and the pages that it lacks there follow. */
  | { readonly name: 'pushing'; readonly round: number }
  | { readonly name: 'pushed'; readonly round: number }
  /** Every channel is gone; the guest is the destination's for all that is known here. */
  | ({ readonly name: 'paused' } & Interruption)
  /** A new control channel is being dialled. */
  | ({ readonly name: 'reconnecting' } & Interruption)
  /** OWNER_QUERY is out, on the connection with this epoch. */
  | ({ readonly name: 'asking'; readonly epoch: number } & Interruption)
  /** The destination's process died with the guest: it is for an operator to decide. */
  | ({ readonly name: 'bereaved' } & Interruption)
  /** RESUME is out, on the connection with this epoch. */
  | ({ readonly name: 'resuming'; readonly epoch: number } & Interruption)
  /** RESUMED came; the other channels are being dialled. */
  | { readonly name: 'reopening'; readonly round: number; readonly error: GodwitError }
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
  /** The guest was the destination's, and died with its process there. */
  | { readonly name: 'lost'; readonly error: GodwitError }
  /** The destination is dead, as the operator vouches: the guest goes on here. */
  | { readonly name: 'taken-over'; readonly error: GodwitError }

export type RecoveringSource = Extract<
  SourceState,
  { readonly name: 'paused' | 'reconnecting' | 'asking' | 'bereaved' | 'resuming' | 'reopening' }
>

export type SourceEvent =
  | { readonly type: 'start' }
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'opened' }
  | { readonly type: 'sent' }
  | { readonly type: 'decided'; readonly next: 'round' | 'switch-over' | 'post-copy' }
  | { readonly type: 'paused' }
  | { readonly type: 'discarded' }
  | { readonly type: 'captured' }
  /** What was to be written is durable, or is not. */
  | { readonly type: 'recorded' }
  | { readonly type: 'unrecorded'; readonly error: GodwitError }
  | { readonly type: 'digested' }
  | { readonly type: 'proved' }
  | { readonly type: 'fail'; readonly error: GodwitError }
  /** It is time for another attempt; nothing of the lost connection is under way any more. */
  | { readonly type: 'reconnect' }
  /** The control channel with this epoch is open. */
  | { readonly type: 'reconnected'; readonly epoch: number }
  /** No further attempt; `error` where there is another reason than the loss. */
  | { readonly type: 'give-up'; readonly error?: GodwitError }
  /** The operator vouches that the destination is dead; where {@link mayTakeOver} only. */
  | { readonly type: 'take-over' }

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
  /** Write `released` with the next epoch: `recorded` when it is durable. */
  | { readonly do: 'release' }
  /** The guest is this side's again: write so, without waiting for it. */
  | { readonly do: 'keep' }
  | { readonly do: 'digest' }
  | { readonly do: 'prove' }
  | { readonly do: 'resume' }
  /** Close every channel, and see to `reconnect` or `give-up`. */
  | { readonly do: 'suspend'; readonly error: GodwitError }
  /** Dial the control channel with the next epoch. */
  | { readonly do: 'reconnect' }
  /** Own the guest again: go back to the last complete checkpoint, and resume. */
  | { readonly do: 'take-over' }
  /** Tell the peer why we stop, where it can still hear. */
  | { readonly do: 'refuse'; readonly error: GodwitError }
  | { readonly do: 'close' }

/** What the machine must know of the session's terms. */
export interface SourceTerms {
  readonly mode: MigrationMode
  readonly verify: boolean
  /** WELCOME announced FINAL. */
  readonly final: boolean
  /** Whether a connection that is lost after the hand-over is dialled again. */
  readonly recovers: boolean
  /** Capability `ownership` holds: the destination can be asked whose the guest is. */
  readonly asks: boolean
  /**
   * Whether a destination that has nothing to resume, or gave up, is waited out: it may have been
   * started anew, and the operator may take the guest over.
   */
  readonly keepsCheckpoints: boolean
}

export interface SourceStep {
  readonly state: SourceState
  readonly effects: readonly SourceEffect[]
}

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
    case 'releasing':
      return true
    case 'released':
    case 'pushing':
    case 'pushed':
    case 'paused':
    case 'reconnecting':
    case 'asking':
    case 'bereaved':
    case 'resuming':
    case 'reopening':
    case 'verifying':
    case 'awaiting-final':
    case 'proving':
    case 'ending':
    case 'completed':
    case 'failed':
    case 'stranded':
    case 'in-doubt':
    case 'lost':
    case 'taken-over':
      return false
    default:
      return assertNever(state)
  }
}

/** Whether the guest was asked to pause and has not been given away. */
export function isGuestPaused(state: SourceState): boolean {
  return (
    state.name === 'pausing' ||
    state.name === 'discarding' ||
    state.name === 'sending-final' ||
    state.name === 'capturing' ||
    state.name === 'preparing' ||
    state.name === 'releasing'
  )
}

/** Whether losing a data channel matters: after the last acknowledgement it does not. */
export function needsDataChannels(state: SourceState): boolean {
  if (state.name === 'capturing' || state.name === 'preparing') {
    return state.postCopy || !state.acknowledged
  }
  if (state.name === 'releasing') return state.postCopy
  if (state.name === 'released') return state.postCopy && state.epoch === 0
  return isCancellable(state) || isPushing(state) || state.name === 'reopening'
}

/** Whether the guest runs at the destination and still needs this side. */
export function isPushing(state: SourceState): boolean {
  return state.name === 'pushing' || state.name === 'pushed'
}

/** Whether the connection was lost after the hand-over, and nothing goes on: `give-up` is legal. */
export function isRecovering(state: SourceState): state is RecoveringSource {
  switch (state.name) {
    case 'paused':
    case 'reconnecting':
    case 'asking':
    case 'bereaved':
    case 'resuming':
    case 'reopening':
      return true
    default:
      return false
  }
}

/**
 * Whether `take-over` is legal: not where the destination has answered on a new connection, which
 * the dead do not.
 */
export function mayTakeOver(state: SourceState): boolean {
  return state.name === 'paused' || state.name === 'reconnecting' || state.name === 'bereaved'
}

export function isFinished(state: SourceState): boolean {
  switch (state.name) {
    case 'completed':
    case 'failed':
    case 'stranded':
    case 'in-doubt':
    case 'lost':
    case 'taken-over':
      return true
    default:
      return false
  }
}
