/**
 * Deliberate mistakes, one by one, that the check has to find.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { PeerError } from '@godwit/core'
import type { SourceEffect, SourceStep } from '../../src/source-state.ts'
import { isRecovering } from '../../src/source-state.ts'
import type { Rules } from './rules.ts'
import { rules } from './rules.ts'
import type { Budget } from './system.ts'

export interface Mistake {
  readonly name: string
  readonly rules: Rules
  /** What has to happen for it to matter. */
  readonly budget: Partial<Budget>
  /** What the check says of it. */
  readonly found: string
  /** What comes of it, where the check of the order of writes is left out. */
  readonly leadsTo?: string
}

type StepSource = Rules['stepSource']
type StepDestination = Rules['stepDestination']

const commit: SourceEffect = { do: 'send', message: 'Commit' }
const resumed = (error: GodwitError): SourceStep => ({
  state: { name: 'failed', error },
  effects: [{ do: 'resume' }, { do: 'close' }],
})

const source = (mistaken: StepSource): Rules => ({ ...rules, stepSource: mistaken })
const destination = (mistaken: StepDestination): Rules => ({ ...rules, stepDestination: mistaken })

const commitsEarly: StepSource = (state, event, terms) => {
  const isLate = event.type === 'recorded' && state.name !== 'keeping'
  if (isLate || event.type === 'unrecorded') return { state, effects: [] }
  const step = rules.stepSource(state, event, terms)
  if (step.state.name !== 'releasing' || state.name !== 'preparing') return step
  const released = { ...step.state, name: 'released', epoch: 0 } as const
  return { state: released, effects: [...step.effects, commit] }
}

/** The guest goes on while `released` may be found in writing. */
const keepsNothing: StepSource = (state, event, terms) => {
  const isOver = event.type === 'fail' || event.type === 'unrecorded'
  if (state.name === 'releasing' && isOver) return resumed(event.error)
  return rules.stepSource(state, event, terms)
}

const takesUnknownForRefused: StepSource = (state, event, terms) => {
  const isUnknown = event.type === 'fail' && event.error.code === 'SESSION_UNKNOWN'
  if (isRecovering(state) && isUnknown) return resumed(event.error)
  return rules.stepSource(state, event, terms)
}

const doesNotAsk: StepSource = (state, event, terms) => {
  return rules.stepSource(state, event, { ...terms, asks: false })
}

const resumesInDoubt: StepSource = (state, event, terms) => {
  const step = rules.stepSource(state, event, terms)
  return step.state.name === 'in-doubt' ? resumed(step.state.error) : step
}

/** It hears that the destination has stopped, and takes that for a refusal in writing. */
const takesErrorForRefused: StepSource = (state, event, terms) => {
  const isTold = event.type === 'fail' && event.error instanceof PeerError
  if (state.name === 'released' && isTold) return resumed(event.error)
  return rules.stepSource(state, event, terms)
}

const discardsUnwritten: StepDestination = (state, event, terms) => {
  if (state.name !== 'prepared' || event.type !== 'fail') {
    return rules.stepDestination(state, event, terms)
  }
  return {
    state: { name: 'discarded', error: event.error },
    effects: [{ do: 'discard' }, { do: 'close' }],
  }
}

const runsEarly: StepDestination = (state, event, terms) => {
  if (state.name === 'owning' && event.type === 'started') return { state, effects: [] }
  const { state: next, effects } = rules.stepDestination(state, event, terms)
  const others = effects.filter((effect) => effect.do !== 'run')
  const isHeard = state.name === 'prepared' && next.name === 'owning'
  return { state: next, effects: isHeard ? [...others, { do: 'run' }] : others }
}

const ownsWhatItRefuses: StepDestination = (state, event, terms) => {
  const isCommit = event.type === 'message' && event.message.name === 'Commit'
  if (state.name !== 'refusing' || !isCommit) return rules.stepDestination(state, event, terms)
  const owning = { name: 'owning', round: 1, postCopy: false, again: undefined } as const
  return {
    state: { ...owning, failed: undefined },
    effects: [{ do: 'record', state: 'owner' }],
  }
}

