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
  readonly #watched = new Set<Watched>()
  readonly #tasks = new Set<Task>()
  #polled = new Int32Array(0)
  #isRunning = false
  #isOver = false

  constructor(calls: DescriptorCalls) {
    this.#calls = calls
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
    const task = { dueMs: 0, run }
    this.#tasks.add(task)
    if (!this.#isRunning) setImmediate(() => this.#runTask(task))
  }

  /** Watches a descriptor from now on. @returns what ends it */
  watch(watched: Watched): () => void {
    this.#watched.add(watched)
    return () => this.#watched.delete(watched)
  }

  /** Runs until {@link stop} is called. */
  run(): void {
    this.#isRunning = true
    this.#isOver = false
    while (!this.#isOver) {
      this.#wait()
      this.#tell()
      this.#runTasks()
    }
    this.#isRunning = false
  }

  stop(): void {
    this.#isOver = true
  }

  #wait(): void {
    const watched = [...this.#watched]
    if (this.#polled.length !== watched.length * 2)
      this.#polled = new Int32Array(watched.length * 2)
    for (const [index, { descriptor, wantsToWrite }] of watched.entries()) {
      this.#polled[index * 2] = descriptor
      this.#polled[index * 2 + 1] = wantsToWrite === true ? POLLIN | POLLOUT : POLLIN
    }
    this.#calls.poll(this.#polled, this.#timeoutMs)
  }

  get #timeoutMs(): number {
    if (this.#tasks.size === 0) return waitMsMax
    const nowMs = performance.now()
    let waitMs = waitMsMax
    for (const { dueMs } of this.#tasks) waitMs = Math.min(waitMs, dueMs - nowMs)
    return Math.max(0, Math.ceil(waitMs))
  }

  #tell(): void {
    const watched = [...this.#watched]
    for (const [index, one] of watched.entries()) {
      const isReady = this.#polled[index * 2 + 1]! >>> 16 !== 0
      // An earlier one may have ended it.
      if (isReady && this.#watched.has(one)) one.ready()
    }
  }

  #runTasks(): void {
    if (this.#tasks.size === 0) return
    const nowMs = performance.now()
    for (const task of this.#tasks) if (task.dueMs <= nowMs) this.#runTask(task)
  }

  #runTask(task: Task): void {
    if (this.#tasks.delete(task)) task.run()
  }
}
