/**
 * The oracle: what a guest's memory and registers must be after so many steps, had it never moved.
 *
 * @module
 */
import { GodwitError, type GuestIdentity, PAGE_BYTES_DEFAULT, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import type { Drop } from './cache-classes.ts'
import { completeGuest } from './guest-spec.ts'
import { splitMemory } from './layout.ts'
import { Machine } from './machine.ts'
import { threadCountOf } from './workload.ts'

/** How a guest ends that never moved. */
export interface Replay {
  /** For the caller to digest. */
  readonly regions: readonly Region[]
  /** The same package as a guest's captured state. */
  readonly registers: Uint8Array
}

function regionsFor(memory: number | readonly Region[]): readonly Region[] {
  if (typeof memory === 'number') return splitMemory(memory).map((shape) => allocateRegion(shape))
  for (const { name, bytes } of memory) {
    if (!(bytes.buffer instanceof SharedArrayBuffer)) {
      throw new GodwitError(
        'USAGE',
        `Region "${name}" is not shared memory: nothing can replay in it`,
      )
    }
  }
  return memory
}

/**
 * Fills memory as the guest found it and does exactly the given steps, in a thread.
 *
 * @param memory - bytes to allocate, or shared regions shaped as the guest's, which are overwritten
 * @param steps - of each thread, as `stepsOf` tells them
 * @param drops - what the guest gave up meanwhile, as `dropsOf` tells it
 * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`, `USAGE`
 */
export async function replay(
  identity: GuestIdentity,
  memory: number | readonly Region[],
  steps: readonly number[],
  drops: readonly Drop[] = [],
): Promise<Replay> {
  const regions = regionsFor(memory)
  const complete = completeGuest(
    identity,
    regions.map((region) => region.bytes.byteLength),
  )
  const threads = threadCountOf(complete)
  if (steps.length !== threads || !steps.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new GodwitError('USAGE', `A replay of this guest takes ${threads} step counts`)
  }
  const machine = new Machine({
    identity: complete,
    regions,
    pageBytes: PAGE_BYTES_DEFAULT,
    barrier: false,
    prepare: typeof memory === 'number' ? 'fill' : 'refill',
    replay: steps,
    drops,
  })
  await machine.ready()
  const registers = machine.capture()
  await machine.crew.stop()
  return { regions, registers }
}
