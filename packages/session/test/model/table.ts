/**
 * What becomes of a guest when something is lost, by the phase in which it is: found out by the
 * model, for the table in `docs/OWNERSHIP.md`.
 *
 * @module
 */
import { isCancellable } from '../../src/source-state.ts'
import { crashDestination, crashSource } from './crashes.ts'
import { renumber } from './epochs.ts'
import { isComplete } from './moments.ts'
import type { Move } from './moves.ts'
import { movesOf } from './moves.ts'
import { change } from './network.ts'
import type { Plan } from './source-side.ts'
import type { Budget } from './system.ts'
import { System } from './system.ts'

const nothing: Budget = {
  sourceCrashes: 0,
  destinationCrashes: 0,
  cuts: 0,
  failures: 0,
  cancels: 0,
  duplicates: 0,
  strangers: 0,
}

const phases = [
  'before `prepared`',
  '`prepared` at the destination',
  '`released` is being written',
  '`released` at the source',
  '`owner` at the destination',
  'RUNNING was heard, pages follow',
  'all of it is there',
] as const
type Phase = (typeof phases)[number]

function phaseOf(system: System, plan: Plan): Phase {
  const { source, destination } = system
  const { name } = source.machine
  if (name === 'releasing') return '`released` is being written'
  const record = destination.disk.record
  if (isCancellable(source.machine)) {
    return record === 'none' ? 'before `prepared`' : '`prepared` at the destination'
  }
  if (name === 'released') {
    return record === 'owner' ? '`owner` at the destination' : '`released` at the source'
  }
  return isComplete(system, plan) ? 'all of it is there' : 'RUNNING was heard, pages follow'
}

/** Every moment that `allowed` moves lead to. */
function reach(
  starts: readonly System[],
  plan: Plan,
  allowed: (move: Move) => boolean,
  visit: (system: System, isLast: boolean) => void,
): void {
  const known = new Set<string>()
  const queue = [...starts]
  for (let system = queue.pop(); system !== undefined; system = queue.pop()) {
    if (known.has(system.key)) continue
    known.add(system.key)
    const moves = movesOf(system, plan).filter(allowed)
    visit(system, moves.length === 0)
    for (const move of moves) queue.push(after(system, (next) => move.apply(next)))
  }
}

function after(system: System, apply: (next: System) => void): System {
  const next = system.copy()
  apply(next)
  renumber(next)
  return next
}

function cut(next: System): void {
  for (let index = next.lines.length - 1; index >= 0; index--) change(next, index, { isCut: true })
}

interface Loss {
  readonly name: string
  /** How it may begin. */
  starts(system: System): System[]
  allowed(move: Move): boolean
}

const isFair = (move: Move): boolean => move.isFair
const sourceDies = (system: System): System[] => {
  const counts = [...system.source.disk.pending.keys(), system.source.disk.pending.length]
  return counts.map((durable) => after(system, (next) => crashSource(next, durable)))
}
const destinationDies = (system: System): System[] => {
  const { pending } = system.destination.disk
  const counts = [...pending.keys(), pending.length]
  return counts.map((durable) => after(system, (next) => crashDestination(next, durable)))
}

const losses: readonly Loss[] = [
  { name: 'network, for a while', starts: (system) => [after(system, cut)], allowed: isFair },
  {
    name: 'network, for good',
    starts: (system) => [after(system, cut)],
    allowed: ({ label, isFair: fair }) =>
      label.endsWith('gives up') ||
      label.endsWith('waits no longer') ||
      (fair && !label.endsWith('gets through')),
  },
  { name: 'source', starts: sourceDies, allowed: isFair },
  { name: 'destination', starts: destinationDies, allowed: isFair },
  {
    name: 'both',
    starts: (system) => sourceDies(system).flatMap(destinationDies),
    allowed: isFair,
  },
]

function ownerOf(system: System, plan: Plan): string {
  if (system.source.runs) return 'source'
  if (system.destination.guest !== 'running') return 'nobody'
  return isComplete(system, plan) ? 'destination' : 'destination, lacking pages'
}

/** What the source says; of a process that died, the one that is started after it. */
function wordOf({ source }: System): string {
  const { process, machine, errand } = source
  if (process === 'recovering') return `recovery: ${errand.replace('told ', '')}`
  if (process === 'down') return 'nothing to recover'
  switch (machine.name) {
    case 'failed':
      return `\`${machine.error.code}\``
    case 'completed':
      return machine.error === undefined ? 'done' : '`VERIFY_INCOMPLETE`'
    case 'bereaved':
      return '`LOST_WITH_HOST`'
    case 'in-doubt':
      return '`OWNERSHIP_IN_DOUBT`'
    case 'stranded':
      return '`POST_COPY_LOST`'
    default:
      return machine.name
  }
}

/** A table: phase, what is lost, who runs the guest then and what is said. */
export function tableOf(plan: Plan): string {
  const moments = new Map<Phase, System[]>(phases.map((phase) => [phase, []]))
  reach([System.begin(nothing, true)], plan, isFair, (system, isLast) => {
    if (!isLast) moments.get(phaseOf(system, plan))!.push(system)
  })
  const rows = phases
    .filter((phase) => moments.get(phase)!.length > 0)
    .flatMap((phase) => losses.map((loss) => rowOf(phase, loss, moments.get(phase)!, plan)))
  return ['| phase | lost | who runs the guest: what is said |', '|---|---|---|', ...rows].join(
    '\n',
  )
}

function rowOf(phase: Phase, loss: Loss, moments: readonly System[], plan: Plan): string {
  const starts = moments.flatMap((system) => loss.starts(system))
  const ends = new Set<string>()
  reach(
    starts,
    plan,
    (move) => loss.allowed(move),
    (system, isLast) => {
      if (isLast) ends.add(`${ownerOf(system, plan)}: ${wordOf(system)}`)
    },
  )
  return `| ${phase} | ${loss.name} | ${[...ends].sort().join('; ')} |`
}
