/**
 * The destination's machine against a source that says anything: it runs what was given to it, once,
 * and never throws away what it runs.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { TransportError } from '@godwit/core'
import type { DestinationEffect, DestinationEvent, DestinationState } from '@godwit/session'
import {
  isDestinationFinished,
  isDestinationRecovering,
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
  #heard: Message['name'] | undefined
  #isPrepared = false
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
    if (event !== undefined) this.#step(event)
    return event !== undefined
  }

  hear(message: Message): void {
    if (this.#isClosed) return
    this.#heard = message.name
    this.#step({ type: 'message', message })
    this.#heard = undefined
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
    this.#heard = undefined
    this.#step({ type: 'fail', error })
  }

  befall(choice: number): void {
    if (choice % 3 === 0) this.#reconnect()
    if (choice % 3 === 1 && isDestinationRecovering(this.#state)) this.#step({ type: 'give-up' })
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
      'own-and-run': { type: 'started' },
    }
    const answer = answers[effect.do]
    if (answer !== undefined) this.#work.push(answer)
    if (effect.do === 'send') must(!this.#isClosed, 'nothing is sent after the end')
    if (effect.do === 'prepare') {
      must(!this.#isPrepared, 'it prepares once')
      this.#isPrepared = true
    }
    if (effect.do === 'own-and-run') {
      must(this.#heard === 'Commit' && this.#isPrepared && !this.#runs, 'it runs upon COMMIT, once')
      this.#runs = true
      if (this.#setting.final) this.#time = 'goes-on'
    }
    if (effect.do === 'discard') must(!this.#runs, 'what runs is not discarded')
    if (effect.do === 'suspend' || effect.do === 'close') {
      this.#isClosed = true
      this.#work = this.#work.filter(({ type }) => type === 'started')
    }
  }
}

const waitsFor: Expected = {
  greeting: ['Hello'],
  welcomed: ['Reserve'],
  reserved: ['SwitchOver', 'RoundBegin', 'Discard', 'State'],
  receiving: ['RoundEnd', 'State'],
  'awaiting-state': ['State'],
  prepared: ['Commit'],
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
