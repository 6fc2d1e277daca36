/**
 * What the destination's machine is made of, the mirror image of `source-state.ts`.
 *
 * @module
 */
import type { GodwitError, MigrationMode } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import type { RoundKind } from './source-state.ts'

/** To what the source switches over: its last round, or a guest whose pages are to follow. */
export type Switching = 'no' | 'final' | 'post-copy'

/** The round of a guest that runs here before its pages are: the number, once it is known. */
interface PostCopy {
  readonly round: number
  readonly postCopy: boolean
}

/** A connection that was made after the first one was lost, by `error`. */
interface Again {
  readonly epoch: number
  readonly error: GodwitError
}

/** What post-copy is to be taken up again with. */
interface Interruption {
  /** The last post-copy round that the source may know of. */
  readonly round: number
  /** The guest runs. */
  readonly started: boolean
  /** All pages are here; it may be that the source did not hear of it. */
  readonly complete: boolean
  /** The guest's time is over: the source is told, or told again, once it knows the former. */
  readonly final: boolean
  /** What the connection was lost by. */
  readonly error: GodwitError
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
  /** Everything is here; `prepared` is being written. */
  | ({ readonly name: 'preparing' } & PostCopy)
  /** READY, or OWNER, is out. The guest must not run before COMMIT. */
  | ({ readonly name: 'prepared'; readonly again: Again | undefined } & PostCopy)
  /** READY is out, and the source is lost: it may be that the guest is handed over. */
  | ({ readonly name: 'holding'; readonly error: GodwitError } & PostCopy)
  /** A new control channel is there: OWNER_QUERY is to come. */
  | ({ readonly name: 'answering' } & Again & PostCopy)
  /** COMMIT came; `owner` is being written. */
  | ({
      readonly name: 'owning'
      readonly again: Again | undefined
      /** What happened meanwhile. */
      readonly failed: GodwitError | undefined
    } & PostCopy)
  /** Nobody shall start the guest here any more: `refused` is being written. */
  | { readonly name: 'refusing'; readonly error: GodwitError }
  | ({ readonly name: 'starting'; readonly again: Again | undefined } & PostCopy)
  /** The guest runs here, and pages that it lacks arrive. */
  | {
      readonly name: 'filling'
      readonly round: number
      /** ROUND_BEGIN and ROUND_END of the post-copy round arrived. */
      readonly begun: boolean
      readonly ended: boolean
      /** As in {@link Interruption}: in a recovery it may be that no page arrives any more. */
      readonly complete: boolean
      readonly final: boolean
    }
  /** The guest runs here, and all of its pages are here. */
  | {
      readonly name: 'running'
      readonly verified: boolean
      readonly final: boolean
      /** The last round in which pages came after the guest; undefined where none did. */
      readonly postCopyRound: number | undefined
    }
  /** Every channel is gone; the guest is this side's and may lack pages. */
  | ({ readonly name: 'paused' } & Interruption)
  /** The control channel with this epoch is there; RESUME is to come. */
  | ({ readonly name: 'resuming'; readonly epoch: number } & Interruption)
  | { readonly name: 'completed'; readonly error: GodwitError | undefined }
  /** The guest is here and waits for pages that do not come. */
  | { readonly name: 'stranded'; readonly error: GodwitError }
  /** Nothing of the guest is left here. */
  | { readonly name: 'discarded'; readonly error: GodwitError }

export type RecoveringDestination = Extract<
  DestinationState,
  { readonly name: 'paused' | 'resuming' }
>

export type DestinationEvent =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'reserved' }
  /** Every channel delivered the whole round and its totals are those of ROUND_END. */
  | { readonly type: 'installed' }
  | { readonly type: 'loaded' }
  /** What was to be written is durable, or is not. */
  | { readonly type: 'recorded' }
  | { readonly type: 'unrecorded'; readonly error: GodwitError }
  | { readonly type: 'started' }
  /** The guest's time is over (`--run-for`), and all of its pages are here. */
  | { readonly type: 'finished' }
  | { readonly type: 'fail'; readonly error: GodwitError }
  /** A control channel with this epoch came; see {@link mayResume}. */
  | { readonly type: 'reconnected'; readonly epoch: number }
  /** No longer waited for; `error` where there is another reason than the loss. */
  | { readonly type: 'give-up'; readonly error?: GodwitError }

