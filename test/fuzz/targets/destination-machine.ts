/**
 * The destination's machine against a source that says anything: it runs what was given to it,
 * once, when that is in writing, and never throws away what it runs.
 *
 * @module
 */
import { GodwitError, TransportError } from '@godwit/core'
import type { DestinationEffect, DestinationEvent, DestinationState } from '@godwit/session'
import {
  isDestinationFinished,
  isDestinationRecovering,
  isHolding,
  isInterruptible,
  mayResume,
  ownsGuest,
  stepDestination,
} from '@godwit/session'
import type { Message } from '@godwit/wire'
import type { Setting } from '../../../packages/session/test/setting.ts'
import { must } from '../target.ts'
import type { Target } from '../target.ts'
import type { Expected, GuidedBench } from './machines.ts'
import { machineTarget, takeOne } from './machines.ts'

class DestinationBench implements GuidedBench {
  #state: DestinationState = { name: 'greeting' }
  #work: DestinationEvent[] = []
  #writing: 'prepared' | 'owner' | 'refused' | undefined
  #written: 'prepared' | 'owner' | 'refused' | undefined
  #diskIsFull = false
  #wasCommitted = false
  #runs = false
  #isClosed = false
  #epoch = 0
  #time: 'unlimited' | 'goes-on' | 'over' = 'unlimited'
  readonly #setting: Setting

  constructor(setting: Setting) {
    this.#setting = setting
  }

  get name(): string {
    return this.#state.name
  }

  work(choice: number): boolean {
    const event = takeOne(this.#work, choice)
    if (event?.type === 'recorded') this.#written = this.#writing
    if (event !== undefined) this.#step(event)
    return event !== undefined
  }

  hear(message: Message): void {
    if (this.#isClosed) return
    this.#wasCommitted ||= this.#state.name === 'prepared' && message.name === 'Commit'
    this.#step({ type: 'message', message })
  }

  wouldHear(message: Message): boolean {
    try {
      const event = { type: 'message', message } as const
      const { state, effects } = stepDestination(this.#state, event, this.#setting)
      return state !== this.#state || effects.length > 1
    } catch {
      return false
    }
  }

  fail(error: GodwitError): void {
    this.#step({ type: 'fail', error })
  }

  befall(choice: number): void {
    if (choice % 3 === 0) this.#reconnect()
    if (choice > 250) this.#diskIsFull = !this.#diskIsFull
    const waits = isDestinationRecovering(this.#state) || isHolding(this.#state)
    if (choice % 3 === 1 && waits) this.#step({ type: 'give-up' })
    const state = this.#state
    const isTime = state.name === 'running' || ('complete' in state && state.complete)
    if (choice % 3 === 2 && isTime && this.#time === 'goes-on' && !isDestinationFinished(state)) {
      this.#time = 'over'
      this.#step({ type: 'finished' })
    }
  }

  /** The source has dialled again, whether this side has noticed that it was lost or not. */
  #reconnect(): void {
    const error = new TransportError('CONNECTION_LOST', 'dialled again')
    if (isInterruptible(this.#state)) this.#step({ type: 'fail', error })
    if (!mayResume(this.#state)) return
    this.#isClosed = false
    this.#step({ type: 'reconnected', epoch: ++this.#epoch })
  }

  #step(event: DestinationEvent): void {
    const before = this.#state
    const { state, effects } = stepDestination(before, event, this.#setting)
    if (isDestinationFinished(before)) {
      must(state === before && effects.length === 0, 'the end is the end')
    }
    this.#state = state
    for (const effect of effects) this.#perform(effect)
    must(ownsGuest(state) || !ownsGuest(before), 'what it owns it keeps')
    must(ownsGuest(state) === this.#runs, 'it runs what it owns')
    must(!(isDestinationFinished(state) && !this.#isClosed), 'at its end it hangs up')
  }

  #perform(effect: DestinationEffect): void {
    const answers: Partial<Record<DestinationEffect['do'], DestinationEvent>> = {
      reserve: { type: 'reserved' },
      install: { type: 'installed' },
      load: { type: 'loaded' },
      run: { type: 'started' },
    }
    const answer = answers[effect.do]
    if (answer !== undefined) this.#work.push(answer)
    if (effect.do === 'send') must(!this.#isClosed, 'nothing is sent after the end')
    if (effect.do === 'record') this.#write(effect.state)
    if (effect.do === 'run') {
      must(this.#written === 'owner' && this.#wasCommitted, 'it runs upon COMMIT, in writing')
      must(!this.#runs, 'it runs once')
      this.#runs = true
      if (this.#setting.final) this.#time = 'goes-on'
    }
    if (effect.do === 'discard') must(!this.#runs, 'what runs is not discarded')
    if (effect.do === 'suspend' || effect.do === 'close') {
      this.#isClosed = true
      const stays: readonly string[] = ['started', 'recorded', 'unrecorded']
      this.#work = this.#work.filter(({ type }) => stays.includes(type))
    }
  }

  #write(state: 'prepared' | 'owner' | 'refused'): void {
    must(state !== 'refused' || !this.#runs, 'what runs is not refused')
    this.#writing = state
    const error = new GodwitError('FILE_UNWRITABLE', 'full')
    this.#work.push(this.#diskIsFull ? { type: 'unrecorded', error } : { type: 'recorded' })
  }
}

const waitsFor: Expected = {
  greeting: ['Hello'],
  welcomed: ['Reserve'],
  reserved: ['SwitchOver', 'RoundBegin', 'Discard', 'State'],
  receiving: ['RoundEnd', 'State'],
  'awaiting-state': ['State'],
  prepared: ['Commit'],
  answering: ['OwnerQuery'],
  filling: ['RoundBegin', 'RoundEnd'],
  running: ['Verify', 'End'],
  resuming: ['Resume'],
}

export const destinationMachine: Target = machineTarget(
  'destination-machine',
  (setting) => new DestinationBench(setting),
  waitsFor,
  ['discarded', 'completed', 'stranded', 'paused', 'running', 'filling', 'prepared'],
)
