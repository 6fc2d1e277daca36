/**
 * A service with its memory and its thread: what the guest at the source and the guest that arrives
 * have in common.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import { type ErrorCode, GodwitError, pagesCovering, type Region } from '@godwit/core'
import { ByteMapTracker } from '@godwit/memory'
import type { Place } from './place.ts'
import type { Answer, Order, ServiceJob } from './service-job.ts'

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './service-thread.ts' : './service-thread.js',
  import.meta.url,
)

/** What to build a service from. */
export interface ServiceParts {
  /** Shared memory. */
  readonly region: Region
  readonly pageBytes: number
  /** Where to listen; port 0: any that is free. */
  readonly place: Place
}

const codes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'ADDRESS_IN_USE',
  EACCES: 'ADDRESS_UNAVAILABLE',
  EADDRNOTAVAIL: 'ADDRESS_UNAVAILABLE',
}

/** Starts paused, without a store; see {@link listen}. */
export class Service {
  readonly region: Region
  readonly pageBytes: number
  readonly tracker: ByteMapTracker
  /** Resolves, with the reason, when the thread dies that nobody stopped; else never. */
  readonly failed: Promise<GodwitError>
  /** Where it listens, after {@link listen}. */
  place: Place
  readonly #worker: Worker
  readonly #ended: Promise<void>
  readonly #waiting: PromiseWithResolvers<number | undefined>[] = []
  /** From when a pause resolves until the next {@link run}. */
  isPaused = false
  #failure: GodwitError | undefined
  #isStopped = false
  /** Pauses and runs so far: the last decides. */
  #asked = 0

  constructor({ region, pageBytes, place }: ServiceParts) {
    this.region = region
    this.pageBytes = pageBytes
    this.place = place
    const pageCount = pagesCovering(region.bytes.byteLength, pageBytes)
    const map = new Uint8Array(new SharedArrayBuffer(pageCount))
    this.tracker = new ByteMapTracker({ map, pageCount })
    const job: ServiceJob = { memory: region.bytes, map, pageBytes, place }
    this.#worker = new Worker(entry, { workerData: job, name: 'memcached' })
    const failed = Promise.withResolvers<GodwitError>()
    this.failed = failed.promise
    const fail = (text: string, cause?: unknown): void => {
      if (this.#failure !== undefined || this.#isStopped) return
      this.#failure = new GodwitError('GUEST_FAILED', text, { cause })
      failed.resolve(this.#failure)
    }
    this.#worker.on('message', (answer: Answer) => this.#answer(answer))
    this.#worker.on('error', (cause) => fail('The thread of the guest failed', cause))
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        fail('The thread of the guest ended by itself')
        for (const one of this.#waiting.splice(0)) one.reject(this.#gone())
        resolve()
      })
    })
  }

  #gone(): GodwitError {
    return this.#failure ?? new GodwitError('GUEST_FAILED', 'The guest was stopped')
  }

  #answer({ value, error }: Answer): void {
    const first = this.#waiting.shift()
    if (error === undefined) first?.resolve(value)
    else first?.reject(new GodwitError(codes[error.code] ?? 'GUEST_FAILED', error.message))
  }

  #order(order: Order): Promise<number | undefined> {
    if (this.#failure !== undefined || this.#isStopped) return Promise.reject(this.#gone())
    const answer = Promise.withResolvers<number | undefined>()
    this.#waiting.push(answer)
    this.#worker.postMessage(order)
    return answer.promise
  }

  /**
   * Clients may connect; they wait until {@link run}.
   *
   * @throws {GodwitError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`
   */
  async listen(): Promise<void> {
    this.place = { ...this.place, port: (await this.#order('listen'))! }
  }

  /** Makes an empty store in memory that is all zero. */
  async create(): Promise<void> {
    await this.#order('create')
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

  /** Ends the thread and all connections. May be called again. */
  async stop(): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true
      this.#worker.postMessage('stop' satisfies Order)
      // A thread that does not get to its orders, since memory that came leads it in circles.
      const timer = setTimeout(() => void this.#worker.terminate(), stopMs)
      await this.#ended
      clearTimeout(timer)
    }
    await this.#ended
  }
}

const stopMs = 1000