export type DestinationEffect =
  | { readonly do: 'send'; readonly message: MessageName }
  | { readonly do: 'apply'; readonly message: Message }
  | { readonly do: 'reserve' }
  /** Compare the totals of the lanes with ROUND_END as soon as all barriers are there. */
  | { readonly do: 'install' }
  | { readonly do: 'load' }
  /** Write this with the next epoch: `recorded` when it is durable. */
  | { readonly do: 'record'; readonly state: 'prepared' | 'owner' | 'refused' }
  /** Start the guest, and its time if that is limited. */
  | { readonly do: 'run' }
  | { readonly do: 'discard' }
  /** Close every channel, let lanes finish, and see to `give-up`. */
  | { readonly do: 'suspend'; readonly error: GodwitError }
  /** Send LACKING for every page that is not installed. */
  | { readonly do: 'tell-lacking' }
  | { readonly do: 'refuse'; readonly error: GodwitError }
  | { readonly do: 'close' }

export interface DestinationTermsInForce {
  readonly mode: MigrationMode
  readonly verify: boolean
  readonly final: boolean
  /** Whether a source that is lost after READY is waited for. */
  readonly recovers: boolean
  /** Capability `ownership` holds: the source will ask whose the guest is. */
  readonly asks: boolean
}

export interface DestinationStep {
  readonly state: DestinationState
  readonly effects: readonly DestinationEffect[]
}

/** Whether the guest was handed over: from here on it is never discarded. */
export function ownsGuest(state: DestinationState): boolean {
  switch (state.name) {
    case 'starting':
    case 'filling':
    case 'running':
    case 'paused':
    case 'resuming':
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
    case 'preparing':
    case 'owning':
    case 'starting':
      return state.postCopy
    case 'prepared':
      return state.postCopy && state.again === undefined
    default:
      return false
  }
}

export function isDestinationFinished(state: DestinationState): boolean {
  return state.name === 'completed' || state.name === 'discarded' || state.name === 'stranded'
}

/** Whether post-copy was interrupted and is not going on yet: `give-up` is legal. */
export function isDestinationRecovering(state: DestinationState): state is RecoveringDestination {
  return state.name === 'paused' || state.name === 'resuming'
}

/** Whether the guest is here, and it is the source's to say whose it is: `give-up` is legal. */
export function isHolding(state: DestinationState): boolean {
  return state.name === 'holding' || state.name === 'answering'
}

/** Whether a control channel of a higher epoch may be accepted: `reconnected` is legal. */
export function mayResume(state: DestinationState): boolean {
  return state.name === 'holding' || (state.name === 'paused' && state.started)
}

/** Whether channels for pages may be dialled. */
export function awaitsChannels(state: DestinationState): boolean {
  if (state.name === 'filling') return !state.begun
  return state.name === 'reserved' && state.round === 0 && state.switching === 'no'
}

/** Whether the guest runs, or is to run, before all of its pages are here. */
export function isPostCopy(state: DestinationState): boolean {
  if (state.name === 'filling' || isDestinationRecovering(state)) return true
  return 'postCopy' in state && state.postCopy
}

/** Whether pages of the next round may come once the message of this state is out. */
export function mayInstall(state: DestinationState): boolean {
  // Pages of a post-copy round come from READY on: before, they would be taken for others.
  if (state.name === 'reserved') return state.switching !== 'post-copy'
  return state.name !== 'loading' && state.name !== 'preparing' && awaitsPages(state)
}
