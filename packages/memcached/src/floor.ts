/**
 * What the clients of one thread need to have their requests executed.
 *
 * @module
 */
import type { Executor } from './executor.ts'
import type { Mutex } from './mutex.ts'
import type { Replies } from './replies.ts'
import type { Request } from './request.ts'
import type { Store } from './store.ts'

/** What a floor is made of. */
export interface FloorParts {
  readonly executor: Executor
  readonly request: Request
  readonly replies: Replies
  /** Of all threads that store to the same memory. */
  readonly mutex: Mutex
  readonly nowSeconds: () => number
}

/** One per thread, shared by its clients: one is on it at a time. */
export class Floor {
  readonly executor: Executor
  readonly request: Request
  /** Empty between two clients. */
  readonly replies: Replies
  readonly #mutex: Mutex
  readonly #nowSeconds: () => number

  constructor({ executor, request, replies, mutex, nowSeconds }: FloorParts) {
    this.executor = executor
    this.request = request
    this.replies = replies
    this.#mutex = mutex
    this.#nowSeconds = nowSeconds
  }

  /**
   * Has the store for this thread alone until {@link leave}, for what came at once, and not for
   * longer: nothing is written to a socket meanwhile, since that takes longer than to execute.
   */
  enter(): Store {
    const { store } = this.executor
    this.#mutex.take()
    store.tick(this.#nowSeconds())
    return store
  }

  /** The store is whole. Not to be called after an exception: see {@link Mutex}. */
  leave(): void {
    this.#mutex.release()
  }
}
