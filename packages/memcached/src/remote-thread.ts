/**
 * One thread of a service, as the service sees it.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import type { GodwitError } from '@godwit/core'
import { placeError } from './place.ts'
import type { Answer, OrderMessage, ServiceJob } from './service-job.ts'

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './service-thread.ts' : './service-thread.js',
  import.meta.url,
)

/** What whoever has a thread is told, and asked. */
export interface RemoteThreadEvents {
  /** It died, or is about to. */
  readonly failed: (text: string, cause?: unknown) => void
  /** Why it is gone. */
  readonly gone: () => GodwitError
}

/** Obeys one order after the other. */
export class RemoteThread {
  /** Resolves when it is gone, for whatever reason. */
  readonly ended: Promise<void>
  readonly #worker: Worker
  readonly #waiting: PromiseWithResolvers<number | undefined>[] = []

  constructor(job: ServiceJob, name: string, { failed, gone }: RemoteThreadEvents) {
    this.#worker = new Worker(entry, { workerData: job, name })
    this.#worker.on('message', (answer: Answer) => this.#answer(answer))
    this.#worker.on('error', (cause) => failed('A thread of the guest failed', cause))
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        failed('A thread of the guest ended by itself')
        for (const one of this.#waiting.splice(0)) one.reject(gone())
        resolve()
      })
    })
  }

  #answer({ value, error }: Answer): void {
    const first = this.#waiting.shift()
    if (error === undefined) first?.resolve(value)
    else first?.reject(placeError(error))
  }

  /** Resolves with the answer; rejects when there will be none. */
  order(message: OrderMessage): Promise<number | undefined> {
    const answer = Promise.withResolvers<number | undefined>()
    this.#waiting.push(answer)
    this.#worker.postMessage(message)
    return answer.promise
  }

  /** An order that is answered by {@link ended}. */
  stop(message: OrderMessage): void {
    this.#worker.postMessage(message)
  }

  /** Ends it whatever it is at. */
  terminate(): void {
    void this.#worker.terminate()
  }
}
