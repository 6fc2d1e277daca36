/**
 * Traffic of a service beside a migration: one TCP stream of random bytes at a rate, and what it
 * came to. It has a thread of its own, so that the agent's does not pay for it.
 *
 * @module
 */
import type { ErrorParts, GodwitError, TrafficReport } from '@godwit/core'
import { checkRate, errorOf } from '@godwit/core'
import { parseAddress } from '@godwit/transport'
import { entryUrl, startThread } from './thread.ts'

/** What to send, and where. */
export interface TrafficOptions {
  /** `HOST:PORT` of a sink, like {@link listenForTraffic}'s. */
  readonly to: string
  readonly bytesPerSecond: number
}

/** A stream that goes on until it is stopped. */
export interface Traffic {
  /** Measures from now on: whenever it is asked, what was sent since. */
  measure(): () => TrafficReport
  /** Resolves when it is over: with the reason where nobody stopped it. */
  readonly ended: Promise<GodwitError | undefined>
  /** Why it is over, where nobody stopped it. */
  readonly error: GodwitError | undefined
  stop(): void
}

/** For the thread. */
export interface TrafficJob {
  readonly host: string
  readonly port: number
  readonly bytesPerSecond: number
  /** One 64-bit word: bytes that the system has taken so far. */
  readonly sent: SharedArrayBuffer
}

/** From the thread. */
export type TrafficWord =
  | { readonly type: 'connected' }
  | { readonly type: 'failed'; readonly error: ErrorParts }

/**
 * Connects and sends, as evenly as a migration with that cap does. What the link does not carry is
 * not made up for.
 *
 * @throws {GodwitError} `ADDRESS_INVALID`, `USAGE`: the rate is not above 0
 * @throws {TransportError} the sink cannot be reached
 */
export async function startTraffic({ to, bytesPerSecond }: TrafficOptions): Promise<Traffic> {
  const { host, port } = parseAddress(to)
  checkRate(bytesPerSecond, 'bytesPerSecond')
  const sent = new SharedArrayBuffer(8)
  const words = new BigInt64Array(sent)
  const job: TrafficJob = { host, port, bytesPerSecond, sent }
  const entry = entryUrl('./traffic-thread.ts', import.meta.url)
  const thread = startThread<never, TrafficWord>(entry, 'traffic', job)
  const connected = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<GodwitError | undefined>()
  thread.listen((word) => {
    if (word.type === 'connected') return connected.resolve()
    ended.resolve(errorOf(word.error))
    thread.end()
  })
  void thread.ended.then((error) => ended.resolve(error))
  let lost: GodwitError | undefined
  void ended.promise.then((error) => {
    lost = error
    connected.reject(error)
  })
  await connected.promise
  return {
    ended: ended.promise,
    get error() {
      return lost
    },
    measure() {
      const fromMs = performance.now()
      const fromBytes = Atomics.load(words, 0)
      return () => {
        const ms = performance.now() - fromMs
        const bytes = Number(Atomics.load(words, 0) - fromBytes)
        const rate = ms > 0 ? (bytes / ms) * 1e3 : 0
        return { askedBytesPerSecond: bytesPerSecond, bytesPerSecond: rate, bytes, ms }
      }
    },
    stop: () => thread.end(),
  }
}
