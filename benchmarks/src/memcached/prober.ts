/**
 * A client that asks for one key again and again, one request after the other, and notes how long
 * each took: what a client sees of a migration.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Between an answer and the next request: it is to see the service, not to load it. */
const betweenMs = 1

/** One request. */
export interface Probe {
  /** By the clock of `performance`. */
  readonly atMs: number
  readonly tookMs: number
}

export class Prober {
  readonly probes: Probe[] = []
  /** Resolves when it has ended, rejects when an answer was wrong or the connection was cut. */
  readonly ended: Promise<void>
  #isOver = false

  constructor(host: string, port: number) {
    const socket = connect({ host, port, noDelay: true })
    socket.setEncoding('latin1')
    this.ended = this.#ask(socket).finally(() => socket.destroy())
    // Told to whoever ends it.
    this.ended.catch(() => {})
  }

  async #ask(socket: Socket): Promise<void> {
    const replies = socket[Symbol.asyncIterator]() as AsyncIterator<string>
    const expected = ['STORED\r\n', 'VALUE probe 0 1\r\nx\r\nEND\r\n'] as const
    for (let i = 0; !this.#isOver; i++) {
      const atMs = performance.now()
      socket.write(i === 0 ? 'set probe 0 0 1\r\nx\r\n' : 'get probe\r\n')
      const { value, done } = await replies.next()
      if (done === true) throw new Error('the connection of a client was cut')
      if (value !== expected[Math.min(i, 1)]) throw new Error(`a client was told "${value}"`)
      this.probes.push({ atMs, tookMs: performance.now() - atMs })
      await sleep(betweenMs)
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.ended
  }
}

/** The longest of those that were underway at some time between two moments; 0 for none. */
export function longestMs(probes: readonly Probe[], fromMs: number, toMs: number): number {
  return probes.reduce(
    (longest, { atMs, tookMs }) =>
      atMs < toMs && atMs + tookMs > fromMs ? Math.max(longest, tookMs) : longest,
    0,
  )
}
