/**
 * An event loop that blocks its thread: for a thread whose only work is to answer as soon as
 * something comes, and which must not depend on anything else. While it runs no promise goes on and
 * no timer of the runtime fires.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import type { DescriptorCalls } from './descriptor-calls.ts'
import { POLLIN, POLLOUT } from './descriptor-calls.ts'

/** A descriptor and what becomes of it. */
export interface Watched {
  readonly descriptor: number
  /** Whether it waits for something to read; by default it does. */
  readonly wantsToRead?: boolean
  /** Whether it waits for room to write, too. */
  readonly wantsToWrite?: boolean
  /** There is something to read, or room to write, or it is broken. */
  ready(): void
}

/** A thread that waits longer in one go could not be ended from outside for so long. */
const waitMsMax = 100

interface Task {
  readonly dueMs: number
  readonly run: () => void
}

/** Descriptors and tasks of one thread. */
export class PollLoop implements Clock {
  readonly #calls: DescriptorCalls
  readonly #awakeMs: number
  /** Replaced when it changes: whoever goes through it may change it. */
  #watched: readonly Watched[] = []
  readonly #tasks = new Set<Task>()
  #soon: (() => void)[] = []
  #polled = new Int32Array(0)
  #awakeUntilMs = 0
  #isRunning = false
  #isOver = false

  /**
   * @param awakeMs - how long it looks again and again after something came, before it falls
   *   asleep: to be woken takes longer than most things that are waited for. Others that want the
   *   core have it meanwhile
   */
  constructor(calls: DescriptorCalls, awakeMs = 0) {
    this.#calls = calls
    this.#awakeMs = awakeMs
  }

  nowMs(): number {
    return performance.now()
  }

  after(delayMs: number, run: () => void): () => void {
    const task = { dueMs: performance.now() + delayMs, run }
    this.#tasks.add(task)
    // Until the loop runs, and after it, it is the runtime's turn.
    const timer = this.#isRunning ? undefined : setTimeout(() => this.#runTask(task), delayMs)
    return () => {
      this.#tasks.delete(task)
      if (timer !== undefined) clearTimeout(timer)
    }
  }

  soon(run: () => void): void {
    this.#soon.push(run)
    if (!this.#isRunning) setImmediate(() => this.#runSoon())
  }

  /** Watches a descriptor from now on. @returns what ends it */
  watch(watched: Watched): () => void {
    this.#watched = [...this.#watched, watched]
    return () => {
      this.#watched = this.#watched.filter((one) => one !== watched)
    }
  }

  /** Runs until {@link stop} is called. */
  run(): void {
    this.#isRunning = true
    this.#isOver = false
    while (!this.#isOver) {
      const watched = this.#watched
      if (this.#wait(watched)) this.#tell(watched)
      this.#runTasks()
      this.#runSoon()
    }
    this.#isRunning = false
    // What is left is the runtime's now.
    if (this.#soon.length > 0) setImmediate(() => this.#runSoon())
    for (const task of this.#tasks) {
      setTimeout(() => this.#runTask(task), task.dueMs - performance.now())
    }
  }

  stop(): void {
    this.#isOver = true
  }

  /** @returns whether something came */
  #wait(watched: readonly Watched[]): boolean {
    const words = watched.length * 2
    if (this.#polled.length !== words) this.#polled = new Int32Array(words)
    const polled = this.#polled
    for (let i = 0; i < watched.length; i++) {
      const { descriptor, wantsToRead, wantsToWrite } = watched[i]!
      polled[i * 2] = descriptor
      polled[i * 2 + 1] =
        (wantsToRead === false ? 0 : POLLIN) | (wantsToWrite === true ? POLLOUT : 0)
    }
    const timeoutMs = this.#timeoutMs
    if (this.#calls.poll(polled, timeoutMs)) return true
    // Whoever is to answer may be waiting for this core.
    if (timeoutMs === 0) this.#calls.yield()
    return false
  }

  get #timeoutMs(): number {
    if (this.#soon.length > 0) return 0
    if (this.#awakeMs === 0 && this.#tasks.size === 0) return waitMsMax
    const nowMs = performance.now()
    if (nowMs < this.#awakeUntilMs) return 0
    let waitMs = waitMsMax
    for (const { dueMs } of this.#tasks) waitMs = Math.min(waitMs, dueMs - nowMs)
    return Math.max(0, Math.ceil(waitMs))
  }

  #tell(watched: readonly Watched[]): void {
    for (let i = 0; i < watched.length; i++) {
      if (this.#polled[i * 2 + 1]! >>> 16 === 0) continue
      // An earlier one may have ended it.
      if (this.#watched === watched || this.#watched.includes(watched[i]!)) watched[i]!.ready()
    }
    if (this.#awakeMs > 0) this.#awakeUntilMs = performance.now() + this.#awakeMs
  }

  #runTasks(): void {
    if (this.#tasks.size === 0) return
    const nowMs = performance.now()
    const due = [...this.#tasks].filter(({ dueMs }) => dueMs <= nowMs)
    // An earlier one may cancel a later one, however late both are.
    for (const task of due.toSorted((a, b) => a.dueMs - b.dueMs)) this.#runTask(task)
  }

  #runTask(task: Task): void {
    if (this.#tasks.delete(task)) task.run()
  }

  /** What these add has its turn after descriptors had theirs. */
  #runSoon(): void {
    const soon = this.#soon
    if (soon.length === 0) return
    this.#soon = []
    for (const run of soon) run()
  }
}
