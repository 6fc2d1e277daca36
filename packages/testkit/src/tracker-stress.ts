/**
 * Threads that store all the time, against a tracker: whether it loses one of their stores.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import { storesModule } from './store-kinds.ts'
import { TrackedCopy, type TrackerSetup } from './tracked-copy.ts'

/** How much to store and to collect. */
export interface StressOptions {
  readonly pageBytes?: number
  readonly pageCount?: number
  readonly writers?: number
  /** How often the writers are stopped and the copy is compared. */
  readonly stops?: number
  /** Rounds between two stops that found something; fewer when the time is up. */
  readonly rounds?: number
  /** Between two stops, in milliseconds. */
  readonly time?: number
  /** Most stores of a writer between two stops. */
  readonly stores?: number
}

export interface StressResult {
  readonly rounds: number
  readonly stores: number
  /** Pages whose copy was wrong when the writers had stopped. */
  readonly lost: readonly number[]
}

/**
 * Threads store as fast as they can, to a few pages always and to all the others in turn, while
 * this thread collects and copies. Whenever they stop, one last round must make the copy right.
 *
 * A lost store stays visible until its page is stored to again; the pages in turn are for that.
 */
export async function stressTracker(
  setup: TrackerSetup,
  options: StressOptions = {},
): Promise<StressResult> {
  const { pageBytes = 4096, pageCount = 256, stops = 8, rounds = 400, time = 120 } = options
  const copy = await TrackedCopy.create(setup, pageBytes, pageCount)
  const writers = new Writers(copy, options)
  const result = { rounds: 0, stores: 0, lost: [] as number[] }
  try {
    await writers.start()
    for (let stop = 0; stop < stops && result.lost.length === 0; stop++) {
      writers.go()
      const end = performance.now() + time
      for (let busy = 0; busy < rounds && performance.now() < end; result.rounds++) {
        if (copy.collect().length > 0) busy++
      }
      await writers.stop()
      copy.collect()
      result.lost.push(...copy.lost())
    }
    result.stores = writers.stores
    return result
  } finally {
    await writers.end()
    copy.tracked.close?.()
  }
}

/** Words of what the threads share with this one: which run it is, whether to stop it, ... */
const control = { run: 0, stop: 1, idle: 2, stores: 3 } as const

class Writers {
  readonly #control: Int32Array = new Int32Array(new SharedArrayBuffer(16))
  readonly #workers: Worker[] = []
  readonly #count: number
  readonly #data: object
  #run = 0
  #failure: Error | undefined

  constructor(copy: TrackedCopy, { writers = 2, stores = 2_000_000 }: StressOptions) {
    const { memory, pageBytes, pageCount, bytes, tracked } = copy
    const place = { origin: bytes.byteOffset, byteLength: bytes.length, pageBytes, pageCount }
    const shared = { memory, marks: tracked.marks, control: this.#control }
    this.#count = writers
    this.#data = { ...place, ...shared, stores, names: control, wasmStores: storesModule() }
  }

  async start(): Promise<void> {
    for (let index = 0; index < this.#count; index++) {
      const workerData = { ...this.#data, index }
      const worker = new Worker(writerSource, { eval: true, workerData })
      worker.on('error', (error) => {
        this.#failure = error as Error
      })
      this.#workers.push(worker)
    }
    await this.#untilIdle()
  }

  go(): void {
    Atomics.store(this.#control, control.idle, 0)
    Atomics.store(this.#control, control.run, ++this.#run)
    Atomics.notify(this.#control, control.run)
  }

  async stop(): Promise<void> {
    Atomics.store(this.#control, control.stop, this.#run)
    await this.#untilIdle()
  }

  get areIdle(): boolean {
    return Atomics.load(this.#control, control.idle) === this.#count
  }

  get stores(): number {
    return Atomics.load(this.#control, control.stores)
  }

  async #untilIdle(): Promise<void> {
    while (!this.areIdle) {
      if (this.#failure !== undefined) throw this.#failure
      await new Promise(setImmediate)
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }
}

const writerSource = `
const { workerData } = require('node:worker_threads')
const { memory, origin, byteLength, pageBytes, pageCount, marks, control, names } = workerData
const wasm = new WebAssembly.Instance(new WebAssembly.Module(workerData.wasmStores), {
  e: { m: memory },
}).exports
const bytes = new Uint8Array(memory.buffer)
const words = new Int32Array(memory.buffer)
const floats = new Float64Array(memory.buffer)
const bigs = new BigInt64Array(memory.buffer)
const view = new DataView(memory.buffer)
const pattern = new Uint8Array(64).fill(workerData.index + 1)
let state = 12345 + workerData.index * 7919
const next = (limit) => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % limit
}
const kinds = [
  (at, value) => { bytes[at] = value },
  (at, value) => { words[at >> 2] = value },
  (at, value) => { floats[at >> 3] = value },
  (at, value) => { bigs[at >> 3] = BigInt(value) },
  (at, value) => { view.setUint32(at, value) },
  (at, value) => { Atomics.store(words, at >> 2, value) },
  (at) => { Atomics.add(words, at >> 2, 1) },
  (at, value) => { bytes.fill(value, at, at + 64) },
  (at) => { bytes.copyWithin(at, 0, 64) },
  (at) => { bytes.set(pattern, at) },
  (at, value) => { wasm['i32.store'](at, value, 0) },
  (at, value) => { wasm['memory.fill'](at, value, 64) },
]
const store = (page) => {
  const start = page * pageBytes
  // A multiple of 8 that leaves room for 64 bytes, in the short last page, too.
  const at = start + next((Math.min(byteLength - start, pageBytes) - 64) >> 3) * 8
  kinds[next(kinds.length)](origin + at, next(1 << 30))
  if (marks !== undefined) Atomics.store(marks, page, 1)
}
const hotPages = Math.max(1, pageCount >> 5)
let turn = workerData.index * (pageCount >> 1)
for (let run = 0; ; ) {
  Atomics.add(control, names.idle, 1)
  Atomics.wait(control, names.run, run)
  run = Atomics.load(control, names.run)
  let stores = 0
  while (stores < workerData.stores && Atomics.load(control, names.stop) < run) {
    for (let i = 0; i < 15; i++) store(next(hotPages))
    turn = (turn + 1) % pageCount
    store(turn)
    stores += 16
  }
  Atomics.add(control, names.stores, stores)
}
`
