/**
 * What a destination says of its machine.
 *
 * @module
 */
import { availableParallelism, hostname, loadavg, totalmem } from 'node:os'
import type { ReadMachine } from './agent-registration.ts'

/**
 * @param listening - `HOST:PORT` really bound
 * @param readFreeBytes - room for guests that are still to come
 * @param memoryLimit - where guests may not have all of the machine
 */
export function machineReader(
  listening: string,
  readFreeBytes: () => number,
  memoryLimit: number | undefined,
): ReadMachine {
  // A container has less than its machine.
  const limits = [memoryLimit, process.constrainedMemory() || undefined, totalmem()]
  const memoryBytes = Math.min(...limits.filter((limit) => limit !== undefined))
  return (name) => ({
    name,
    memoryBytes,
    freeBytes: Math.min(memoryBytes, readFreeBytes()),
    load: loadavg()[0]! / availableParallelism(),
    address: addressOf(listening),
  })
}

/** Nobody can dial "any address": the machine's name is at least one that others may know. */
function addressOf(listening: string): string {
  return listening.replace(/^(?:0\.0\.0\.0|\[::\])(?=:\d+$)/, hostname())
}
