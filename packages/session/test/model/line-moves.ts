/**
 * What can happen to connections and to what is on its way on them.
 *
 * @module
 */
import { isFinished } from '../../src/source-state.ts'
import { ask, greet, tellDestination } from './destination-side.ts'
import { hearOnErrand, loseErrand } from './errand.ts'
import { lost } from './errors.ts'
import type { Move } from './moves.ts'
import { change, closeAtDestination, closeAtSource, decode } from './network.ts'
import type { Plan } from './source-side.ts'
import { tellSource } from './source-side.ts'
import type { Line, System } from './system.ts'

export function addLineMoves(moves: Move[], system: System, plan: Plan): void {
  system.lines.forEach((line, index) => {
    addHearing(moves, line, index, plan)
    if (system.destination.process === 'up') addHearingThere(moves, line, index, plan)
    addEnds(moves, line, index, plan)
    addBreaks(moves, system, line, index)
  })
}

function addHearing(moves: Move[], line: Line, index: number, plan: Plan): void {
  const { source, toSource, epoch } = line
  const [here] = toSource
  if (source === 'closed' || here === undefined) return
  const apply = (next: System): void => {
    change(next, index, { toSource: toSource.slice(1) })
    hearAtSource(next, here, epoch, plan)
  }
  moves.push({ label: `source: hears ${here}`, isFair: true, apply })
}

function addHearingThere(moves: Move[], line: Line, index: number, plan: Plan): void {
  const { destination, toDestination } = line
  const [there] = toDestination
  if (destination === 'closed' || there === undefined) return
  const apply = (next: System): void => {
    change(next, index, { toDestination: toDestination.slice(1) })
    hearAtDestination(next, index, there, plan)
  }
  moves.push({ label: `destination: hears ${there} (${destination})`, isFair: true, apply })
}

function hearAtSource(next: System, text: string, epoch: number, plan: Plan): void {
  const { process, machine } = next.source
  if (process === 'recovering') return hearOnErrand(next, text, plan)
  if (text !== 'Preface') {
    return tellSource(next, { type: 'message', message: decode(text, epoch) }, plan)
  }
  if (isFinished(machine)) return
  const event = machine.name === 'idle' ? { type: 'start' } : { type: 'reconnected', epoch }
  tellSource(next, event as { type: 'start' }, plan)
}

function hearAtDestination(next: System, index: number, text: string, plan: Plan): void {
  const { destination, epoch } = next.lines[index]!
  if (destination === 'dialled') return greet(next, index, plan)
  if (destination !== 'session') return ask(next, index, text, plan)
  tellDestination(next, { type: 'message', message: decode(text, epoch) }, plan)
}

/** A side finds that the other one has gone, or nothing comes through. */
function addEnds(moves: Move[], line: Line, index: number, plan: Plan): void {
  const { source, destination, toSource, toDestination, isCut } = line
  if (source === 'open' && (isCut || (destination === 'closed' && toSource.length === 0))) {
    const apply = (next: System): void => {
      if (next.source.process === 'recovering') return loseErrand(next)
      closeAtSource(next)
      tellSource(next, { type: 'fail', error: lost }, plan)
    }
    moves.push({ label: 'source: finds the connection lost', isFair: true, apply })
  }
  const hasEnded = source === 'closed' && toDestination.length === 0
  if (destination === 'closed' || (!isCut && !hasEnded)) return
  const apply = (next: System): void => {
    closeAtDestination(next, index)
    if (destination === 'session') tellDestination(next, { type: 'fail', error: lost }, plan)
  }
  moves.push({
    label: `destination: finds a connection lost (${destination})`,
    isFair: true,
    apply,
  })
}

function addBreaks(moves: Move[], { budget }: System, line: Line, index: number): void {
  const { toSource, toDestination, isCut } = line
  const isWhole = line.source === 'open' && line.destination !== 'closed'
  const isUsed = isWhole || toSource.length > 0 || toDestination.length > 0
  if (budget.cuts > 0 && !isCut && isUsed) {
    const apply = (next: System): void => {
      next.spend('cuts')
      change(next, index, { isCut: true })
    }
    moves.push({ label: 'the connection is cut', isFair: false, apply })
  }
  if (budget.duplicates === 0 || isCut || toDestination.length === 0) return
  const again = toDestination[0] === 'Preface' ? toDestination : ['Preface', ...toDestination]
  const twin: Line = {
    ...line,
    toSource: [],
    toDestination: again,
    source: 'closed',
    destination: 'dialled',
  }
  const dialTwice = (next: System): void => {
    next.spend('duplicates')
    next.lines = [...next.lines, twin]
  }
  moves.push({
    label: `a second connection brings ${again.join()}`,
    isFair: false,
    apply: dialTwice,
  })
  if (line.destination !== 'session') return
  const tellTwice = (next: System): void => {
    next.spend('duplicates')
    change(next, index, { toDestination: [toDestination[0]!, ...toDestination] })
  }
  moves.push({ label: `${toDestination[0]} comes twice`, isFair: false, apply: tellTwice })
}
