/**
 * What this process holds: memory, descriptors, threads, and whatever keeps its event loop alive.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Footprint {
  readonly residentBytes: number
  /** Of JavaScript, buffers included. */
  readonly heapBytes: number
  readonly descriptors: number
  readonly threads: number
  /** Timers, sockets and the like, how many of each. */
  readonly resources: Readonly<Record<string, number>>
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What nobody has any more is gone. */
export async function collectGarbage(): Promise<void> {
  // Objects of libraries go with a turn of the event loop only.
  for (let i = 0; i < 3; i++) {
    collect()
    await setImmediate()
  }
}

/** Once the collector has run. */
export async function measure(): Promise<Footprint> {
  await collectGarbage()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const { rss, heapUsed, external } = process.memoryUsage()
  return {
    residentBytes: rss,
    heapBytes: heapUsed + external,
    descriptors: readdirSync('/proc/self/fd').length,
    threads: readdirSync('/proc/self/task').length,
    resources,
  }
}
