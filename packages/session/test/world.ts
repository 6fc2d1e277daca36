/**
 * Both machines, the guest, its pages, and a network that may be cut: everything that two agents do
 * with effects, one event at a time in any order.
 *
 * @module
 */
import { GodwitError, PeerError, TransportError } from '@godwit/core'
import type { Message, MessageName } from '@godwit/wire'
import { errorCodeOf, errorNumbers } from '@godwit/wire'
import { stepDestination } from '../src/destination-machine.ts'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
} from '../src/destination-state.ts'
import {
  isDestinationFinished,
  isDestinationRecovering,
  mayInstall,
  mayResume,
  ownsGuest,
} from '../src/destination-state.ts'
import { stepSource } from '../src/source-machine.ts'
import type { SourceEffect, SourceEvent, SourceState } from '../src/source-state.ts'
import { isCancellable, isFinished, isRecovering, mayTakeOver } from '../src/source-state.ts'
import type { Side } from './connection.ts'
import { Connection } from './connection.ts'
import type { Setting } from './setting.ts'
import { allPages, compose, decisionOf, isTime, lackingOf, messageOf, roundOf } from './setting.ts'

const lost = (text = 'cut'): GodwitError => new TransportError('CONNECTION_LOST', text)

export class World {
  readonly source: Side<SourceState, SourceEvent>
  readonly target: Side<DestinationState, DestinationEvent>
  sourceRuns = true
  targetRuns = false
  released = false
  prepared = false
  memoryKept = false
  /** It has no power, for good. */
  targetIsDead = false
  takenOver = false
  /** Pages that the guest lacks while it runs; empty until it lacks any. */
  readonly lacking: Set<number> = new Set()
  discarded = false
  filled = false
  /** Every state that was seen: `source/target`. */
  readonly seen: Set<string> = new Set()
  readonly #setting: Setting
  #hasNetwork = true
  #epoch = 0
  #isDialling = false
  #sourceRound = 0
  /** What the source is to send in the next post-copy round. */
  #set = new Set<number>()

  constructor(setting: Setting) {
    this.#setting = setting
    const connection = new Connection(0)
    this.source = { state: { name: 'idle' }, work: [{ type: 'start' }], connection }
    this.target = { state: { name: 'greeting' }, work: [], connection }
  }

