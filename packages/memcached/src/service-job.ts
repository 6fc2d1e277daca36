/**
 * What a service and its thread say to each other.
 *
 * @module
 */
import type { Place } from './place.ts'

/** More clients at a time are turned away. Each may have 1 MiB of a value underway. */
export const CONNECTIONS_MAX = 1024

/** What the thread is started with; shared memory. */
export interface ServiceJob {
  readonly memory: Uint8Array
  /** One byte per page. */
  readonly map: Uint8Array
  readonly pageBytes: number
  /** Where to listen; port 0: any that is free. */
  readonly place: Place
}

/**
 * `listen`, answered with the port; `create` and `open` a store; `run` and `pause`: whether
 * requests are executed; `stop` ends the thread.
 */
export type Order = 'listen' | 'create' | 'open' | 'run' | 'pause' | 'stop'

/** The thread's answer to one order. */
export interface Answer {
  readonly value?: number
  readonly error?: { readonly code: string; readonly message: string }
}
