/**
 * What Node gives the runtime-neutral packages: primitives, randomness, and what this process uses.
 *
 * @module
 */
import { hash, randomBytes as nodeRandomBytes } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import type { CopyBytes, Primitives, Sha256 } from '@godwit/codec'
import { createPrimitives } from '@godwit/codec'
import type { UsageMeter } from '@godwit/core'
import { KERNELS_WASM_URL } from '@godwit/kernels'
import { createNodeZstd } from './zstd.ts'

/** As the kernel shows the threads of Node's pool. */
const poolThreadName = 'libuv-worker\n'

export const SOFTWARE = 'godwit/0.1.0'

const nativeSha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer')

/** Of the C library, which copies large pieces without reading what they replace. */
const nativeCopy: CopyBytes = (to, at, from, start, end) => {
  Buffer.prototype.copy.call(from, to, at, start, end)
}

let primitives: Promise<Primitives> | undefined

/** What the codec takes from Node, instantiated once per thread. */
export function nodePrimitives(): Promise<Primitives> {
  primitives ??= createPrimitives({
    sha256: nativeSha256,
    kernelsWasm: readFileSync(KERNELS_WASM_URL),
    copy: nativeCopy,
    zstd: createNodeZstd(),
  })
  return primitives
}

/** Cryptographically random bytes in memory of their own. */
export function randomBytes(byteCount: number): Uint8Array {
  return Uint8Array.from(nodeRandomBytes(byteCount))
}

/** CPU time of the calling thread so far. */
export function threadCpuSeconds(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1e6
}

/** CPU time so far of the threads that compress; 0 where nobody tells. */
function poolCpuSeconds(): number {
  try {
    const tasks = readdirSync('/proc/self/task').map((id) => `/proc/self/task/${id}`)
    const workers = tasks.filter((task) => readFileSync(`${task}/comm`, 'utf8') === poolThreadName)
    const times = workers.map((task) => readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0])
    return times.reduce((sum, nanoseconds) => sum + Number(nanoseconds) / 1e9, 0)
  } catch {
    return 0
  }
}

/** A value of `/proc/self/status` in bytes, or undefined where there is none. */
function statusBytes(field: 'VmHWM' | 'VmRSS'): number | undefined {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(
      readFileSync('/proc/self/status', 'utf8'),
    )
    return match === null ? undefined : Number(match[1]) * 1024
  } catch {
    return undefined
  }
}

/** Makes the kernel forget the peak so far (Linux: `clear_refs` 5). */
function resetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Not Linux, or not allowed: the peak then includes what came before the migration.
  }
}

/**
 * CPU of the agent's thread and of those that compress for it, and peak resident memory of the
 * process, from `start` on. Migrations that run at the same time in one process share the peak.
 */
export function createUsageMeter(): UsageMeter {
  let excludedBytes = 0
  let residentBytes = 0
  let cpu = process.threadCpuUsage()
  let poolSeconds = 0
  return {
    start() {
      resetPeak()
      residentBytes = statusBytes('VmRSS') ?? process.memoryUsage.rss()
      cpu = process.threadCpuUsage()
      poolSeconds = poolCpuSeconds()
    },
    exclude(guestBytes) {
      excludedBytes += guestBytes
    },
    read() {
      const { user, system } = process.threadCpuUsage(cpu)
      const peakBytes = statusBytes('VmHWM') ?? process.memoryUsage.rss()
      return {
        cpuSeconds: (user + system) / 1e6 + poolCpuSeconds() - poolSeconds,
        overheadBytes: Math.max(0, peakBytes - residentBytes - excludedBytes),
      }
    },
  }
}
