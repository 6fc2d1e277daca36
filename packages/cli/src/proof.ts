/**
 * The proof of continuity: how the guest ended at the destination, compared with a run of as many
 * steps that never moved.
 *
 * @module
 */
import type { Guest, Region } from '@godwit/core'
import { LimitError } from '@godwit/core'
import { WorkloadGuest, dropsOf, replay, stepsOf } from '@godwit/guest'
import type { SendOptions } from 'godwit'

/** A destination that claims more steps than this would keep us busy for hours. */
const replayStepsMax = 1e9

export interface Proof {
  readonly stepsBefore: number
  readonly stepsAfter: number
  readonly continuous: boolean
}

/** Of guests whose course can be run again. */
export function proofOf(guest: Guest): Pick<SendOptions, 'prove'> {
  if (!(guest instanceof WorkloadGuest)) return {}
  return { prove: (final, digestOf) => proveGuest(guest, final, digestOf) }
}

/**
 * Runs the guest anew from its beginning, in the memory of the source's copy, which verification
 * has found equal and nobody needs any more.
 */
export async function proveGuest(
  guest: WorkloadGuest,
  final: { readonly steps: number; readonly registers: Uint8Array; readonly digest: Uint8Array },
  digestOf: (regions: readonly Region[]) => Promise<Uint8Array>,
): Promise<Proof> {
  const stepsBefore = guest.steps()
  const stepsAfter = final.steps - stepsBefore
  const stepsPerThread = stepsOf(final.registers)
  const total = stepsPerThread.reduce((sum, steps) => sum + steps, 0)
  if (total !== final.steps || stepsAfter <= 0)
    return { stepsBefore, stepsAfter, continuous: false }
  if (total > replayStepsMax) {
    const facts = { limit: 'replayStepsMax', value: total, maximum: replayStepsMax }
    throw new LimitError('LIMIT_EXCEEDED', `The destination claims ${total} steps`, facts)
  }
  await guest.stop()
  const { identity, regions: memory } = guest
  const drops = dropsOf(
    identity,
    memory.map(({ bytes }) => bytes),
  )
  const { regions, registers } = await replay(identity, memory, stepsPerThread, drops)
  const digest = await digestOf(regions)
  const continuous = sameBytes(registers, final.registers) && sameBytes(digest, final.digest)
  return { stepsBefore, stepsAfter, continuous }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
