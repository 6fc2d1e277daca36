/**
 * The computation of the guest in `adapter.ts`: accounts, and a thread that moves money between
 * them. All of its state is in the accounts (its memory) and in the registers.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Gate, GateMemory } from 'godwit'

/** Words of the registers: what is to be done, what is being done, and the state of the guest. */
export const COMMAND = 0
export const ANSWER = 1
/** Time taken away, in thousandths. */
export const THROTTLE = 2
export const RANDOM = 3
/** Transfers so far: the 64-bit number behind the words. */
export const STEPS_AT = 16
export const REGISTER_BYTES = 24

/** What the thread is given, all of it shared. */
export interface LedgerJob {
  readonly accounts: Uint32Array
  readonly registers: SharedArrayBuffer
  /** A byte for each page, set after a store to it. */
  readonly map: Uint8Array
  readonly pageBytes: number
  /** Where pages are still to come. */
  readonly gate?: GateMemory | undefined
}

const stepsPerTurn = 100

/** One transfer. */
function transfer({ accounts, map, pageBytes }: LedgerJob, words: Int32Array, gate?: Gate): void {
  let random = words[RANDOM]!
  const next = (): number => {
    random ^= random << 13
    random ^= random >>> 17
    random ^= random << 5
    return (random >>> 0) % accounts.length
  }
  const [from, to] = [next(), next()]
  const pages = [from, to].map((account) => Math.floor((account * 4) / pageBytes)) as [
    number,
    number,
  ]
  // Waits where a page is not here yet; there is one region only, number 0.
  for (const page of pages) gate?.enter(0, page)
  if (accounts[from]! > 0) {
    accounts[from]!--
    accounts[to]!++
    // The store first, then the mark.
    for (const page of pages) Atomics.store(map, page, 1)
  }
  words[RANDOM] = random
}

async function work(job: LedgerJob): Promise<void> {
  const words = new Int32Array(job.registers)
  const steps = new Float64Array(job.registers, STEPS_AT, 1)
  const gate = job.gate === undefined ? undefined : (await import('godwit')).openGate(job.gate)
  for (;;) {
    const command = Atomics.load(words, COMMAND)
    if (Atomics.load(words, ANSWER) !== command) {
      Atomics.store(words, ANSWER, command)
      Atomics.notify(words, ANSWER)
    }
    if (command % 2 === 0) {
      Atomics.wait(words, COMMAND, command)
      continue
    }
    for (let turn = 0; turn < stepsPerTurn; turn++) {
      transfer(job, words, gate)
      steps[0]!++
    }
    // A turn each millisecond; less often while it is throttled.
    Atomics.wait(words, COMMAND, command, 1000 / (1000 - Atomics.load(words, THROTTLE)))
  }
}

// `adapter.ts` imports the names above.
if (parentPort !== null) await work(workerData as LedgerJob)
