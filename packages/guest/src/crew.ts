/**
 * The threads of one guest: started together, commanded together, failed together.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import { GodwitError } from '@godwit/core'
import {
  ANSWER_WORD,
  Command,
  COMMAND_WORD,
  commandWords,
  nextCommand,
  setThrottle,
} from './control-block.ts'
import { packJob, type WorkerFailure, type WorkerJob } from './worker-job.ts'

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js',
  import.meta.url,
)

/** Starts one thread per job; they prepare memory and then wait for a command, parked. */
export class Crew {
  readonly workers: readonly Worker[]
  /** Resolves, with the reason, when a thread dies that nobody stopped; else never. */
  readonly failed: Promise<GodwitError>
  /** Resolves when every thread is gone, for whatever reason. */
  readonly ended: Promise<void>
  readonly #words: readonly Int32Array[]
  readonly #resolveFailed: (error: GodwitError) => void
  #failure: GodwitError | undefined
  #stopped = false

  constructor(jobs: readonly WorkerJob[]) {
    const { promise, resolve } = Promise.withResolvers<GodwitError>()
    this.failed = promise
    this.#resolveFailed = resolve
    this.#words = jobs.map((job) => commandWords(job.control, job.thread))
    this.workers = jobs.map((job) => {
      const name = `${job.identity.kind} ${job.thread}`
      return new Worker(entry, { workerData: packJob(job), name })
    })
    this.ended = Promise.all(this.workers.map((worker) => this.#watch(worker))).then(() => {})
  }

  #watch(worker: Worker): Promise<void> {
    worker.on('message', ({ code, text }: WorkerFailure) => this.fail(new GodwitError(code, text)))
    worker.on('error', (cause) => {
      this.fail(new GodwitError('GUEST_FAILED', 'A thread of the guest failed', { cause }))
    })
    return new Promise((resolve) => {
      worker.on('exit', () => {
        this.fail(new GodwitError('GUEST_FAILED', 'A thread of the guest ended by itself'))
        resolve()
      })
    })
  }

  /** A guest that lost a thread is no guest any more: the others are stopped, too. */
  fail(error: GodwitError): void {
    // A thread that was told to end may do so by failing: one that waits for a page can only so.
    if (this.#failure !== undefined || this.#stopped) return
    this.#failure = error
    this.#send(Command.Stop)
    // Whoever waits for an answer looks again, and finds the failure.
    for (const words of this.#words) Atomics.notify(words, ANSWER_WORD)
    this.#resolveFailed(error)
  }

  #send(command: Command): void {
    for (const words of this.#words) {
      Atomics.store(words, COMMAND_WORD, nextCommand(words[COMMAND_WORD]!, command))
      Atomics.notify(words, COMMAND_WORD)
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#stopped) throw new GodwitError('GUEST_FAILED', 'The guest was stopped')
  }

  /**
   * Tells every thread to park or to run; returns before they do.
   *
   * @throws {GodwitError} what {@link failed} tells, or `GUEST_FAILED` after {@link stop}
   */
  command(command: typeof Command.Park | typeof Command.Run): void {
    this.#check()
    this.#send(command)
  }

  /** Takes a share of their time from all threads, from now on: 0 to below 1. */
  throttle(share: number): void {
    for (const words of this.#words) {
      setThrottle(words, share)
      // A thread that sleeps looks again.
      Atomics.notify(words, COMMAND_WORD)
    }
  }

  /**
   * Resolves when every thread obeys the last command; at first: when memory is prepared.
   *
   * @throws {GodwitError} what {@link failed} tells, or `GUEST_FAILED` after {@link stop}
   */
  async obeyed(): Promise<void> {
    for (const words of this.#words) await this.#answer(words)
  }

  async #answer(words: Int32Array): Promise<void> {
    for (;;) {
      this.#check()
      const answer = Atomics.load(words, ANSWER_WORD)
      if (answer === words[COMMAND_WORD]) return
      const wait = Atomics.waitAsync(words, ANSWER_WORD, answer)
      if (wait.async) await wait.value
    }
  }

  /** Ends every thread and resolves when they are gone. May be called again. */
  async stop(): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true
      this.#send(Command.Stop)
      for (const words of this.#words) Atomics.notify(words, ANSWER_WORD)
    }
    await this.ended
  }
}
