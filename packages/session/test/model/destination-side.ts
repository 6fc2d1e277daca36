/**
 * The destination's process: the machine of its session, the guest and the disk, and the agent that
 * answers where no session goes on.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { isInterruptible } from '../../src/destination-recovery.ts'
import type {
  DestinationEffect,
  DestinationEvent,
  DestinationState,
} from '../../src/destination-state.ts'
import { isDestinationFinished, mayResume } from '../../src/destination-state.ts'
import { lost, toldBy } from './errors.ts'
import {
  change,
  closeAtDestination,
  encode,
  errorText,
  lineOfSession,
  ofRounds,
  postFromDestination,
} from './network.ts'
import type { Plan } from './source-side.ts'
import type { DestinationSide, System, Write } from './system.ts'
import { insist } from './violation.ts'

export function changeDestination(system: System, changes: Partial<DestinationSide>): void {
  system.destination = { ...system.destination, ...changes }
}

export function tellDestination(system: System, first: DestinationEvent, plan: Plan): void {
  const events: DestinationEvent[] = [first]
  for (let event = events.shift(); event !== undefined; event = events.shift()) {
    const before = system.destination.machine!
    const { rules, terms } = plan
    try {
      const { state, effects } = rules.stepDestination(before, event, terms.destination)
      changeDestination(system, { machine: state })
      for (const effect of effects) events.push(...perform(system, effect, before))
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown
      events.unshift({ type: 'fail', error: thrown })
    }
  }
}

function perform(
  system: System,
  effect: DestinationEffect,
  before: DestinationState,
): DestinationEvent[] {
  const line = lineOfSession(system)
  switch (effect.do) {
    case 'send':
      postFromDestination(system, line, messageText(system, effect, before))
      return []
    case 'apply':
      return apply(effect.message)
    case 'reserve':
      changeDestination(system, { guest: 'held' })
      return [{ type: 'reserved' }]
    case 'install':
      return [{ type: 'installed' }]
    case 'load':
      return [{ type: 'loaded' }]
    case 'record':
      write(system, { state: effect.state, by: 'machine' })
      return []
    case 'run':
      run(system)
      return []
    case 'discard':
      insist(system.destination.guest !== 'running', 'the destination discards what runs')
      changeDestination(system, { guest: 'none' })
      return []
    case 'tell-lacking':
      return []
    case 'refuse': {
      const text = errorText(effect.error)
      if (text !== undefined) postFromDestination(system, line, text)
      return []
    }
    case 'suspend':
    case 'close':
      closeAtDestination(system, line)
      return []
  }
}

function apply({ name, body }: Message): DestinationEvent[] {
  return name === 'Error' ? [{ type: 'fail', error: toldBy(body.code) }] : []
}

function write(system: System, what: Write): void {
  const { disk } = system.destination
  changeDestination(system, { disk: { ...disk, pending: [...disk.pending, what] } })
}

function run(system: System): void {
  const { guest, disk } = system.destination
  insist(!system.source.runs, 'both sides run the guest')
  insist(guest === 'held', 'the destination starts what it does not hold')
  system.insist(disk.record === 'owner', 'the destination runs before `owner` is durable')
  const mayBeOlder = system.wentOn && !system.isUnkept
  insist(!mayBeOlder, 'the destination starts a guest that has gone on at the source')
  changeDestination(system, { guest: 'running', isStarting: true })
  system.ranThere = true
}

function messageText(
  system: System,
  { message: name }: DestinationEffect & { do: 'send' },
  before: DestinationState,
): string {
  const { machine, disk } = system.destination
  const { record } = disk
  if (name === 'Ready') system.insist(record === 'prepared', 'READY before `prepared` is durable')
  if (name === 'Owner') {
    const owner = machine?.name === 'prepared' ? 'prepared' : 'running'
    const isTrue = owner === 'running' ? record === 'owner' : record !== 'refused'
    system.insist(isTrue, `OWNER ${owner}: ${record} is durable`)
    return encode(name, owner)
  }
  if (!ofRounds.has(name)) return name
  const at = name === 'Resumed' ? machine! : before
  return encode(name, 'round' in at ? at.round : '')
}

/** A control channel introduces itself. */
export function greet(system: System, index: number, plan: Plan): void {
  const { epoch } = system.lines[index]!
  const { machine, known, accepted } = system.destination
  if (machine === undefined || isDestinationFinished(machine)) {
    if (epoch === 0 && plan.rules.mayBegin(known) && machine === undefined) {
      begin(system)
      return answerPreface(system, index, 'session')
    }
    if (epoch === 0) return turnAway(system, index, 'SESSION_UNKNOWN')
    return answerPreface(system, index, 'agent')
  }
  if (epoch < accepted) return turnAway(system, index, 'EPOCH_STALE')
  if (epoch === accepted) return turnAway(system, index, 'PROTOCOL_STATE')
  if (isDialledAnew(machine)) {
    const own = system.lines[index]
    tellDestination(system, { type: 'fail', error: lost }, plan)
    return greetAgain(system, system.lines.indexOf(own!), plan)
  }
  if (!mayResume(machine)) return turnAway(system, index, 'PROTOCOL_STATE')
  changeDestination(system, { accepted: epoch })
  answerPreface(system, index, 'session')
  tellDestination(system, { type: 'reconnected', epoch }, plan)
}

