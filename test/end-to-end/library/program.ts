/**
 * A worker of a plain program: stores to its memory and knows nothing of migration.
 *
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { SharedMemory } from './wasm-loop.ts'
import { WebAssembly, wasmLoop } from './wasm-loop.ts'

const { memory, loop, stopAt } = workerData as {
  memory: SharedMemory
  loop: 'wasm' | 'typed-array'
  stopAt: number
}
const words = new Uint32Array(memory.buffer)

/** Scatters growing numbers over the first half of memory. */
function storeNumbers(): void {
  const half = words.length / 2
  for (let value = 1, at = 1; Atomics.load(words, stopAt / 4) === 0; value++) {
    words[at] = value
    at = (at + 1031) % half
  }
}

async function createLoop(): Promise<() => void> {
  if (loop === 'typed-array') return storeNumbers
  const { instance } = await WebAssembly.instantiate(wasmLoop, { e: { m: memory } })
  const run = instance.exports['run'] as (byteLength: number, stopAt: number) => void
  return () => run(memory.buffer.byteLength / 4, stopAt)
}

const run = await createLoop()
parentPort!.on('message', () => {
  parentPort!.postMessage('runs')
  run()
  parentPort!.postMessage('stands')
})
parentPort!.postMessage('ready')