/** READY goes out before `prepared` is durable. */
const readyEarly: StepDestination = (state, event, terms) => {
  if (state.name === 'prepared' && event.type === 'recorded') return { state, effects: [] }
  const step = rules.stepDestination(state, event, terms)
  if (step.state.name !== 'preparing') return step
  const ready = { do: 'send', message: 'Ready' } as const
  const prepared = { ...step.state, name: 'prepared', again: undefined } as const
  return { state: prepared, effects: [...step.effects, ready] }
}

const answering = (answer: Rules['answer']): Rules => ({ ...rules, answer })

export const mistakes: readonly Mistake[] = [
  {
    name: 'COMMIT is sent before `released` is durable',
    rules: source(commitsEarly),
    budget: {},
    found: 'COMMIT before `released` is durable',
  },
  {
    name: 'the guest goes on while `released` may be in writing',
    rules: source(keepsNothing),
    budget: { sourceCrashes: 1, failures: 1, cuts: 1 },
    found: 'the destination starts a guest that has gone on at the source',
  },
  {
    name: 'SESSION_UNKNOWN is taken for `refused`',
    rules: source(takesUnknownForRefused),
    budget: { cuts: 1, strangers: 1 },
    found: 'the source resumes after `released`, and `refused` is not durable',
    leadsTo: 'both sides run the guest',
  },
  {
    name: 'a source that is lost in `released` does not ask',
    rules: source(doesNotAsk),
    budget: { cuts: 1 },
    found: 'the source is in doubt, and did not give up',
  },
  {
    name: 'a source that gives up in doubt resumes',
    rules: source(resumesInDoubt),
    budget: { cuts: 1 },
    found: 'the source resumes after `released`, and `refused` is not durable',
    leadsTo: 'both sides run the guest',
  },
  {
    name: 'ERROR is taken for `refused`',
    rules: source(takesErrorForRefused),
    budget: { failures: 1 },
    found: 'the source resumes after `released`, and `refused` is not durable',
    leadsTo: 'both sides may run the guest',
  },
  {
    name: 'READY is sent before `prepared` is durable',
    rules: destination(readyEarly),
    budget: {},
    found: 'READY before `prepared` is durable',
  },
  {
    name: 'the destination discards in `prepared` and writes nothing',
    rules: destination(discardsUnwritten),
    budget: { sourceCrashes: 1 },
    found: 'a guest that could run is given up: lost',
  },
  {
    name: 'the guest runs before `owner` is durable',
    rules: destination(runsEarly),
    budget: { destinationCrashes: 1 },
    found: 'the destination runs before `owner` is durable',
    leadsTo: 'the source resumes a guest that has run at the destination',
  },
  {
    name: 'COMMIT is obeyed while `refused` is being written',
    rules: destination(ownsWhatItRefuses),
    budget: { cancels: 1 },
    found: 'the destination runs before `owner` is durable',
    leadsTo: 'the destination writes `owner` of what it has refused',
  },
  {
    name: '`prepared` is answered although `owner` is written',
    rules: answering((record, isAlive) => {
      return record === 'owner' ? 'prepared' : rules.answer(record, isAlive)
    }),
    budget: { cuts: 1 },
    found: 'OWNER prepared: owner is durable, running is here',
  },
  {
    name: '`refused` is answered before it is written',
    rules: answering((record, isAlive) => {
      return record === 'prepared' ? 'refused' : rules.answer(record, isAlive)
    }),
    budget: { destinationCrashes: 1 },
    found: 'OWNER refused: prepared is durable, none is here',
  },
  {
    name: 'a first connection that comes again begins anew',
    rules: { ...rules, mayBegin: () => true },
    budget: { destinationCrashes: 1, duplicates: 1 },
    found: 'a new session takes the place of `prepared`',
  },
  {
    name: 'a process that is started anew takes `prepared` for nothing',
    rules: answering((record, isAlive) => {
      return record === 'prepared' ? 'unknown' : rules.answer(record, isAlive)
    }),
    budget: { destinationCrashes: 1 },
    found: 'nothing fair leads to what was to be hoped for: one',
  },
  {
    name: 'a process that is started anew takes `owner` for a guest that runs',
    rules: answering((record) => (record === 'owner' ? 'running' : rules.answer(record, false))),
    budget: { destinationCrashes: 1 },
    found: 'OWNER running: owner is durable, none is here',
  },
]
