/**
 * Runs a target on inputs until its budget is used up or a rule is broken.
 *
 * @module
 */
import { setFlagsFromString, getHeapStatistics } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { seededRandom } from '@godwit/testkit'
import { minimised } from './minimiser.ts'
import type { MutationContext } from './mutator.ts'
import { mutated, pick } from './mutator.ts'
import type { Target } from './target.ts'
import { Fault, withoutNumbers } from './target.ts'
import { returnsWithin } from './watchdog.ts'

/** Inputs per call of the watchdog, which starts a thread each time. */
const inputsPerGuard = 64
/** When the watchdog takes a group of inputs for one that hangs. */
const hangMs = 20_000
/** Kept for their labels, beside the seeds. */
const keptMax = 1500
/** How often a fault of time or memory must show again to be one. */
const confirmations = 2
/** What a whole run may leave behind, once the collector has run. */
export const LEFT_BYTES_MAX: number = 96 * 1024 * 1024
/** The same, of all that the process holds, native memory of libraries included. */
export const RESIDENT_GROWTH_BYTES_MAX: number = 768 * 1024 * 1024

export interface Budget {
  readonly seconds: number
  readonly inputsMax?: number
}

export interface FuzzOptions {
  readonly seed: number
  readonly budget: Budget
  /** Parts of the kinds of findings that are known: they are passed over. */
  readonly ignored?: readonly string[]
  /** Called about once a second. */
  readonly onProgress?: (progress: Progress) => void
}

export interface Progress {
  readonly inputs: number
  readonly seconds: number
  /** How often each label came. */
  readonly labels: ReadonlyMap<string, number>
}

/** A rule that was broken. */
export interface Finding {
  /** Equal for inputs that break the same rule. */
  readonly kind: string
  readonly error: unknown
  /** As short as it became. */
  readonly input: Uint8Array
}

export interface FuzzResult extends Progress {
  readonly finding: Finding | undefined
}

/** What one input did. */
type Verdict =
  | { readonly label: string; readonly error?: undefined }
  | { readonly label: undefined; readonly error: unknown }

const memoryInUse = (): number => {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics()
  return heap + external
}

/** Runs an input once. */
function tryOnce(target: Target, input: Uint8Array): Verdict {
  const before = memoryInUse()
  const start = performance.now()
  try {
    const label = target.run(input)
    const wallMs = performance.now() - start
    const allocated = memoryInUse() - before
    if (allocated > target.allocatedBytesMax(input.length)) {
      return { label: undefined, error: new Fault(`allocates ${allocated} bytes`) }
    }
    // Wall time is all that is cheap; whether it was CPU time is looked at when it matters.
    if (wallMs > target.cpuMsMax && cpuMsOf(target, input) > target.cpuMsMax) {
      return { label: undefined, error: new Fault(`takes ${Math.round(wallMs)} ms`) }
    }
    return { label }
  } catch (error) {
    return { label: undefined, error }
  }
}

