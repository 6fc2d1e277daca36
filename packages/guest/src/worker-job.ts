/**
 * What is said between a guest's owner and its threads, beside the control block.
 *
 * @module
 */
import type { ErrorCode, GuestIdentity, Span } from '@godwit/core'
import { bytesOf, spanOf } from '@godwit/core'
import type { Drop } from './cache-classes.ts'
import type { WorkloadMemory } from './workload-memory.ts'

/** What a thread does with memory before it answers; `refill` zeroes it and then fills it. */
export type MemoryPreparation = 'fill' | 'refill' | 'none'

/** Everything a thread needs, all of it shared or copied. */
export interface WorkerJob {
  readonly identity: GuestIdentity
  readonly memory: WorkloadMemory
  readonly control: SharedArrayBuffer
  readonly thread: number
  readonly prepare: MemoryPreparation
  /** Steps of every thread, to be done at once and by this one thread before it answers. */
  readonly replay?: readonly number[]
  /** What such a guest gives up on the way, in order; of guests with one thread. */
  readonly drops?: readonly Drop[]
}

/** What a thread posts when it cannot go on. */
export interface WorkerFailure {
  readonly code: ErrorCode
  readonly text: string
}

/** A {@link WorkerJob} as a thread's `workerData`. */
export interface PackedJob extends Omit<WorkerJob, 'memory'> {
  readonly regions: readonly Span[]
  readonly maps: readonly Span[] | undefined
  readonly pageBytes: number
  readonly gate: WorkloadMemory['gate']
  readonly receive: WorkloadMemory['receive']
}

/** Takes the views apart for the way to another thread. */
export function packJob({ memory, ...rest }: WorkerJob): PackedJob {
  const { regions, maps, pageBytes, gate, receive } = memory
  const spans = { regions: regions.map(spanOf), maps: maps?.map(spanOf) }
  return { ...rest, ...spans, pageBytes, gate, receive }
}

/** The other end of {@link packJob}. */
export function unpackJob(packed: PackedJob): WorkerJob {
  const { regions, maps, pageBytes, gate, receive, ...rest } = packed
  const views = { regions: regions.map(bytesOf), maps: maps?.map(bytesOf) }
  return { ...rest, memory: { ...views, pageBytes, gate, receive } }
}
