/**
 * Every process that a benchmark starts, so that none outlives an interrupt.
 *
 * @module
 */
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { GodwitError } from '@godwit/core'

/** So long a process may take to end by itself. */
const graceMs = 5000

const running = new Set<ChildProcess>()
let isInterrupted = false
let endsWithUs = false

/** As `spawn` does. */
export const start = ((program: string, args: readonly string[], options: SpawnOptions) => {
  const child = spawn(program, args, options)
  if (!endsWithUs) process.once('exit', killChildren)
  endsWithUs = true
  running.add(child)
  child.once('error', () => running.delete(child))
  child.once('exit', () => running.delete(child))
  return child
}) as typeof spawn

/** Where there is no time left to ask. */
function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** A benchmark begins: that one before it was interrupted is nothing to it. */
export function beginBenchmark(): void {
  isInterrupted = false
}

/** Ends all of them: what waits for one fails, and nothing is measured in this benchmark. */
export function interruptBenchmark(): Promise<void> {
  isInterrupted = true
  return endChildren()
}

/** Asks all of them to end, then makes them. @returns when they have ended */
export async function endChildren(waitMs: number = graceMs): Promise<void> {
  await Promise.all([...running].map((child) => endChild(child, waitMs)))
}

async function endChild(child: ChildProcess, waitMs: number): Promise<void> {
  const ended = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), waitMs)
  child.kill('SIGTERM')
  await ended
  clearTimeout(timer)
}

/** Why a process came to nothing: after an interrupt that, whatever else was seen. */
export function failure(text: string, options?: ErrorOptions): Error {
  if (!isInterrupted) return new Error(text, options)
  return new GodwitError('CANCELLED', 'The benchmark was interrupted', options)
}

/** @throws {GodwitError} `CANCELLED` */
export function checkInterrupted(): void {
  if (isInterrupted) throw failure('')
}