function cpuMsOf(target: Target, input: Uint8Array): number {
  const before = process.cpuUsage()
  target.run(input)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

const kindOf = (error: unknown): string => {
  if (!(error instanceof Error)) return `thrown: ${withoutNumbers(inspect(error))}`
  return withoutNumbers(`${error.name}: ${error.message.split('\n')[0]}`)
}

/**
 * What is wrong with an input, if anything.
 *
 * @returns undefined, also for costs that do not show again
 */
export function faultOf(target: Target, input: Uint8Array): unknown {
  let error: unknown
  for (let time = 0; time <= confirmations; time++) {
    let verdict: Verdict | undefined
    const ended = returnsWithin(hangMs, () => {
      verdict = tryOnce(target, input)
    })
    if (!ended) return new Fault('does not return')
    error = verdict?.error
    if (error === undefined || !isCost(error)) return error
  }
  return error
}

const isCost = (error: unknown): boolean =>
  error instanceof Fault && /^(?:takes|allocates) /.test(error.message)

/** Where inputs come from, and which are worth to go on from. */
class Pool {
  readonly inputs: Uint8Array[]
  readonly #target: Target
  readonly #seedCount: number
  readonly #context: MutationContext

  constructor(target: Target, corpus: readonly Uint8Array[], seed: number) {
    this.#target = target
    this.inputs = [...target.seeds, ...corpus]
    if (this.inputs.length === 0) this.inputs.push(new Uint8Array(0))
    this.#seedCount = this.inputs.length
    this.#context = {
      random: seededRandom(seed),
      others: this.inputs,
      fieldsOf: (input) => target.fieldsOf(input),
      inputBytesMax: target.inputBytesMax,
    }
  }

  next(): Uint8Array {
    const { random } = this.#context
    const isNew = random(3) === 0
    const input = isNew ? this.#target.generate(random, this.inputs) : this.#old()
    return isNew && random(2) === 0 ? input : mutated(input, this.#context)
  }

  /** One that was kept, as often as not. */
  #old(): Uint8Array {
    const { random } = this.#context
    const kept = this.inputs.length - this.#seedCount
    if (kept === 0 || random(2) === 0) return pick(this.inputs, random)
    return this.inputs[this.#seedCount + random(kept)]!
  }

  keep(input: Uint8Array): void {
    const kept = this.inputs.length - this.#seedCount
    if (kept < keptMax) this.inputs.push(input)
    else this.inputs[this.#seedCount + this.#context.random(kept)] = input
  }
}

/** Objects of libraries go with a turn of the event loop only. */
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  await setImmediate()
  collect()
}

/** What a run began with. */
interface Footprint {
  readonly leftBytes: number
  readonly residentBytes: number
}

async function footprint(): Promise<Footprint> {
  await collectGarbage()
  return { leftBytes: memoryInUse(), residentBytes: process.memoryUsage.rss() }
}

/** What is wrong with what a whole run leaves behind. */
async function leftBehind(before: Footprint): Promise<Fault | undefined> {
  const { leftBytes, residentBytes } = await footprint()
  const left = leftBytes - before.leftBytes
  if (left > LEFT_BYTES_MAX) return new Fault(`leaves ${left} bytes behind`)
  const resident = residentBytes - before.residentBytes
  if (resident < RESIDENT_GROWTH_BYTES_MAX) return undefined
  return new Fault(`grows by ${resident} resident bytes`)
}

/** Most inputs end in errors, whose stacks nobody reads and which cost more than all the rest. */
function withoutStacks(call: () => void): void {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    call()
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Runs `target` until the budget is used up, or something is found. */
export async function fuzz(
  target: Target,
  corpus: readonly Uint8Array[],
  { seed, budget, onProgress, ignored = [] }: FuzzOptions,
): Promise<FuzzResult> {
  const labels = new Map<string, number>()
  const pool = new Pool(target, corpus, seed)
  const before = await footprint()
  const start = performance.now()
  const inputsMax = budget.inputsMax ?? Number.POSITIVE_INFINITY
  let current: Uint8Array = new Uint8Array(0)
  let inputs = 0
  let told = 0
  let suspect = false
  let seen: unknown
  const group = (): void => {
    for (let i = 0; i < inputsPerGuard && inputs < inputsMax && !suspect; i++) {
      current =
        inputs < pool.inputs.length && inputs < target.seeds.length
          ? target.seeds[inputs]!
          : pool.next()
      inputs++
      const { label, error } = tryOnce(target, current)
      if (label === undefined) {
        suspect = true
        seen = error
        return
      }
      const count = labels.get(label) ?? 0
      labels.set(label, count + 1)
      if (count === 0) pool.keep(current)
    }
  }
  const progress = (): Progress => ({ inputs, seconds: (performance.now() - start) / 1000, labels })
  for (let now = progress(); now.seconds < budget.seconds && inputs < inputsMax; now = progress()) {
    await setImmediate()
    if (!returnsWithin(hangMs, () => withoutStacks(group))) suspect = true
    if (suspect) {
      const finding = findingOf(target, current, seen, ignored)
      seen = undefined
      if (finding !== undefined) return { ...progress(), finding }
      suspect = false
    }
    if (now.seconds - told >= 1) {
      told = now.seconds
      onProgress?.(now)
    }
  }
  const error = await leftBehind(before)
  const finding = error && { kind: kindOf(error), error, input: current }
  return { ...progress(), finding }
}

/** @param seen - what was thrown; undefined for a hang */
function findingOf(
  target: Target,
  input: Uint8Array,
  seen: unknown,
  ignored: readonly string[],
): Finding | undefined {
  const isIgnored = (error: unknown): boolean => {
    return ignored.some((part) => kindOf(error).includes(part))
  }
  if (seen !== undefined && isIgnored(seen)) return undefined
  const error = faultOf(target, input)
  if (error === undefined) {
    // Costs vary. Anything else came of the inputs before.
    if (seen === undefined || isCost(seen)) return undefined
    return { kind: `${kindOf(seen)}, after other inputs`, error: seen, input }
  }
  if (isIgnored(error)) return undefined
  const kind = kindOf(error)
  const isSame = (other: Uint8Array): boolean => {
    const found = faultOf(target, other)
    return found !== undefined && kindOf(found) === kind
  }
  const short = minimised(input, isSame)
  return { kind, error: faultOf(target, short) ?? error, input: short }
}
