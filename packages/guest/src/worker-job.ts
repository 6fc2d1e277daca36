/**
 * What is said between a guest's owner and its threads, beside the control block.
 *
 * @module
 */
import type { ErrorCode, GuestIdentity } from '@godwit/core'
import type { WorkloadMemory } from './workload-memory.ts'

/** What a thread does with memory before it answers; `refill` zeroes it and then fills it. */
export type MemoryPreparation = 'fill' | 'refill' | 'touch' | 'none'

/** A thread's `workerData`: everything it needs, all of it shared or copied. */
export interface WorkerJob {
  readonly identity: GuestIdentity
  readonly memory: WorkloadMemory
  readonly control: SharedArrayBuffer
  readonly thread: number
  readonly prepare: MemoryPreparation
  /** Steps of every thread, to be done at once and by this one thread before it answers. */
  readonly replay?: readonly number[]
}

/** What a thread posts when it cannot go on. */
export interface WorkerFailure {
  readonly code: ErrorCode
  readonly text: string
}
