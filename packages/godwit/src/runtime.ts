/**
 * What Node gives the runtime-neutral packages: primitives, randomness, and what this process uses.
 *
 * @module
 */
import { randomBytes as nodeRandomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs'
import type { OpenFile, Primitives } from '@godwit/codec'
import { createPrimitives } from '@godwit/codec'
import type { UsageMeter } from '@godwit/core'
import { KERNELS_SHARED_WASM_URL, KERNELS_WASM_URL } from '@godwit/kernels'
import { nativeCopy, nativeSha256, nativeWriteSha } from './native-bytes.ts'
import { createNodeZstd } from './zstd.ts'

export const SOFTWARE = 'godwit/0.1.0'

/** A regular file: whatever else stands there by now is not waited for. */
const openFile: OpenFile = (path) => {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  if (!fstatSync(descriptor).isFile()) {
    closeSync(descriptor)
    throw new Error(`${path} is no regular file`)
  }
  return {
    read: (into, at, byteCount, position) => readSync(descriptor, into, at, byteCount, position),
    close: () => closeSync(descriptor),
  }
}

let primitives: Promise<Primitives> | undefined

/** What the codec takes from Node, instantiated once per thread. */
export function nodePrimitives(): Promise<Primitives> {
  primitives ??= createPrimitives({
    sha256: nativeSha256,
    writeSha: nativeWriteSha,
    kernelsWasm: readFileSync(KERNELS_WASM_URL),
    kernelsSharedWasm: readFileSync(KERNELS_SHARED_WASM_URL),
    copy: nativeCopy,
    zstd: createNodeZstd(),
    openFile,
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
 * CPU of the agent's thread, and peak resident memory of the process, from `start` on. Migrations
 * that run at the same time in one process share the peak.
 */
export function createUsageMeter(): UsageMeter {
  let excludedBytes = 0
  let residentBytes = 0
  let cpu = process.threadCpuUsage()
  return {
    start() {
      resetPeak()
      residentBytes = statusBytes('VmRSS') ?? process.memoryUsage.rss()
      cpu = process.threadCpuUsage()
    },
    exclude(guestBytes) {
      excludedBytes += guestBytes
    },
    read() {
      const { user, system } = process.threadCpuUsage(cpu)
      const peakBytes = statusBytes('VmHWM') ?? process.memoryUsage.rss()
      return {
        cpuSeconds: (user + system) / 1e6,
        overheadBytes: Math.max(0, peakBytes - residentBytes - excludedBytes),
      }
    },
  }
}
