/**
 * Whether a destination says what it may, when it may: the mirror image of `source-conduct.ts`.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { GodwitError as Failure, ProtocolError, TransportError } from '@godwit/core'
import type { DestinationEvent, DestinationState, DestinationTermsInForce } from '@godwit/session'
import { checkEpoch, isDestinationFinished, mayResume, stepDestination } from '@godwit/session'
import type { Message, MessageName } from '@godwit/wire'

/** Of one session. */
export class DestinationConduct {
  terms: DestinationTermsInForce = {
    mode: 'pre-copy',
    verify: false,
    final: false,
    recovers: true,
    asks: false,
  }
  #state: DestinationState = { name: 'greeting' }
  #due: MessageName[] = []
  /** Pages that it lacks are to be named. */
  #tellsLacking = false

  get state(): DestinationState {
    return this.#state
  }

  get isFinished(): boolean {
    return isDestinationFinished(this.#state)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it should not have */
  said(message: Message): void {
    const { name } = message
    if (name === 'Heartbeat' || (name === 'Lacking' && this.#tellsLacking)) return
    if (name === 'Final') return this.#saidFinal(message)
    while (this.#due.length === 0) {
      const event = eventBefore(this.#state)
      if (event === undefined) throw this.#unexpected(message)
      this.#attempt(event, message)
    }
    if (this.#due.shift() !== name) throw this.#unexpected(message)
    if (message.name === 'Ready') checkEpoch(message.body.epoch)
    if (message.name === 'Resumed') this.#saidResumed(message)
  }

  /** Rounds that were named on a connection that was lost may not have been heard of. */
  #saidResumed(message: Message & { readonly name: 'Resumed' }): void {
    const { round } = message.body
    this.#tellsLacking = false
    if (this.#state.name !== 'filling' || round < this.#state.round) throw this.#unexpected(message)
    this.#state = { ...this.#state, round }
  }

  /** The guest's time may be over before what else is to be said was heard of. */
  #saidFinal(message: Message): void {
    if (!this.#due.includes('Final')) this.#attempt({ type: 'finished' }, message)
    const index = this.#due.indexOf('Final')
    if (index < 0) throw this.#unexpected(message)
    this.#due.splice(index, 1)
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it should not have been told */
  heard(message: Message): void {
    this.#step({ type: 'message', message })
  }

  /** Its connection is over, for whatever reason. */
  lost(error: GodwitError): void {
    this.#step({ type: 'fail', error })
    this.#due = []
    this.#tellsLacking = false
  }

  /** It answers to RESUME on a new connection. @throws {ProtocolError} `PROTOCOL_STATE` */
  resumed(message: Message & { readonly name: 'Resume' }): void {
    if (this.#state.name !== 'paused') this.lost(new TransportError('CONNECTION_LOST', 'Lost'))
    if (this.#state.name === 'paused' && !this.#state.started) this.#step({ type: 'started' })
    if (!mayResume(this.#state)) {
      const text = `The destination resumed while it was ${this.#state.name}`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#step({ type: 'reconnected', epoch: message.body.epoch })
    this.heard(message)
  }

  /** What it must have done before it said something; where it cannot have, it should not have. */
  #attempt(event: DestinationEvent, message: Message): void {
    try {
      this.#step(event)
    } catch (thrown) {
      if (thrown instanceof Failure) throw thrown
      throw this.#unexpected(message)
    }
  }

  #step(event: DestinationEvent): void {
    const { state, effects } = stepDestination(this.#state, event, this.terms)
    this.#state = state
    for (const effect of effects) {
      if (effect.do === 'send') this.#due.push(effect.message)
      if (effect.do === 'tell-lacking') this.#tellsLacking = true
    }
  }

  #unexpected({ name }: Message): ProtocolError {
    const text = `The destination said ${name} while it was ${this.#state.name}`
    return new ProtocolError('PROTOCOL_STATE', text)
  }
}

/** What must have happened to a destination that has nothing to say, and says something. */
function eventBefore(state: DestinationState): DestinationEvent | undefined {
  switch (state.name) {
    case 'reserving':
      return { type: 'reserved' }
    case 'receiving':
    case 'filling':
      return { type: 'installed' }
    case 'loading':
      return { type: 'loaded' }
    case 'preparing':
    case 'owning':
      return { type: 'recorded' }
    case 'starting':
      return { type: 'started' }
    default:
      return undefined
  }
}
