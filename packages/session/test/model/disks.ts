/**
 * Writes that come to an end.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { answerAll, changeDestination, tellDestination } from './destination-side.ts'
import { unwritable } from './errors.ts'
import type { Plan } from './source-side.ts'
import { changeSource, tellSource } from './source-side.ts'
import type { Disk, System, Write } from './system.ts'
import { insist } from './violation.ts'

/** The first write is over. */
function ended({ record, pending }: Disk, isDurable: boolean): [Write, Disk] {
  const [write, ...rest] = pending
  return [write!, { record: isDurable ? write!.state : record, pending: rest }]
}

export function endWriteOfSource(
  next: System,
  isDurable: boolean,
  error: GodwitError | undefined,
  plan: Plan,
): void {
  const [{ by }, disk] = ended(next.source.disk, isDurable)
  changeSource(next, { disk })
  if (by === 'keeping') next.isUnkept = error !== undefined
  if (by === 'keeping') return tellSource(next, { type: 'kept' }, plan)
  tellSource(next, error === undefined ? { type: 'recorded' } : { type: 'unrecorded', error }, plan)
}

/** @param isTold - the process knows that it is durable; where not it may be in force or not */
export function endWriteOfDestination(
  next: System,
  isDurable: boolean,
  isTold: boolean,
  plan: Plan,
): void {
  const { disk: before, known } = next.destination
  const [{ state, by }, disk] = ended(before, isDurable)
  const isBack = before.record === 'refused' && state !== 'refused'
  insist(!isBack, `the destination writes \`${state}\` of what it has refused`)
  changeDestination(next, { disk, known: isTold ? state : known })
  if (by === 'agent') return answerAll(next, isTold)
  const event = isTold ? { type: 'recorded' } : { type: 'unrecorded', error: unwritable }
  tellDestination(next, event as { type: 'recorded' }, plan)
}
