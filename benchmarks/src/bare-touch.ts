/**
 * The physical limit of a reservation: a bare loop in a thread of a bare Node process that stores
 * to every page of fresh memory, of the kind guests have. Run as a program it is that process.
 *
 * @module
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker } from 'node:worker_threads'
import { allocateRegion, REGION_BYTES_MAX } from '@godwit/memory'
import { run } from './process.ts'

const kernelPageBytes = 4096

/** Milliseconds that the first touch of `totalBytes` takes; they are free again. */
export async function measureBareTouch(totalBytes: number): Promise<number> {
  const self = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, self, 'touch', `${totalBytes}`]
  return Number(await run(process.execPath, args))
}

function touchAll(totalBytes: number): void {
  // All are kept, so that none of it is free before all of it was touched.
  const pieces: Uint8Array[] = []
  const startMs = performance.now()
  for (let left = totalBytes; left > 0; left -= REGION_BYTES_MAX) {
    const byteLength = Math.min(REGION_BYTES_MAX, left)
    const { bytes } = allocateRegion({ id: pieces.length, name: 'touched', byteLength })
    pieces.push(bytes)
    for (let at = 0; at < bytes.length; at += kernelPageBytes) bytes[at] = 0
  }
  process.stdout.write(`${performance.now() - startMs}\n`)
}

if (process.argv[2] === 'touch' && process.argv[1] === fileURLToPath(import.meta.url)) {
  if (isMainThread) new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  else touchAll(Number(process.argv[3]))
}
