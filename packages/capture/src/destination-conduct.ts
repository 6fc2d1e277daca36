/**
 * Whether a destination says what it may, when it may: the mirror image of `source-conduct.ts`.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { CancelledError, GodwitError as Failure, ProtocolError, TransportError } from '@godwit/core'
import type { DestinationEvent, DestinationState, DestinationTermsInForce } from '@godwit/session'
import {
  checkEpoch,
  isDestinationFinished,
  isDestinationRecovering,
  mayResume,
  ownsGuest,
  stepDestination,
} from '@godwit/session'
import type { Message, MessageName } from '@godwit/wire'

type Question = Message & { readonly name: 'OwnerQuery' }

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
  /** READY is out, and nothing that says whose the guest is: COMMIT may not have come. */
  #prepared: DestinationState | undefined
  #hasRefused = false

  get state(): DestinationState {
    return this.#state
  }

  get isFinished(): boolean {
    return isDestinationFinished(this.#state)
  }

  /** Whether it may wait for a source that asks, whatever it seems to have heard. */
  get mayHold(): boolean {
    return this.#prepared !== undefined && this.terms.asks
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`: it should not have */
  said(message: Message): void {
    const { name } = message
    if (name === 'Heartbeat' || (name === 'Lacking' && this.#tellsLacking)) return
    if (name === 'StaticHeld' && this.#state.name === 'reserving') return
    if (name === 'Final') return this.#saidFinal(message)
    while (this.#due.length === 0) {
      const event = eventBefore(this.#state)
      if (event === undefined) throw this.#unexpected(message)
      this.#attempt(event, message)
    }
    if (this.#due.shift() !== name) throw this.#unexpected(message)
    if (message.name === 'Ready') checkEpoch(message.body.epoch)
    else if (!isPrepared(message)) this.#prepared = undefined
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

  /** Only a guest that runs lacks pages, be RUNNING out or not. */
  asksForPages(): void {
    if (this.#state.name !== 'owning') return
    this.#step({ type: 'recorded' })
    this.#prepared = undefined
  }

  /** Its connection is over: it failed, or by what the source said (`PeerError`). */
  lost(error: GodwitError): void {
    this.#step({ type: 'fail', error })
    this.#due = []
    this.#tellsLacking = false
  }

  /** It answers to RESUME on a new connection. @throws {ProtocolError} `PROTOCOL_STATE` */
  resumed(message: Message & { readonly name: 'Resume' }): void {
    if (this.#state.name !== 'paused') this.lost(new TransportError('CONNECTION_LOST', 'Lost'))
    this.#start()
    if (!mayResume(this.#state)) {
      const text = `The destination resumed while it was ${this.#state.name}`
      throw new ProtocolError('PROTOCOL_STATE', text)
    }
    this.#step({ type: 'reconnected', epoch: message.body.epoch })
    this.heard(message)
  }

  /**
   * It answers to OWNER_QUERY on a new connection: from its session where that goes on, else by
   * what was written.
   *
   * @throws {ProtocolError} `PROTOCOL_STATE`: that cannot be, after what it said and was told
   */
  answered(question: Question, epoch: number, answer: Message): void {
    if (answer.name !== 'Owner') throw this.#unexpected(answer)
    checkEpoch(answer.body.epoch)
    const { owner } = answer.body
    if (owner === 'prepared') this.#holds(question, epoch, answer)
    else if (owner === 'refused') this.#refuses(answer)
    else this.#owns(question, epoch, answer)
  }

  /** COMMIT did not arrive, or `owner` could not be written. */
  #holds(question: Question, epoch: number, answer: Message): void {
    this.#goBack(answer)
    this.lost(new TransportError('CONNECTION_LOST', 'Lost'))
    if (!mayResume(this.#state)) throw this.#unexpected(answer)
    this.#goOn(question, epoch, answer)
  }

  #refuses(answer: Message): void {
    if (this.#hasRefused) return
    this.#goBack(answer)
    this.lost(new CancelledError())
    this.#step({ type: 'recorded' })
    this.#prepared = undefined
    this.#hasRefused = true
  }

  /** The guest runs here, or did. */
  #owns(question: Question, epoch: number, answer: Message & { readonly name: 'Owner' }): void {
    if (this.#state.name === 'owning') this.#step({ type: 'recorded' })
    if (!ownsGuest(this.#state)) throw this.#unexpected(answer)
    this.lost(new TransportError('CONNECTION_LOST', 'Lost'))
    this.#start()
    if (answer.body.owner === 'running' && mayResume(this.#state)) {
      return this.#goOn(question, epoch, answer)
    }
    // Its session is over: nothing more comes of it but the same answer.
    if (isDestinationRecovering(this.#state)) this.#step({ type: 'give-up' })
    this.#prepared = undefined
  }

  /** Nothing that it was told since READY has reached it for good. */
  #goBack(answer: Message): void {
    if (this.#prepared === undefined) throw this.#unexpected(answer)
    this.#state = this.#prepared
  }

  #goOn(question: Question, epoch: number, answer: Message): void {
    this.#step({ type: 'reconnected', epoch })
    this.heard(question)
    this.said(answer)
  }

  /** The guest was to be started when the connection was lost. */
  #start(): void {
    if (this.#state.name === 'paused' && !this.#state.started) this.#step({ type: 'started' })
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
    if (state.name === 'prepared') this.#prepared = state
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

function isPrepared(message: Message): boolean {
  return message.name === 'Owner' && message.body.owner === 'prepared'
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
