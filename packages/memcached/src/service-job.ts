/**
 * What a service and its threads say to each other.
 *
 * @module
 */
import type { Place } from './place.ts'

/** More clients at a time are turned away. Each may have 1 MiB of a value underway. */
export const CONNECTIONS_MAX = 1024

/** Words that the threads of a service share, beside guest memory and never in it. */
export const SharedWord = {
  /** Whose turn it is to store: `mutex.ts`. */
  Mutex: 0,
  /** Open sockets. */
  Connections: 1,
  /** Those, with the clients of a relay in its place. */
  Clients: 2,
} as const
export const SHARED_WORDS = 3

/** What a thread is started with; shared memory. */
export interface ServiceJob {
  readonly memory: Uint8Array
  /** One byte per page. */
  readonly map: Uint8Array
  readonly pageBytes: number
  /** See {@link SharedWord}. */
  readonly shared: Int32Array
  /** How many there are. */
  readonly threads: number
}

/**
 * `listen`, answered with the port; `create` and `open` a store; `run` and `pause`: whether
 * requests are executed; `stop` ends the thread.
 */
export type Order = 'listen' | 'create' | 'open' | 'run' | 'pause' | 'stop'

/** One order. */
export interface OrderMessage {
  readonly order: Order
  /** Of `listen`; port 0: any that is free. */
  readonly place: Place
}

/** The thread's answer to one order. */
export interface Answer {
  readonly value?: number
  readonly error?: { readonly code: string; readonly message: string }
}
