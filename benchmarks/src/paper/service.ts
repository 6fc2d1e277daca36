/**
 * A service that shares the link with a migration: it sends at a steady rate and forgets what the
 * link does not take; the other end counts. Run as a program it is either end.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '@godwit/transport'

export const SERVICE_PROGRAM: string = fileURLToPath(import.meta.url)
const tickMs = 5
const sampleMs = 20
/** What may be waiting to be sent; a service whose answers are later than that has lost them. */
const backlogMs = 50

/** How much had come at a moment. */
export interface ServiceSample {
  readonly atMs: number
  readonly bytes: number
}

/** What is sent in one tick: what is due, or nothing while too much is waiting. */
export function dueBytes(bytesPerSecond: number, elapsedMs: number, waitingBytes: number): number {
  const isLate = waitingBytes > (bytesPerSecond * backlogMs) / 1e3
  return isLate ? 0 : Math.round((bytesPerSecond * elapsedMs) / 1e3)
}

/**
 * Bytes per second in the slowest stretch of so many milliseconds. The migration is one of those
 * stretches, and nothing else keeps the service from its rate.
 */
export function slowestRate(samples: readonly ServiceSample[], ms: number): number | undefined {
  let slowest: number | undefined
  let end = 0
  for (const begin of samples) {
    while (end < samples.length && samples[end]!.atMs - begin.atMs < ms) end++
    const last = samples[end]
    if (last === undefined) break
    const rate = ((last.bytes - begin.bytes) * 1e3) / (last.atMs - begin.atMs)
    slowest = Math.min(slowest ?? rate, rate)
  }
  return slowest
}

/** Counts what comes; says where it listens, and at each line that it reads, all samples. */
async function count(host: string): Promise<void> {
  const samples: ServiceSample[] = []
  let bytes = 0
  const server = createServer((socket) => {
    socket.on('data', (piece) => void (bytes += piece.length))
    socket.on('error', () => {})
  })
  server.listen(0, host)
  await once(server, 'listening')
  setInterval(() => samples.push({ atMs: performance.now(), bytes }), sampleMs)
  process.stdout.write(`${host}:${(server.address() as AddressInfo).port}\n`)
  for await (const _ of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(samples)}\n`)
  }
  process.exit()
}

/** Sends until it is ended, or nobody counts any more. */
function serve(address: string, bytesPerSecond: number): void {
  const socket = connect({ ...parseAddress(address), noDelay: true })
  const ended = (): never => process.exit()
  socket.on('error', ended).on('close', ended)
  let atMs = performance.now()
  setInterval(() => {
    const nowMs = performance.now()
    const bytes = dueBytes(bytesPerSecond, nowMs - atMs, socket.writableLength)
    atMs = nowMs
    if (bytes > 0) socket.write(Buffer.alloc(bytes))
  }, tickMs)
  // Whoever started this has gone.
  process.stdin.on('close', ended).resume()
}

if (process.argv[1] === SERVICE_PROGRAM) {
  const [, , role, where = '', rate] = process.argv
  if (role === 'count') await count(where)
  else serve(where, Number(rate))
}