  /** One thing that can happen, chosen by `choice`; false when nothing can. */
  turn(choice: number): boolean {
    const turns = this.#turns()
    // In the end it is only time that passes until the next attempt.
    if (turns.length === 0 && this.#mayReconnect) turns.push(this.#reconnect)
    if (turns.length === 0) return false
    turns[choice % turns.length]!()
    this.seen.add(this.names.join('/'))
    return true
  }

  #turns(): (() => void)[] {
    const { source, target } = this
    const turns: (() => void)[] = []
    if (source.work.length > 0) turns.push(() => this.#tellSource(source.work.shift()!))
    if (this.#isDialling) turns.push(this.#arrive)
    this.#addSourceTurns(turns)
    if (this.targetIsDead) return turns
    const ready = target.work.findIndex((event) => isTime(target, event))
    if (ready >= 0) turns.push(() => this.#tellTarget(target.work.splice(ready, 1)[0]!))
    const { connection: other } = target
    if (other !== undefined) {
      const inbox = other.toTarget
      if (inbox.length > 0) turns.push(() => this.#tellTarget(messageOf(inbox)))
      if (other.pages.length > 0) turns.push(this.#install)
      if (other.endsFor(inbox)) turns.push(() => this.failTarget(lost()))
    }
    return turns
  }

  #addSourceTurns(turns: (() => void)[]): void {
    const { connection } = this.source
    if (connection === undefined) return
    const { toSource: inbox } = connection
    if (inbox.length > 0) turns.push(() => this.#tellSource(messageOf(inbox)))
    if (connection.endsFor(inbox)) turns.push(() => this.failSource(lost()))
  }

  /** An attempt that is made early, while old messages may still be there. */
  reconnectEarly(): void {
    if (this.#mayReconnect) this.#reconnect()
  }

  get #mayReconnect(): boolean {
    return this.source.state.name === 'paused' && this.source.work.length === 0
  }

  readonly #reconnect = (): void => this.#tellSource({ type: 'reconnect' })

  failSource(error: GodwitError): void {
    this.#tellSource({ type: 'fail', error })
  }

  failTarget(error: GodwitError): void {
    this.#tellTarget({ type: 'fail', error })
  }

  giveUpAtSource(): void {
    if (isRecovering(this.source.state)) this.#tellSource({ type: 'give-up' })
  }

  giveUpAtTarget(): void {
    if (isDestinationRecovering(this.target.state)) this.#tellTarget({ type: 'give-up' })
  }

  /** The destination's host is gone, and its guest with it. */
  killTarget(): void {
    this.targetIsDead = true
    this.targetRuns = false
    this.#leave(this.target)
  }

  /** The operator never vouches for what is not so. */
  takeOver(): void {
    const { state } = this.source
    if (this.targetIsDead && mayTakeOver(state)) this.#tellSource({ type: 'take-over' })
  }

  /** Messages on the way may arrive or not; nothing else does until {@link mend}. */
  cut(toSource: number, toTarget: number): void {
    this.#hasNetwork = false
    this.source.connection?.cut(toSource, toTarget)
    this.target.connection?.cut(toSource, toTarget)
  }

  mend(): void {
    this.#hasNetwork = true
  }

  /** The control channel that is being dialled gets where it should, or does not. */
  readonly #arrive = (): void => {
    this.#isDialling = false
    if (!this.#hasNetwork) return this.failSource(lost('no network'))
    if (this.targetIsDead) return this.failSource(lost('nobody is there'))
    const { target } = this
    if (isDestinationFinished(target.state)) return this.#refuse('SESSION_UNKNOWN')
    const { state } = target
    const isAtWork = state.name === 'filling' || state.name === 'running'
    if (isAtWork || state.name === 'resuming') this.failTarget(lost('the source dialled again'))
    if (!mayResume(target.state)) return this.#refuse('PROTOCOL_STATE')
    if (target.connection !== undefined) throw new Error('suspended, and still connected')
    const connection = new Connection(this.#epoch)
    target.connection = connection
    this.#tellTarget({ type: 'reconnected', epoch: this.#epoch })
    this.source.connection = connection
    this.#tellSource({ type: 'reconnected', epoch: this.#epoch })
  }

  #refuse(code: 'SESSION_UNKNOWN' | 'PROTOCOL_STATE'): void {
    this.failSource(new PeerError(code, 'refused'))
  }

  /** A page of the post-copy round arrives at the destination. */
  readonly #install = (): void => {
    const { state, connection } = this.target
    const [round, page] = connection!.pages.shift()!
    if (!mayInstall(state)) throw new Error(`a page came in ${state.name}`)
    if (!('round' in state) || round !== roundOf(state)) throw new Error(`a page of round ${round}`)
    if (!this.lacking.delete(page)) throw new Error(`page ${page} came twice`)
  }

  #tellSource(event: SourceEvent): void {
    const before = this.source.state
    if (isFinished(before) && event.type !== 'fail') return
    if (event.type === 'message') this.#checkEpoch(this.source)
    const { state, effects } = stepSource(before, event, this.#setting)
    this.source.state = state
    for (const effect of effects) this.#performSource(effect, before)
  }

  #tellTarget(event: DestinationEvent): void {
    const before = this.target.state
    if (this.targetIsDead || (isDestinationFinished(before) && event.type !== 'fail')) return
    if (event.type === 'message') this.#checkEpoch(this.target)
    const { state, effects } = stepDestination(before, event, this.#setting)
    this.target.state = state
    for (const effect of effects) this.#performTarget(effect, before)
  }

  /** Nothing is heard of a connection once a newer one was accepted on either side. */
  #checkEpoch({ connection }: Side<unknown, unknown>): void {
    const accepted = this.target.connection?.epoch ?? 0
    if (connection!.epoch < accepted) throw new Error(`heard ${connection!.epoch} of ${accepted}`)
  }

  #post(from: Side<unknown, unknown>, message: Message): void {
    const { connection } = from
    if (connection?.isWhole !== true) return
    const inbox = from === this.source ? connection.toTarget : connection.toSource
    inbox.push(message)
  }

  /** No more is read or sent here; the other side finds all channels closed. */
  #leave(side: Side<unknown, unknown>): void {
    if (side.connection !== undefined) side.connection.isClosed = true
    side.connection = undefined
  }

  #tellError(from: Side<unknown, unknown>, error: GodwitError): void {
    if (error instanceof PeerError) return
    this.#post(from, compose('Error', 0, { code: errorNumbers[error.code] }))
  }

