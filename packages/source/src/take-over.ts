/**
 * The guest goes on at the source again, since the destination died while pages followed: from the
 * state in which it was handed over, or from the last complete checkpoint that came back.
 *
 * @module
 */
import { GodwitError } from '@godwit/core'
import { TAKEOVER_EPOCH } from '@godwit/session'
import type { SourceOptions } from './options.ts'
import type { Ownership } from './ownership.ts'
import type { SourceReport } from './source-report.ts'

/** What the source can go back to. */
export interface Checkpoints {
  /** @param handedOverMs - when the guest was stopped here */
  lastCheckpoint(handedOverMs: number): Checkpoint
  /** Pages that the guest has given up are zero from now on. */
  clearGivenUp(): void
  /** Brings the guest's memory there. */
  restoreMemory(): void
}

/** A state of the guest that the source can go back to. */
export interface Checkpoint {
  /** From 1; 0: as it was handed over, which is what the source's copy is. */
  readonly number: number
  /** When the guest was like that, by this side's clock. */
  readonly atMs: number
  /** Everything beside memory. Absent with number 0. */
  readonly package?: Uint8Array
}

/** The guest goes on from the last checkpoint. Never rejects. */
export async function takeOver(
  { guest, clock }: SourceOptions,
  report: SourceReport,
  checkpoints: Checkpoints,
  ownership: Ownership,
): Promise<void> {
  const checkpoint = checkpoints.lastCheckpoint(report.moments.pausedMs!)
  const ageMs = clock.nowMs() - checkpoint.atMs
  report.reach('takeover')
  try {
    await ownership.takeOver()
    checkpoints.clearGivenUp()
    if (checkpoint.package !== undefined) {
      checkpoints.restoreMemory()
      await guest.restoreState!(checkpoint.package)
    }
    const steps = guest.steps?.()
    const taken = { checkpoint: checkpoint.number, ageMs, epoch: TAKEOVER_EPOCH }
    await guest.resume()
    report.tookOver(steps === undefined ? taken : { ...taken, steps })
  } catch (thrown) {
    report.notResumed(thrown)
  }
}

/** Why not. */
export function noTakeover(isSuspended: boolean): GodwitError {
  const answers = 'The destination answers: it is not dead'
  return new GodwitError('TOO_LATE', isSuspended ? answers : 'The destination is not lost here')
}
