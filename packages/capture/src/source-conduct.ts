/**
 * Whether a source says what it may, when it may: its machine is fed with what it heard, and with
 * what it must have done before it said what it said.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { PeerError, ProtocolError, TransportError } from '@godwit/core'
import type { RoundKind, SourceEvent, SourceState, SourceTerms } from '@godwit/session'
import { checkEpoch, isFinished, isPushing, isRecovering, stepSource } from '@godwit/session'
import type { Message, MessageName } from '@godwit/wire'

/** Something that the source is to say next. */
interface Due {
  readonly name: MessageName
  readonly round?: number
  readonly kind?: RoundKind
}

/** Of one session. */
export class SourceConduct {
  terms: SourceTerms = {
    mode: 'pre-copy',
    verify: false,
    final: false,
    recovers: true,
    asks: false,
    // It may try again whatever it was told.
    keepsCheckpoints: true,
  }
  #state: SourceState = { name: 'idle' }
  #due: Due[] = []
  /** The last state in which the loss of the connection was none of the session. */
  #interruptible: SourceState | undefined
  /** The state in which it is not known here what came of COMMIT, or of READY; until it knows. */
  #doubt: SourceState | undefined

  get state(): SourceState {
    return this.#state
  }

  get isFinished(): boolean {
    return isFinished(this.#state)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it should not have */
  said(message: Message): void {
    if (message.name === 'Heartbeat') return
    if (message.name === 'Discard' && this.#mayDiscard) return
    while (this.#due.length === 0) {
      const event = eventBefore(this.#state, message)
      if (event === undefined) throw this.#unexpected(message)
      this.#step(event)
    }
    const due = this.#due.shift()!
    if (due.name !== message.name) throw this.#unexpected(message)
    if (message.name === 'RoundBegin') {
      const { round, kind } = message.body
      if (round !== due.round || kind !== due.kind) throw this.#unexpected(message)
    }
    if (message.name === 'Commit') checkEpoch(message.body.epoch)
    else if (message.name !== 'OwnerQuery') this.#doubt = undefined
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it should not have been told */
  heard(message: Message): void {
    if (message.name === 'Running') checkEpoch(message.body.epoch)
    this.#step({ type: 'message', message })
  }

  /** Its connection is over: it failed, or by what the destination said (`PeerError`). */
  lost(error: GodwitError): void {
    // Who says ERROR in the place of COMMIT has not let go.
    const isKept = this.#state.name === 'releasing' && !(error instanceof PeerError)
    if (isKept) this.#doubt = undefined
    this.#due = []
    this.#step({ type: 'fail', error })
    this.#due = []
  }

  /**
   * It says RESUME on a new connection. What it was told last on the one that was lost it may not
   * have heard: then it goes on from before.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`
   */
  resumed(message: Message & { readonly name: 'Resume' }): void {
    const { round } = message.body
    if (this.#state.name !== 'paused') {
      this.#state = this.#interruptible ?? this.#state
      this.lost(new TransportError('CONNECTION_LOST', 'The connection was lost'))
    }
    if (this.#state.name !== 'paused' || round > this.#state.round) {
      throw this.#unexpected(message)
    }
    this.#state = { ...this.#state, round }
    this.said(message)
  }

  /**
   * It asks whose the guest is, on a new connection: of what it was told since READY it has heard
   * nothing. COMMIT may be lost, too.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`
   */
  asked(message: Message & { readonly name: 'OwnerQuery' }, epoch: number): void {
    checkEpoch(message.body.epoch)
    if (this.#doubt === undefined) throw this.#unexpected(message)
    this.#state = this.#doubt
    if (this.#state.name === 'releasing') this.#step({ type: 'recorded' })
    this.lost(new TransportError('CONNECTION_LOST', 'The connection was lost'))
    if (this.#state.name !== 'paused') throw this.#unexpected(message)
    this.#step({ type: 'reconnect' })
    this.#step({ type: 'reconnected', epoch })
    this.said(message)
  }

  /** Pages that are lacking may be named from the answer to SWITCH_OVER to the state package. */
  get #mayDiscard(): boolean {
    const { name } = this.#state
    return name === 'discarding' || (name === 'pausing' && this.#state.postCopy)
  }

  #step(event: SourceEvent): void {
    const { state, effects } = stepSource(this.#state, event, this.terms)
    this.#state = state
    if (isPushing(state) || needsBothSides(state)) this.#interruptible = state
    if (state.name === 'releasing' || state.name === 'released') this.#doubt = state
    for (const effect of effects) {
      if (effect.do === 'send') this.#due.push({ name: effect.message })
      if (effect.do === 'send-round') {
        this.#due.push({ name: 'RoundBegin', round: effect.round, kind: effect.kind })
      }
    }
  }

  #unexpected({ name }: Message): ProtocolError {
    const text = `The source said ${name} while it was ${this.#state.name}`
    return new ProtocolError('PROTOCOL_STATE', text)
  }
}

function needsBothSides(state: SourceState): boolean {
  return isRecovering(state) || (state.name === 'released' && state.postCopy)
}

/** What must have happened to a source that has nothing to say, and says something. */
function eventBefore(state: SourceState, message: Message): SourceEvent | undefined {
  switch (state.name) {
    case 'idle':
      return { type: 'start' }
    case 'opening':
    case 'reopening':
      return { type: 'opened' }
    case 'sending':
    case 'sending-final':
    case 'pushing':
      return { type: 'sent' }
    case 'deciding':
      return { type: 'decided', next: decisionOf(message) }
    case 'pausing':
      return { type: 'paused' }
    case 'discarding':
      return { type: 'discarded' }
    case 'capturing':
      return { type: 'captured' }
    case 'releasing':
      return { type: 'recorded' }
    case 'verifying':
      return state.digested ? undefined : { type: 'digested' }
    case 'proving':
      return { type: 'proved' }
    case 'paused':
      return message.name === 'Resume' ? { type: 'reconnect' } : undefined
    case 'reconnecting':
      return message.name === 'Resume'
        ? { type: 'reconnected', epoch: message.body.epoch }
        : undefined
    default:
      return undefined
  }
}

function decisionOf(message: Message): 'round' | 'switch-over' | 'post-copy' {
  if (message.name !== 'SwitchOver') return 'round'
  return message.body.postCopy === true ? 'post-copy' : 'switch-over'
}
