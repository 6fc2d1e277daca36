/**
 * A plain program that owns memory, with workers that know nothing of Godwit, becomes migratable.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { probePagemap } from '@godwit/linux'
import type { MemoryArrival } from 'godwit'
import { receive, send } from 'godwit'
import { afterEach, describe, expect, it } from 'vitest'
import { WebAssembly } from './library/wasm-loop.ts'

const { ok: hasPagemap } = await probePagemap()
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

/** Two workers over one memory; a word of the memory stops them. */
async function startProgram() {
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true })
  const words = new Int32Array(memory.buffer)
  const stopAt = memory.buffer.byteLength - 4
  const workers = (['wasm', 'typed-array'] as const).map((loop) => {
    const program = new URL('./library/program.ts', import.meta.url)
    return new Worker(program, { workerData: { memory, loop, stopAt } })
  })
  cleanups.push(async () => {
    Atomics.store(words, stopAt / 4, 1)
    await Promise.all(workers.map((worker) => worker.terminate()))
  })
  const all = (text: string) =>
    Promise.all(
      workers.map(async (worker) => {
        for (;;) if (((await once(worker, 'message')) as [string])[0] === text) return
      }),
    )
  await all('ready')
  const stop = async (): Promise<void> => {
    const stand = all('stands')
    Atomics.store(words, stopAt / 4, 1)
    await stand
  }
  const run = async (): Promise<void> => {
    Atomics.store(words, stopAt / 4, 0)
    const running = all('runs')
    for (const worker of workers) worker.postMessage('run')
    await running
  }
  return { memory, bytes: new Uint8Array(memory.buffer), stop, run }
}

describe('a program with plain stores', () => {
  it.each(['auto', 'scan'] as const)('moves while it stores (%s)', async (tracker) => {
    const { memory, bytes, stop, run } = await startProgram()
    const arrived = Promise.withResolvers<Uint8Array>()
    const receiver = await receive(
      { run: ([region]) => arrived.resolve(region!.bytes) },
      { listen: '127.0.0.1:0' },
    )
    cleanups.push(() => receiver.close())
    await run()
    const report = await send(
      { memory, pause: stop, resume: () => void run() },
      { to: receiver.address, tracker, stop: 'max-rounds=4' },
    )
    expect(report.error).toBeUndefined()
    expect(report.tracker).toBe(tracker === 'auto' && hasPagemap ? 'pagemap' : 'scan')
    expect(report.memory!.equal).toBe(true)
    expect(report.rounds).toHaveLength(5)
    // They stored all the time: every round had something to send.
    for (const round of report.rounds) expect(round.pages).toBeGreaterThan(0)
    expect(Buffer.compare(await arrived.promise, bytes)).toBe(0)
  })

  it('goes on after a migration that failed, and moves at the next attempt', async () => {
    const { memory, bytes, stop, run } = await startProgram()
    const owner = { memory, pause: stop, resume: () => void run() }
    await run()
    const failed = await send(owner, { to: '127.0.0.1:1' })
    expect(failed.error!.code).toBe('CONNECTION_REFUSED')
    const before = bytes.slice()
    while (Buffer.compare(before, bytes) === 0) await new Promise(setImmediate)
    const arrived = Promise.withResolvers<Uint8Array>()
    const receiver = await receive(
      { run: ([region]) => arrived.resolve(region!.bytes) },
      { listen: '127.0.0.1:0' },
    )
    cleanups.push(() => receiver.close())
    const report = await send(owner, { to: receiver.address, stop: 'max-rounds=2' })
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    expect(Buffer.compare(await arrived.promise, bytes)).toBe(0)
  })
})

describe('a program whose threads enter pages before they touch them', () => {
  it('goes on before its memory is there, and is refused where it does not', async () => {
    const pageBytes = 4096
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true })
    const words = new Uint32Array(memory.buffer)
    words.forEach((_, at) => {
      words[at] = Math.imul(at, 2654435761)
    })
    const sum = words.reduce((all, word) => (all + word) >>> 0, 0)
    const found = Promise.withResolvers<number>()
    const run: MemoryArrival['run'] = async ([region], gate) => {
      const { buffer, byteOffset, byteLength } = region!.bytes
      const there = new Uint32Array(buffer, byteOffset, byteLength / 4)
      const program = new URL('./library/gated.ts', import.meta.url)
      const worker = new Worker(program, { workerData: { words: there, gate, pageBytes } })
      cleanups.push(() => worker.terminate())
      worker.on('error', found.reject)
      await once(worker, 'message')
      worker.on('message', found.resolve)
    }
    const guest = { memory, pause: () => {}, resume: () => {} }
    const settings = { mode: 'post-copy', fetch: 'demand', pageBytes } as const
    for (const pager of ['auto', 'gate'] as const) {
      const receiver = await receive({ run }, { listen: '127.0.0.1:0', pager })
      cleanups.push(() => receiver.close())
      const report = await send(guest, { ...settings, to: receiver.address })
      expect(report.error?.code).toBe(pager === 'auto' ? 'PROTOCOL_CAPABILITY' : undefined)
      expect(report.outcome).toBe(pager === 'auto' ? 'failed' : 'completed')
      expect((report.faults?.count ?? 0) > 0).toBe(pager === 'gate')
    }
    expect(await found.promise).toBe(sum)
  })
})
