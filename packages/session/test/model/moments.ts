/**
 * What must hold at every moment, and what is to be hoped for from it on.
 *
 * @module
 */
import { isDestinationFinished } from '../../src/destination-state.ts'
import { isCancellable, isFinished } from '../../src/source-state.ts'
import type { Plan } from './source-side.ts'
import type { System } from './system.ts'
import { insist } from './violation.ts'

/**
 * What comes of the guest when nothing goes wrong any more. `one`: exactly one side runs it.
 * `bereaved`: it died with the destination's process, and the source says so. `lost`: it died with
 * the source's process, or with both. `stranded`: it runs at the destination and waits for pages
 * that died with the source. `in-doubt`: the source gave up before it was answered. `any`: the
 * source cannot ask, and nothing is promised.
 */
export type Prospect = 'one' | 'bereaved' | 'lost' | 'stranded' | 'in-doubt' | 'any'

export function checkMoment({ source, destination, takenOver }: System): void {
  insist(!(source.runs && destination.guest === 'running'), 'both sides run the guest')
  if (takenOver) return
  const mayRunHere = source.process === 'up' && (source.runs || isCancellable(source.machine))
  const mayRunThere = destination.disk.record === 'owner'
  insist(!(mayRunHere && mayRunThere), 'both sides may run the guest')
}

/** Whether all of its pages are at the destination. */
export function isComplete({ destination: { machine } }: System, { terms }: Plan): boolean {
  if (terms.source.mode !== 'post-copy' || machine === undefined) return true
  if (machine.name === 'completed' || machine.name === 'running') return true
  return 'complete' in machine && machine.complete
}

export function prospectOf(system: System, plan: Plan): Prospect {
  const { source, destination } = system
  if (source.runs) return 'one'
  if (destination.guest === 'running') {
    if (isComplete(system, plan)) return 'one'
    const isLeft = destination.machine!.name === 'stranded'
    const isAlone = source.process !== 'up' || isFinished(source.machine)
    return isLeft || isAlone ? 'stranded' : 'one'
  }
  if (source.process !== 'up') return prospectWithout(system, plan)
  const { machine } = source
  if (isCancellable(machine)) return 'one'
  switch (machine.name) {
    case 'in-doubt':
      return 'in-doubt'
    case 'bereaved':
      return 'bereaved'
    case 'lost':
    case 'stranded':
    case 'completed':
      return 'lost'
    default:
      break
  }
  if (!plan.terms.source.asks || !plan.terms.source.recovers) return 'any'
  if (destination.guest === 'held') return 'one'
  const record = destination.process === 'up' ? destination.known : destination.disk.record
  return record === 'owner' ? 'bereaved' : 'one'
}

/** The source's process, and what it had of the guest, is dead. */
function prospectWithout({ source, destination, wentOn }: System, { terms }: Plan): Prospect {
  // What is held there is older than what died here.
  if (source.disk.record !== 'released' || wentOn) return 'lost'
  const { guest, machine } = destination
  const isHeld = guest === 'held' && machine !== undefined && !isDestinationFinished(machine)
  if (!isHeld || machine.name === 'refusing' || terms.source.mode === 'post-copy') return 'lost'
  if (source.errand.startsWith('told')) return 'any'
  return terms.destination.asks && terms.destination.recovers ? 'one' : 'any'
}

/** Whether it has come to what was to be hoped for. */
export function isSettled({ source, destination }: System, prospect: Prospect): boolean {
  const isOver = isFinished(source.machine) || source.process !== 'up'
  switch (prospect) {
    case 'one':
      return isOver && source.runs !== (destination.guest === 'running')
    case 'lost':
      if (source.process === 'up') return isOver
      return source.disk.record !== 'released' || source.errand.startsWith('told')
    case 'bereaved':
      return source.machine.name === 'bereaved'
    case 'stranded':
    case 'in-doubt':
    case 'any':
      return true
  }
}