/** Room is made for the record of a new session: what was there is gone. */
function begin(system: System): void {
  const { disk } = system.destination
  system.insist(disk.record === 'none', `a new session takes the place of \`${disk.record}\``)
  const anew = { known: 'none', disk: { ...disk, record: 'none' } }
  changeDestination(system, { machine: { name: 'greeting' }, accepted: 0, ...anew })
}

/** The connection before is lost; that was not yet known here. */
function greetAgain(system: System, index: number, plan: Plan): void {
  const { machine } = system.destination
  if (isDialledAnew(machine!)) return turnAway(system, index, 'PROTOCOL_STATE')
  greet(system, index, plan)
}

function isDialledAnew(machine: DestinationState): boolean {
  switch (machine.name) {
    case 'prepared':
    case 'answering':
    case 'running':
      return true
    default:
      return isInterruptible(machine)
  }
}

function answerPreface(system: System, index: number, destination: 'session' | 'agent'): void {
  postFromDestination(system, index, 'Preface')
  change(system, index, { destination })
}

type Refusal =
  | 'SESSION_UNKNOWN'
  | 'EPOCH_STALE'
  | 'PROTOCOL_STATE'
  | 'LOST_WITH_HOST'
  | 'FILE_UNWRITABLE'

function turnAway(system: System, index: number, code: Refusal): void {
  postFromDestination(system, index, encode('Error', code))
  closeAtDestination(system, index)
}

/** A message for the agent: it has no session, and a record. */
export function ask(system: System, index: number, text: string, { rules }: Plan): void {
  const { known, guest } = system.destination
  const answer = rules.answer(known, guest !== 'none')
  if (text === 'OwnerQuery') return answerQuery(system, index, answer)
  const isLost = text.startsWith('Resume') && answer === 'lost'
  turnAway(system, index, isLost ? 'LOST_WITH_HOST' : 'SESSION_UNKNOWN')
}

function answerQuery(
  system: System,
  index: number,
  answer: ReturnType<Plan['rules']['answer']>,
): void {
  if (answer === 'unknown') return turnAway(system, index, 'SESSION_UNKNOWN')
  if (answer !== 'refuse') {
    checkAnswer(system, answer)
    return postFromDestination(system, index, encode('Owner', answer))
  }
  change(system, index, { destination: 'asked' })
  const { pending } = system.destination.disk
  if (!pending.some(({ by }) => by === 'agent')) write(system, { state: 'refused', by: 'agent' })
}

function checkAnswer(system: System, answer: string): void {
  const { guest, disk } = system.destination
  const isSo: Record<string, boolean> = {
    running: guest === 'running',
    refused: disk.record === 'refused',
    prepared: disk.record !== 'owner',
  }
  system.insist(
    isSo[answer] ?? true,
    `OWNER ${answer}: ${disk.record} is durable, ${guest} is here`,
  )
}

/** The agent's write is over: everybody who has asked meanwhile is told. */
export function answerAll(system: System, isWritten: boolean): void {
  for (let index = system.lines.length - 1; index >= 0; index--) {
    if (system.lines[index]!.destination !== 'asked') continue
    change(system, index, { destination: 'agent' })
    if (isWritten) answerQuery(system, index, 'refused')
    else turnAway(system, index, 'FILE_UNWRITABLE')
  }
}
