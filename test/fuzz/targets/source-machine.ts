/**
 * The source's machine against a destination that says anything: it never resumes what it gave
 * away, and gives away only what stands still.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import type { SourceEffect, SourceEvent, SourceState } from '@godwit/session'
import { isCancellable, isFinished, isRecovering, mayTakeOver, stepSource } from '@godwit/session'
import type { Message } from '@godwit/wire'
import type { Setting } from '../../../packages/session/test/setting.ts'
import { decisionOf } from '../../../packages/session/test/setting.ts'
import { must } from '../target.ts'
import type { Target } from '../target.ts'
import type { Expected, GuidedBench } from './machines.ts'
import { machineTarget, takeOne } from './machines.ts'

class SourceBench implements GuidedBench {
  #state: SourceState = { name: 'idle' }
  #work: SourceEvent[] = [{ type: 'start' }]
  #runs = true
  /** COMMIT is out. */
  #isReleased = false
  /** The destination has said, of what was given to it, that it never starts it. */
  #isRefused = false
  #isRecorded = false
  #isTakenOver = false
  #diskIsFull = false
  #isClosed = false
  #epoch = 0
  readonly #setting: Setting

  constructor(setting: Setting) {
    this.#setting = setting
  }

  get name(): string {
    return this.#state.name
  }

  work(choice: number): boolean {
    const event = takeOne(this.#work, choice)
    if (event?.type === 'recorded') this.#isRecorded = true
    if (event !== undefined) this.#step(event)
    return event !== undefined
  }

  hear(message: Message): void {
    // Nobody is heard before he was dialled, or when he was hung up on.
    if (this.#state.name === 'idle' || this.#isClosed) return
    const isAnswer = this.#state.name === 'asking' && message.name === 'Owner'
    this.#isRefused = isAnswer && (message.body as { owner: string }).owner === 'refused'
    this.#step({ type: 'message', message })
  }

  wouldHear(message: Message): boolean {
    try {
      const { state, effects } = stepSource(
        this.#state,
        { type: 'message', message },
        this.#setting,
      )
      return state !== this.#state || effects.length > 1
    } catch {
      return false
    }
  }

  fail(error: GodwitError): void {
    this.#step({ type: 'fail', error })
  }

  befall(choice: number): void {
    const state = this.#state
    if (choice > 250) this.#diskIsFull = !this.#diskIsFull
    if (choice % 3 === 0 && state.name === 'paused') this.#step({ type: 'reconnect' })
    if (choice % 3 === 1 && isRecovering(state)) this.#step({ type: 'give-up' })
    if (choice % 3 === 2 && mayTakeOver(state)) {
      this.#isTakenOver = true
      this.#step({ type: 'take-over' })
    }
  }

  #step(event: SourceEvent): void {
    const before = this.#state
    const { state, effects } = stepSource(before, event, this.#setting)
    if (isFinished(before)) must(state === before && effects.length === 0, 'the end is the end')
    this.#state = state
    for (const effect of effects) this.#perform(effect)
    const mayRun = !this.#isReleased || this.#isTakenOver || this.#isRefused
    must(!this.#runs || mayRun, 'what was given away stands still')
    must(!(isCancellable(state) && this.#isReleased), 'what was given away is not taken back')
    must(!(isFinished(state) && !this.#isClosed), 'at its end it hangs up')
    if (state.name === 'failed') must(this.#runs, 'what stays goes on')
  }

  #perform(effect: SourceEffect): void {
    const answers: Partial<Record<SourceEffect['do'], SourceEvent>> = {
      'open-channels': { type: 'opened' },
      'send-round': { type: 'sent' },
      discard: { type: 'discarded' },
      pause: { type: 'paused' },
      capture: { type: 'captured' },
      digest: { type: 'digested' },
      prove: { type: 'proved' },
    }
    const answer = answers[effect.do]
    if (answer !== undefined) this.#work.push(answer)
    if (effect.do === 'send') this.#sent(effect.message)
    if (effect.do === 'decide') {
      this.#work.push({ type: 'decided', next: decisionOf(this.#setting, effect.round) })
    }
    if (effect.do === 'pause') this.#runs = false
    if (effect.do === 'release') {
      must(!this.#runs && !this.#isReleased, 'it gives away what stands still')
      const error = new GodwitError('FILE_UNWRITABLE', 'full')
      this.#work.push(this.#diskIsFull ? { type: 'unrecorded', error } : { type: 'recorded' })
    }
    if (effect.do === 'keep') {
      this.#isRecorded = false
      this.#work.push({ type: 'kept' })
    }
    if (effect.do === 'resume' || effect.do === 'take-over') {
      const isOwn = !this.#isReleased || this.#isRefused || effect.do === 'take-over'
      must(isOwn, 'it resumes what is its own')
      must(!this.#runs, 'it resumes what stands still')
      this.#runs = true
    }
    if (effect.do === 'suspend' || effect.do === 'close') this.#hangUp()
    if (effect.do === 'reconnect') {
      this.#isClosed = false
      this.#work.push({ type: 'reconnected', epoch: ++this.#epoch })
    }
  }

  #sent(message: Message['name']): void {
    must(!this.#isClosed, 'nothing is sent after the end')
    if (message !== 'Commit') return
    must(this.#isRecorded, 'it gives away in writing before it says so')
    this.#isReleased = true
  }

  #hangUp(): void {
    this.#isClosed = true
    this.#work = []
  }
}

const waitsFor: Expected = {
  greeting: ['Welcome'],
  reserving: ['Reserved'],
  acknowledging: ['RoundAck'],
  'switching-over': ['SwitchOverAck'],
  preparing: ['RoundAck', 'Ready'],
  released: ['Running'],
  pushed: ['RoundAck'],
  verifying: ['Final', 'Verified'],
  'awaiting-final': ['Final'],
  ending: ['EndAck'],
  asking: ['Owner'],
  resuming: ['Lacking', 'Resumed'],
}

export const sourceMachine: Target = machineTarget(
  'source-machine',
  (setting) => new SourceBench(setting),
  waitsFor,
  ['failed', 'completed', 'in-doubt', 'stranded', 'taken-over', 'paused', 'asking', 'released'],
)
