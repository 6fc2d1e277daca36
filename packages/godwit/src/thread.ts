/**
 * Threads of Node for agents, which know only `Thread` of core.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { Thread } from '@godwit/core'
import { GodwitError } from '@godwit/core'

/** A thread's garbage is small and short-lived; by default it could grow to tens of MiB first. */
const youngMebibytesMax = 2

/** A thread's entry `./NAME.ts` beside the module at `meta`; `./NAME.js` when built. */
export function entryUrl(path: `./${string}.ts`, meta: string): URL {
  return new URL(meta.endsWith('.ts') ? path : path.replace(/ts$/, 'js'), meta)
}

/**
 * Starts a thread that runs the module `entry`; what it prints goes where this process prints. It
 * keeps the process alive until it has ended.
 *
 * @param name - for people, in the reason why it ended
 * @param data - its `workerData`
 */
export function startThread<Sent, Received>(
  entry: URL,
  name: string,
  data?: object,
): Thread<Sent, Received> {
  return new NodeThread(entry, name, data)
}

class NodeThread<Sent, Received> implements Thread<Sent, Received> {
  readonly ended: Promise<GodwitError | undefined>
  readonly #worker: Worker
  /** What came before somebody listened. */
  #early: Received[] | undefined = []
  #hear: (message: Received) => void = (message) => this.#early?.push(message)
  #isEnding = false

  constructor(entry: URL, name: string, data: object | undefined) {
    const worker = new Worker(entry, {
      name,
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: youngMebibytesMax },
    })
    this.#worker = worker
    worker.on('message', (message: Received) => {
      if (!this.#isEnding) this.#hear(message)
    })
    let cause: unknown
    worker.on('error', (error) => {
      cause = error
    })
    const { promise, resolve } = Promise.withResolvers<GodwitError | undefined>()
    this.ended = promise
    worker.on('exit', () => resolve(this.#isEnding ? undefined : died(name, cause)))
  }

  post(message: Sent): void {
    this.#worker.postMessage(message)
  }

  listen(hear: (message: Received) => void): void {
    const early = this.#early ?? []
    this.#early = undefined
    this.#hear = hear
    for (const message of early) hear(message)
  }

  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    void this.#worker.terminate()
  }
}

function died(name: string, cause: unknown): GodwitError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new GodwitError('INTERNAL', `The thread "${name}" ended by itself${why}`, { cause })
}
