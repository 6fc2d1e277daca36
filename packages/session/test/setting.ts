/**
 * What a world is made with, and what its sides say. Bodies do not matter, but for rounds, epochs,
 * codes of errors and what is switched to.
 *
 * @module
 */
import type { Message, MessageName } from '@godwit/wire'
import type { DestinationEvent, DestinationState } from '../src/destination-state.ts'
import type { SourceTerms } from '../src/source-state.ts'
import { OWNER_EPOCH } from '../src/terms.ts'
import type { Side } from './connection.ts'

export interface Setting extends SourceTerms {
  /** The last round while the guest runs at the source, where the mode has such rounds. */
  readonly roundsMax: number
  /** What hybrid decides; the other modes leave no choice. */
  readonly postCopy: boolean
}

export const isPostCopy = ({ mode, postCopy }: Setting): boolean => {
  return mode === 'post-copy' || (mode === 'hybrid' && postCopy)
}

/** A message of `name`; what it needs of `more` is taken from there. */
export function compose(name: MessageName, round: number, more: object = {}): Message {
  const { kind, postCopy, code, owner, epoch: connection } = more as Record<string, unknown>
  const epoch = name === 'Resume' || name === 'Resumed' ? connection : OWNER_EPOCH
  return { name, body: { round, epoch, kind, postCopy, code, owner } } as unknown as Message
}

/** Pages are regions here, of one page each. */
export function lackingOf(page: number): Message {
  return { name: 'Lacking', body: { region: page, runs: new Uint8Array(8) } }
}

/** The next of them. */
export function messageOf(inbox: Message[]): { type: 'message'; message: Message } {
  return { type: 'message', message: inbox.shift()! }
}

/** What the source's stop rules say after `round`. */
export function decisionOf(setting: Setting, round: number): 'round' | 'switch-over' | 'post-copy' {
  if (round < setting.roundsMax) return 'round'
  return isPostCopy(setting) ? 'post-copy' : 'switch-over'
}

/** Whether a new control channel tells this side that the old one is lost. */
export function isAtWork(state: DestinationState): boolean {
  switch (state.name) {
    case 'prepared':
    case 'answering':
    case 'filling':
    case 'running':
    case 'resuming':
      return true
    default:
      return false
  }
}

/** Whether there is a reason to do this work yet. */
export function isTime(
  { state, connection }: Side<DestinationState, DestinationEvent>,
  event: DestinationEvent,
): boolean {
  // The guest's time may be over before its pages are there; nobody is told before they are.
  if (event.type === 'finished') {
    return state.name === 'running' || ('complete' in state && state.complete)
  }
  return event.type !== 'installed' || connection?.isDrained === true
}
