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
  isHolding,
  mayResume,
  ownsGuest,
} from '../src/destination-state.ts'
import { stepSource } from '../src/source-machine.ts'
import type { SourceEffect, SourceEvent, SourceState } from '../src/source-state.ts'
import { isCancellable, isFinished, isRecovering, mayTakeOver } from '../src/source-state.ts'
import { Archive, Disk } from './archive.ts'
import type { Side } from './connection.ts'
import { Connection, checkNewest, leave } from './connection.ts'
import { Pages } from './pages.ts'
import type { Setting } from './setting.ts'
import { compose, decisionOf, isAtWork, isTime, lackingOf, messageOf } from './setting.ts'

const lost = (text = 'cut'): GodwitError => new TransportError('CONNECTION_LOST', text)

export class World {
  readonly source: Side<SourceState, SourceEvent>
  readonly target: Side<DestinationState, DestinationEvent>
  sourceRuns = true
  targetRuns = false
  released = false
  memoryKept = false
  /** What the destination has in writing, and who answers from it. */
  readonly archive: Archive = new Archive()
  /** It has no power, for good. */
  targetIsDead = false
  takenOver = false
  filled = false
  /** Every state that was seen: `source/target`. */
  readonly seen: Set<string> = new Set()
  readonly #setting: Setting
  #hasNetwork = true
  readonly #disks = { source: new Disk(), target: new Disk() }
  #epoch = 0
  #isDialling = false
  readonly pages: Pages = new Pages()

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
    if (this.archive.mayAnswer) turns.push(() => this.archive.answer(this.targetRuns))
    const ready = target.work.findIndex((event) => isTime(target, event))
    if (ready >= 0) turns.push(() => this.#tellTarget(target.work.splice(ready, 1)[0]!))
    const { connection: other } = target
    if (other !== undefined) {
      const inbox = other.toTarget
      if (inbox.length > 0) turns.push(() => this.#tellTarget(messageOf(inbox)))
      if (other.pages.length > 0) turns.push(() => this.pages.install(target.state, other))
      if (other.endsFor(inbox)) turns.push(this.#endAtTarget)
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

  /** It is told once, whatever comes of it. */
  readonly #endAtTarget = (): void => {
    leave(this.target)
    this.failTarget(lost())
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
    const { state } = this.target
    if (isDestinationRecovering(state) || isHolding(state)) this.#tellTarget({ type: 'give-up' })
  }

  /** The next write of this side comes to nothing. */
  spoil(side: 'source' | 'target'): void {
    this.#disks[side].failures += 1
  }

  /** The destination's host is gone, and its guest with it. */
  killTarget(): void {
    this.targetIsDead = true
    this.targetRuns = false
    leave(this.target)
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
    if (isAtWork(target.state)) this.failTarget(lost('the source dialled again'))
    if (isDestinationFinished(target.state)) {
      this.source.connection = this.archive.connect(this.#epoch)
      return this.#tellSource({ type: 'reconnected', epoch: this.#epoch })
    }
    if (!mayResume(target.state)) {
      return this.failSource(new PeerError('PROTOCOL_STATE', 'refused'))
    }
    if (target.connection !== undefined) throw new Error('suspended, and still connected')
    target.connection = new Connection(this.#epoch)
    this.#tellTarget({ type: 'reconnected', epoch: this.#epoch })
    this.source.connection = target.connection
    this.#tellSource({ type: 'reconnected', epoch: this.#epoch })
  }

  #tellSource(event: SourceEvent): void {
    const before = this.source.state
    if (isFinished(before) && event.type !== 'fail') return
    if (event.type === 'message') checkNewest(this.source, this.target)
    if (event.type === 'recorded') this.#disks.source.holds = true
    const { state, effects } = stepSource(before, event, this.#setting)
    this.source.state = state
    for (const effect of effects) this.#performSource(effect, before)
  }

  #tellTarget(event: DestinationEvent): void {
    const before = this.target.state
    if (event.type === 'recorded') this.archive.written()
    if (this.targetIsDead || (isDestinationFinished(before) && event.type !== 'fail')) return
    if (event.type === 'message') checkNewest(this.target, this.target)
    const { state, effects } = stepDestination(before, event, this.#setting)
    this.target.state = state
    for (const effect of effects) this.#performTarget(effect, before)
  }

  #post(from: Side<unknown, unknown>, message: Message): void {
    from.connection?.post(from === this.source ? 'toTarget' : 'toSource', message)
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
        const round = state.name === 'resuming' ? state.round : this.pages.round
        this.#post(this.source, compose(effect.message, round, state))
        if (effect.message === 'Resume') this.pages.toSend.clear()
        if (effect.message === 'Commit') this.released = this.#disks.source.mustHold()
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
        this.pages.discard()
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
        work.push(this.#disks.source.write())
        break
      case 'keep':
        this.#disks.source.holds = false
        break
      case 'digest':
        work.push({ type: 'digested' })
        break
      case 'prove':
        work.push({ type: 'proved' })
        break
      case 'resume':
        if (this.hasGuessed) throw new Error(`resumed after release, from ${before.name}`)
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
        leave(this.source)
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
    if (name === 'Lacking') this.pages.toSend.add(body.region)
  }

  #sendRound({ round, kind }: SourceEffect & { do: 'send-round' }): void {
    this.pages.round = round
    this.#post(this.source, compose('RoundBegin', round, { kind }))
    if (kind === 'post-copy') this.pages.send(this.source.connection)
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
      case 'record':
        this.archive.write(effect.state)
        work.push(this.#disks.target.write())
        break
      case 'run':
        if (this.archive.record !== 'owner') throw new Error('runs before it is written')
        if (!this.released) throw new Error('runs before the source let go')
        this.targetRuns = true
        work.push({ type: 'started' })
        if (this.#setting.final) work.push({ type: 'finished' })
        break
      case 'tell-lacking':
        for (const page of this.pages.lacking) this.#post(this.target, lackingOf(page))
        break
      case 'discard':
        if (this.targetRuns) throw new Error(`discarded what runs, from ${before.name}`)
        this.memoryKept = false
        break
      case 'refuse':
        this.#tellError(this.target, effect.error)
        break
      case 'suspend':
        if (!ownsGuest(this.target.state) && !isHolding(this.target.state)) {
          throw new Error(`paused without it, in ${before.name}`)
        }
        this.#dropInstalled()
        leave(this.target)
        break
      case 'close':
        leave(this.target)
        break
    }
  }

  #sendFromTarget(name: MessageName, before: DestinationState): void {
    const { state } = this.target
    if (name === 'Resumed' && state.name === 'filling') {
      const { epoch } = this.target.connection!
      return this.#post(this.target, compose(name, state.round, { epoch }))
    }
    const owner = state.name === 'prepared' ? 'prepared' : 'running'
    this.#post(this.target, compose(name, 'round' in before ? before.round : 0, { owner }))
    if (before.name !== 'filling' || name !== 'RoundAck') return
    if (this.pages.lacking.size > 0) throw new Error('acknowledged what did not come')
    this.filled = true
  }

  #applyAtTarget({ name, body }: Message): void {
    if (name === 'Error') this.failTarget(new PeerError(errorCodeOf(body.code), 'told'))
    if (name === 'Discard') this.pages.lack()
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

  /** It runs at the source that let it go, and the destination has not refused it. */
  get hasGuessed(): boolean {
    return this.sourceRuns && this.released && !this.takenOver && !this.archive.isRefused
  }

  get names(): readonly [string, string] {
    return [this.source.state.name, this.target.state.name]
  }
}
