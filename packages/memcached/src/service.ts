/**
 * A service with its memory and its threads: what the guest at the source and the guest that
 * arrives have in common.
 *
 * @module
 */
import { GodwitError, pagesCovering, type Region } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'
import type { Place } from './place.ts'
import { claimPort, type PortClaim } from './port-claim.ts'
import { RemoteThread } from './remote-thread.ts'
import { type Order, type ServiceJob, SHARED_WORDS } from './service-job.ts'

/** What to build a service from. */
export interface ServiceParts {
  /** Shared memory. */
  readonly region: Region
  readonly pageBytes: number
  /** Where to listen; port 0: any that is free. */
  readonly place: Place
  /** That have sockets and execute requests; default 1. */
  readonly threads?: number
}

/** Starts paused, without a store; see {@link listen}. */
export class Service {
  readonly region: Region
  readonly pageBytes: number
  readonly tracker: ByteMapTracker
  /** Resolves, with the reason, when a thread dies that nobody stopped; else never. */
  readonly failed: Promise<GodwitError>
  /** Where it listens, after {@link listen}. */
  place: Place
  readonly #threads: readonly RemoteThread[]
  readonly #ended: Promise<unknown>
  /** Of more than one thread. */
  #claim: PortClaim | undefined
  /** From when a pause resolves until the next {@link run}. */
  isPaused = false
  #failure: GodwitError | undefined
  #isStopped = false
  /** Pauses and runs so far: the last decides. */
  #asked = 0

  constructor({ region, pageBytes, place, threads = 1 }: ServiceParts) {
    this.region = region
    this.pageBytes = pageBytes
    this.place = place
    const pageCount = pagesCovering(region.bytes.byteLength, pageBytes)
    const map = new Uint8Array(new SharedArrayBuffer(pageCount))
    this.tracker = new ByteMapTracker({ map, pageCount })
    const shared = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * 4))
    const job: ServiceJob = { memory: region.bytes, map, pageBytes, shared, threads }
    const { promise, resolve } = Promise.withResolvers<GodwitError>()
    this.failed = promise
    const failed = (text: string, cause?: unknown): void => {
      if (this.#failure !== undefined || this.#isStopped) return
      this.#failure = new GodwitError('GUEST_FAILED', text, { cause })
      // The others may wait for what that one had, for ever: see `mutex.ts`.
      for (const thread of this.#threads) thread.terminate()
      resolve(this.#failure)
    }
    const events = { failed, gone: () => this.#gone() }
    this.#threads = Array.from({ length: threads }, (_, i) => {
      return new RemoteThread(job, `memcached ${i}`, events)
    })
    this.#ended = Promise.all(this.#threads.map((thread) => thread.ended))
  }

  #gone(): GodwitError {
    return this.#failure ?? new GodwitError('GUEST_FAILED', 'The guest was stopped')
  }

  /** Of all threads, or of some; resolves with the first one's answer when all have answered. */
  async #order(order: Order, threads = this.#threads): Promise<number | undefined> {
    if (this.#failure !== undefined || this.#isStopped) throw this.#gone()
    const message = { order, place: this.#claim?.place ?? this.place }
    const [first] = await Promise.all(threads.map((thread) => thread.order(message)))
    return first
  }

  /**
   * Clients may connect; they wait until {@link run}.
   *
   * @throws {GodwitError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`
   */
  async listen(): Promise<void> {
    if (this.#threads.length > 1) {
      const claim = await claimPort(this.place)
      this.#claim = claim
      void this.#ended.then(() => claim.release())
    }
    this.place = { ...this.place, port: (await this.#order('listen'))! }
  }

  /** Makes an empty store in memory that is all zero. */
  async create(): Promise<void> {
    await this.#order('create', this.#threads.slice(0, 1))
    await this.#order('open', this.#threads.slice(1))
  }

  /** Takes memory as it is. @throws {GodwitError} `GUEST_FAILED` when it is not a service's */
  async open(): Promise<void> {
    await this.#order('open')
  }

  /** Resolves once no request is being executed and none will be: no store happens any more. */
  async pause(): Promise<void> {
    const asked = ++this.#asked
    await this.#order('pause')
    if (asked === this.#asked) this.isPaused = true
  }

  /** Resolves once requests are executed. */
  async run(): Promise<void> {
    this.#asked++
    this.isPaused = false
    await this.#order('run')
  }

  /** Ends the threads and all connections. May be called again. */
  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true
      for (const thread of this.#threads) thread.stop({ order: 'stop', place: this.place })
      // One that does not get to its orders, since memory that came leads it in circles.
      const terminate = (): void => {
        for (const thread of this.#threads) thread.terminate()
      }
      const timer = setTimeout(terminate, stopMs)
      await this.#ended
      clearTimeout(timer)
    }
    await this.#ended
  }
}

const stopMs = 1000
