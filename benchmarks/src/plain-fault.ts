/**
 * How long a thread that touches memory by plain loads waits for pages behind the `uffd` pager, by
 * its own clock: a library guest, moved by post-copy to another process. Run as a program it is
 * that process, which receives the guest and touches one page after the other.
 *
 * @module
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { allocateRegion } from '@godwit/memory'
import { receive, send } from 'godwit'
import { quantile } from 'simple-statistics'
import { start } from './children.ts'

const pageBytes = 4096

/** Microseconds. */
export interface PlainWaits {
  readonly p50Us: number
  readonly p99Us: number
}

/** Moves memory of so many pages, all of which are touched there before they came. */
export async function measurePlainFaults(pages: number): Promise<PlainWaits> {
  const { bytes } = allocateRegion({ id: 0, name: 'touched', byteLength: pages * pageBytes })
  for (let page = 0; page < pages; page++) bytes[page * pageBytes] = 1 + (page % 255)
  const self = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, self, 'receive']
  const receiver = start(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
    const next = async (): Promise<string> => String((await lines.next()).value)
    const to = await next()
    const guest = { memory: bytes, pause: () => {}, resume: () => {} }
    const report = await send(guest, { to, mode: 'post-copy', fetch: 'demand' })
    if (report.memory?.equal !== true) throw new Error('a migration was not right')
    const waits = JSON.parse(await next()) as number[]
    return { p50Us: quantile(waits, 0.5), p99Us: quantile(waits, 0.99) }
  } finally {
    receiver.kill('SIGKILL')
  }
}

async function receiveAndTouch(): Promise<void> {
  const receiver = await receive(
    {
      // This thread must not touch the memory: it would wait, and others for it.
      run: ([region]) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: region!.bytes })
        void once(worker, 'message').then(([waits]) => {
          process.stdout.write(`${JSON.stringify(waits)}\n`)
        })
      },
    },
    { listen: '127.0.0.1:0', pager: 'uffd' },
  )
  process.stdout.write(`${receiver.address}\n`)
}

/** Microseconds for every page. */
function touchAll(bytes: Uint8Array): number[] {
  const waits: number[] = []
  for (let at = 0; at < bytes.length; at += pageBytes) {
    const startMs = performance.now()
    const value = bytes[at]
    waits.push((performance.now() - startMs) * 1e3)
    if (value !== 1 + ((at / pageBytes) % 255)) throw new Error(`page ${at / pageBytes} is wrong`)
  }
  return waits
}

if (!isMainThread && workerData instanceof Uint8Array) parentPort!.postMessage(touchAll(workerData))
else if (process.argv[2] === 'receive' && process.argv[1] === fileURLToPath(import.meta.url)) {
  await receiveAndTouch()
}