  #performSource(effect: SourceEffect, before: SourceState): void {
    const { work } = this.source
    switch (effect.do) {
      case 'send': {
        const { state } = this.source
        const round = state.name === 'resuming' ? state.round : this.#sourceRound
        this.#post(this.source, compose(effect.message, round, state))
        if (effect.message === 'Resume') this.#set.clear()
        break
      }
      case 'apply':
        this.#applyAtSource(effect.message)
        break
      case 'open-channels':
        work.push({ type: 'opened' })
        break
      case 'send-round':
        this.#sendRound(effect)
        work.push({ type: 'sent' })
        break
      case 'decide':
        work.push({ type: 'decided', next: decisionOf(this.#setting, effect.round) })
        break
      case 'discard':
        this.discarded = true
        this.#set = allPages()
        this.#post(this.source, compose('Discard', effect.round))
        work.push({ type: 'discarded' })
        break
      case 'pause':
        this.sourceRuns = false
        work.push({ type: 'paused' })
        break
      case 'capture':
        work.push({ type: 'captured' })
        break
      case 'release':
        this.released = true
        break
      case 'digest':
        work.push({ type: 'digested' })
        break
      case 'prove':
        work.push({ type: 'proved' })
        break
      case 'resume':
        if (this.released) throw new Error(`resumed after release, from ${before.name}`)
        if (this.targetRuns) throw new Error(`resumed what runs there, from ${before.name}`)
        this.sourceRuns = true
        break
      case 'take-over':
        this.#runAgain()
        break
      case 'refuse':
        this.#tellError(this.source, effect.error)
        break
      case 'reconnect':
        this.#epoch += 1
        this.#isDialling = true
        break
      case 'suspend':
      case 'close':
        this.#isDialling = false
        this.#leave(this.source)
        break
    }
  }

  #runAgain(): void {
    const mayHear = this.source.connection !== undefined
    if (!this.released || !this.targetIsDead || mayHear) throw new Error('took over too early')
    this.sourceRuns = true
    this.takenOver = true
  }

  #applyAtSource({ name, body }: Message): void {
    if (name === 'Error') this.failSource(new PeerError(errorCodeOf(body.code), 'told'))
    if (name === 'Lacking') this.#set.add(body.region)
  }

  #sendRound({ round, kind }: SourceEffect & { do: 'send-round' }): void {
    this.#sourceRound = round
    this.#post(this.source, compose('RoundBegin', round, { kind }))
    if (kind !== 'post-copy') return
    const { connection } = this.source
    if (connection?.isWhole !== true) return
    for (const page of this.#set) connection.pages.push([round, page])
  }

  #performTarget(effect: DestinationEffect, before: DestinationState): void {
    const { work } = this.target
    switch (effect.do) {
      case 'send':
        this.#sendFromTarget(effect.message, before)
        break
      case 'apply':
        this.#applyAtTarget(effect.message)
        break
      case 'reserve':
        this.memoryKept = true
        work.push({ type: 'reserved' })
        break
      case 'install':
        work.push({ type: 'installed' })
        break
      case 'load':
        work.push({ type: 'loaded' })
        break
      case 'prepare':
        this.prepared = true
        break
      case 'own-and-run':
        if (!this.prepared) throw new Error('runs without having prepared')
        if (!this.released) throw new Error('runs before the source let go')
        this.targetRuns = true
        work.push({ type: 'started' })
        if (this.#setting.final) work.push({ type: 'finished' })
        break
      case 'tell-lacking':
        for (const page of this.lacking) this.#post(this.target, lackingOf(page))
        break
      case 'discard':
        if (this.targetRuns) throw new Error(`discarded what runs, from ${before.name}`)
        this.memoryKept = false
        break
      case 'refuse':
        this.#tellError(this.target, effect.error)
        break
      case 'suspend':
        if (!ownsGuest(this.target.state)) throw new Error(`paused without it, in ${before.name}`)
        this.#dropInstalled()
        this.#leave(this.target)
        break
      case 'close':
        this.#leave(this.target)
        break
    }
  }

  #sendFromTarget(name: MessageName, before: DestinationState): void {
    const { state } = this.target
    if (name === 'Resumed' && state.name === 'filling') {
      const { epoch } = this.target.connection!
      return this.#post(this.target, compose(name, state.round, { epoch }))
    }
    this.#post(this.target, compose(name, 'round' in before ? before.round : 0))
    if (before.name !== 'filling' || name !== 'RoundAck') return
    if (this.lacking.size > 0) throw new Error('acknowledged what did not come')
    this.filled = true
  }

  #applyAtTarget({ name, body }: Message): void {
    if (name === 'Error') this.failTarget(new PeerError(errorCodeOf(body.code), 'told'))
    if (name === 'Discard') for (const page of allPages()) this.lacking.add(page)
  }

  /** A round of the lost connection is not joined any more. */
  #dropInstalled(): void {
    const kept = this.target.work.filter(({ type }) => type !== 'installed')
    this.target.work.splice(0, this.target.work.length, ...kept)
  }

  /** At most one side may run the guest, now or at any later time without the other's word. */
  get owners(): number {
    const mayRunAtSource = this.sourceRuns || isCancellable(this.source.state)
    return (mayRunAtSource ? 1 : 0) + (this.targetRuns ? 1 : 0)
  }

  get names(): readonly [string, string] {
    return [this.source.state.name, this.target.state.name]
  }
}
