/**
 * All that can happen next.
 *
 * @module
 */
import { isDestinationFinished } from '../../src/destination-state.ts'
import { isDestinationRecovering, isHolding } from '../../src/destination-state.ts'
import { isFinished, isRecovering, mayTakeOver } from '../../src/source-state.ts'
import { crashDestination, crashSource, restartDestination, restartSource } from './crashes.ts'
import { tellDestination } from './destination-side.ts'
import { cancelled, lost, unwritable } from './errors.ts'
import { endWriteOfDestination, endWriteOfSource } from './disks.ts'
import { nextEpoch } from './epochs.ts'
import { addLineMoves } from './line-moves.ts'
import type { Plan } from './source-side.ts'
import { changeSource, tellSource } from './source-side.ts'
import type { Line, System } from './system.ts'

/** Something that can happen. */
export interface Move {
  readonly label: string
  /** It happens at last where nothing goes wrong any more. */
  readonly isFair: boolean
  apply(next: System): void
}

export function movesOf(system: System, plan: Plan): Move[] {
  const moves: Move[] = []
  addLineMoves(moves, system, plan)
  addSourceMoves(moves, system, plan)
  addDestinationMoves(moves, system, plan)
  addFaults(moves, system, plan)
  addWishes(moves, system, plan)
  return moves
}

function addSourceMoves(moves: Move[], { source, destination, budget }: System, plan: Plan): void {
  const add = (label: string, apply: (next: System) => void): void => {
    moves.push({ label: `source: ${label}`, isFair: true, apply })
  }
  const { process, machine, disk, isDialling } = source
  const [write] = disk.pending
  if (write !== undefined) {
    add(`\`${write.state}\` is durable`, (next) => endWriteOfSource(next, true, undefined, plan))
  }
  if (isDialling && destination.process === 'up') {
    add('dials, and gets through', (next) => dial(next, { toDestination: ['Preface'] }))
  }
  if (isDialling && destination.process === 'down' && process === 'up') {
    add('dials, and nobody listens', (next) =>
      tellSource(next, { type: 'fail', error: lost }, plan),
    )
  }
  if (isDialling && budget.strangers > 0) {
    const apply = (next: System): void => {
      next.spend('strangers')
      const toSource = ['Preface', 'Error SESSION_UNKNOWN']
      dial(next, { toSource, destination: 'closed' })
    }
    moves.push({ label: 'source: dials, and a stranger answers', isFair: false, apply })
  }
  if (process === 'up' && machine.name === 'paused') {
    add('tries again', (next) => tellSource(next, { type: 'reconnect' }, plan))
  }
  if (process === 'down' && disk.record === 'released') {
    add('is started anew and reads `released`', restartSource)
  }
}

function dial(next: System, given: Partial<Line>): void {
  const line = { epoch: nextEpoch(next), toSource: [], toDestination: [], isCut: false } as const
  const ends = { source: 'open', destination: 'dialled' } as const
  next.lines = [...next.lines, { ...line, ...ends, ...given }]
  changeSource(next, { isDialling: false })
  if (next.source.process === 'recovering') changeSource(next, { errand: 'greeting' })
}

function addDestinationMoves(moves: Move[], { destination }: System, plan: Plan): void {
  const add = (label: string, apply: (next: System) => void): void => {
    moves.push({ label: `destination: ${label}`, isFair: true, apply })
  }
  const [write] = destination.disk.pending
  if (write !== undefined) {
    add(`\`${write.state}\` is durable`, (next) => endWriteOfDestination(next, true, true, plan))
  }
  if (destination.isStarting) {
    add('the guest runs', (next) => {
      next.destination = { ...next.destination, isStarting: false }
      tellDestination(next, { type: 'started' }, plan)
    })
  }
  if (destination.process === 'down') add('is started anew', restartDestination)
}

/** What goes wrong of itself. */
function addFaults(moves: Move[], system: System, plan: Plan): void {
  const { source, destination, budget } = system
  const add = (label: string, what: keyof typeof budget, apply: (next: System) => void): void => {
    const spend = (next: System): void => {
      next.spend(what)
      apply(next)
    }
    moves.push({ label, isFair: false, apply: spend })
  }
  if (budget.sourceCrashes > 0 && source.process !== 'down') {
    for (let durable = 0; durable <= source.disk.pending.length; durable++) {
      const label = `source: dies${written(source.disk.pending, durable)}`
      add(label, 'sourceCrashes', (next) => crashSource(next, durable))
    }
  }
  if (budget.destinationCrashes > 0 && destination.process === 'up') {
    for (let durable = 0; durable <= destination.disk.pending.length; durable++) {
      const label = `destination: dies${written(destination.disk.pending, durable)}`
      add(label, 'destinationCrashes', (next) => crashDestination(next, durable))
    }
  }
  if (budget.failures === 0) return
  for (const isDurable of [false, true]) {
    const text = isDurable ? 'fails, and yet it is durable' : 'fails'
    const { pending } = source.disk
    if (pending.length > 0) {
      add(`source: writing \`${pending[0]!.state}\` ${text}`, 'failures', (next) => {
        endWriteOfSource(next, isDurable, unwritable, plan)
      })
    }
    const [there] = destination.disk.pending
    if (there === undefined) continue
    add(`destination: writing \`${there.state}\` ${text}`, 'failures', (next) => {
      endWriteOfDestination(next, isDurable, false, plan)
    })
  }
}

function written(pending: readonly { readonly state: string }[], durable: number): string {
  const states = pending.map(({ state }, at) => {
    return `\`${state}\` is ${at < durable ? 'durable' : 'lost'}`
  })
  return states.length === 0 ? '' : `, ${states.join(', ')}`
}

/** What users, operators and timers want. */
function addWishes(moves: Move[], system: System, plan: Plan): void {
  const { source, destination, budget } = system
  const add = (label: string, apply: (next: System) => void): void => {
    moves.push({ label, isFair: false, apply })
  }
  const cancel = { type: 'fail', error: cancelled } as const
  const isUp = source.process === 'up' && !isFinished(source.machine)
  if (isUp && budget.cancels > 0) {
    add('source: is cancelled', (next) => {
      next.spend('cancels')
      tellSource(next, cancel, plan)
    })
  }
  if (isUp && isRecovering(source.machine)) {
    add('source: gives up', (next) => tellSource(next, { type: 'give-up' }, plan))
  }
  const isDead = destination.guest === 'none' && destination.process === 'down'
  if (isUp && mayTakeOver(source.machine) && (isDead || source.machine.name === 'bereaved')) {
    add('source: takes over', (next) => tellSource(next, { type: 'take-over' }, plan))
  }
  const { machine } = destination
  if (machine === undefined || isDestinationFinished(machine)) return
  if (budget.cancels > 0) {
    add('destination: is cancelled', (next) => {
      next.spend('cancels')
      tellDestination(next, cancel, plan)
    })
  }
  if (isHolding(machine) || isDestinationRecovering(machine)) {
    add('destination: waits no longer', (next) => tellDestination(next, { type: 'give-up' }, plan))
  }
}
