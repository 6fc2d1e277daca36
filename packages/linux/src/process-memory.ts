/**
 * Where memory of this process is, and what `/proc/self` tells of it.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { types } from 'node:util'
import { GodwitError, type Region } from '@godwit/core'
import type { SystemCalls } from './system-calls.ts'

const mapping = /^([0-9a-f]+)-([0-9a-f]+) ...(.) [0-9a-f]+ \S+ (\d+)/

/**
 * Whether all of `[start, end)` is private memory without a file behind it: pages of it that are
 * not there are zero. Shared memory and files have their contents elsewhere.
 */
export function isPrivateMemory(start: number, end: number): boolean {
  let privateUntil = start
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const match = mapping.exec(line)
    if (match === null) continue
    const [from, until] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)]
    if (until <= start || from >= end) continue
    if (from > privateUntil || match[3] !== 'p' || match[4] !== '0') return false
    privateUntil = until
  }
  return privateUntil >= end
}

/** Whether any page of this process is swapped out, or this kernel does not tell. */
export function isSwappedOut(): boolean {
  const match = /^VmSwap:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return match?.[1] !== '0'
}

/**
 * Where the region starts, for good.
 *
 * @throws {GodwitError} `USAGE` with a reason: it may move, or does not start with a kernel page
 */
export function startOf({ name, bytes }: Region, calls: SystemCalls): number {
  if (!types.isSharedArrayBuffer(bytes.buffer)) {
    throw new GodwitError(
      'USAGE',
      `region "${name}" is in an ArrayBuffer, which may move; a shared WebAssembly.Memory does not`,
    )
  }
  const start = calls.addressOf(bytes)
  const beyond = start % calls.kernelPageBytes
  if (beyond === 0) return start
  throw new GodwitError(
    'USAGE',
    `region "${name}" starts ${beyond} bytes into a page of the kernel; it must start with one, ` +
      'as a shared WebAssembly.Memory does',
  )
}
