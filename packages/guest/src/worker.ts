/**
 * The entry of a guest's thread: prepares memory, then obeys the command word.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { toGodwitError } from '@godwit/core'
import { dropAgain } from './cache-classes.ts'
import {
  ANSWER_WORD,
  Command,
  COMMAND_WORD,
  commandOf,
  commandWords,
  registersOf,
  throttleOf,
} from './control-block.ts'
import { GuestTime } from './guest-time.ts'
import { fillMemory } from './initial-memory.ts'
import { type Pacer, pacerOf } from './pacer.ts'
import { type PackedJob, unpackJob, type WorkerFailure, type WorkerJob } from './worker-job.ts'
import { createWorkload, threadCountOf, type Workload } from './workload.ts'

/** Work between two looks at the command word: what a pause may have to wait for. */
const batchMsTarget = 0.05
const batchStepsMax = 1 << 16
const replayStepsPerLook = 4096

function isStopped(words: Int32Array): boolean {
  return commandOf(Atomics.load(words, COMMAND_WORD)) === Command.Stop
}

function prepareMemory(job: WorkerJob, words: Int32Array): void {
  const { regions } = job.memory
  if (job.prepare === 'refill') for (const region of regions) region.fill(0)
  if (job.prepare === 'fill' || job.prepare === 'refill') {
    fillMemory(job.identity, { regions, shouldStop: () => isStopped(words) })
  }
}

function createThread(job: WorkerJob, thread: number): Workload {
  return createWorkload(job.identity, thread, job.memory, registersOf(job.control, thread))
}

/** Threads do not share pages or registers, so one after the other ends like all at once. */
function replayThreads(job: WorkerJob, words: Int32Array, steps: readonly number[]): void {
  for (let thread = 0; thread < threadCountOf(job.identity); thread++) {
    const workload = createThread(job, thread)
    let done = 0
    for (const drop of job.drops ?? []) {
      stepOn(workload, drop.steps - done, words)
      done = drop.steps
      dropAgain(job.identity, job.memory, drop)
    }
    stepOn(workload, steps[thread]! - done, words)
  }
}

function stepOn(workload: Workload, steps: number, words: Int32Array): void {
  for (let left = steps; left > 0 && !isStopped(words); ) {
    const count = Math.min(left, replayStepsPerLook)
    workload.step(count)
    left -= count
  }
}

/** Steps until the command word is no longer `command`. */
function run(workload: Workload, pacer: Pacer, words: Int32Array, command: number): void {
  let batchSteps = 1
  const time = new GuestTime(performance.now())
  pacer.restart(time.nowMs)
  while (Atomics.load(words, COMMAND_WORD) === command) {
    const startMs = performance.now()
    const takenMs = time.take(startMs, throttleOf(words))
    if (takenMs > 0) {
      Atomics.wait(words, COMMAND_WORD, command, takenMs)
      continue
    }
    const ready = workload.ready?.() ?? Infinity
    const count = Math.min(pacer.due(time.nowMs), batchSteps, ready)
    if (count < 1) {
      Atomics.wait(words, COMMAND_WORD, command, Math.min(pacer.sleepMs(), time.leftMs))
      continue
    }
    workload.step(count)
    const tookMs = performance.now() - startMs
    pacer.spend(count, tookMs)
    if (tookMs > batchMsTarget) batchSteps = Math.max(1, batchSteps >>> 1)
    else if (count === batchSteps) batchSteps = Math.min(batchStepsMax, batchSteps * 2)
  }
  // The time of a sleep that a pause cut short counts, too.
  time.take(performance.now(), throttleOf(words))
  pacer.due(time.nowMs)
}

function obey(workload: Workload, pacer: Pacer, words: Int32Array): void {
  for (;;) {
    const command = Atomics.load(words, COMMAND_WORD)
    // Everything the last command stored is visible to whoever reads this answer.
    Atomics.store(words, ANSWER_WORD, command)
    Atomics.notify(words, ANSWER_WORD)
    const verb = commandOf(command)
    if (verb === Command.Stop) return
    if (verb === Command.Run) run(workload, pacer, words, command)
    else Atomics.wait(words, COMMAND_WORD, command)
  }
}

function main(job: WorkerJob): void {
  const words = commandWords(job.control, job.thread)
  prepareMemory(job, words)
  if (job.replay !== undefined) replayThreads(job, words, job.replay)
  obey(createThread(job, job.thread), pacerOf(job.identity), words)
}

try {
  main(unpackJob(workerData as PackedJob))
} catch (thrown) {
  const error = toGodwitError(thrown)
  const failure: WorkerFailure = { code: error.code, text: error.message }
  parentPort?.postMessage(failure)
}
