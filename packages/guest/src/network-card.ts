/**
 * The network card of a guest `network`: the host's side of its stream. It has a thread of its own
 * and nothing that travels: what the guest has not taken from it was never acknowledged.
 *
 * @module
 */
import { Worker } from 'node:worker_threads'
import { GodwitError, type GuestIdentity } from '@godwit/core'
import { ReceiveQueue } from './receive-queue.ts'

/** For the thread. */
export interface CardJob {
  readonly queue: SharedArrayBuffer
  readonly seed: number
  readonly bytesPerSecond: number
  /** Undefined: the card starts a peer. */
  readonly peer: { readonly host: string; readonly port: number } | undefined
}

/** To the thread. */
export type CardOrder =
  | { readonly type: 'begin'; readonly course: number; readonly first: number }
  | { readonly type: 'end' }

/** From the thread. */
export type CardWord =
  | { readonly type: 'connected' }
  | { readonly type: 'lost' | 'failed'; readonly text: string }

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './network-card-thread.ts' : './network-card-thread.js',
  import.meta.url,
)

/** `HOST:PORT` as the option `peer` has it; see `guest-option.ts`. */
function addressOf(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

/** Dials the peer, or starts one, and dials again whenever it loses it. */
export class NetworkCard {
  /** For the guest. */
  readonly queue: ReceiveQueue = new ReceiveQueue()
  /** Resolves when the peer is connected. @throws {GodwitError} `GUEST_FAILED` */
  readonly ready: Promise<void>
  /** Resolves, with the reason, when there can be no stream any more; else never. */
  readonly failed: Promise<GodwitError>
  readonly #worker: Worker
  readonly #ended: Promise<void>
  #isBegun = false

  /** @param identity - complete, of kind `network` */
  constructor(identity: GuestIdentity) {
    const { peer, rate, seed } = identity.options
    const job: CardJob = {
      queue: this.queue.memory,
      seed: Number(seed),
      bytesPerSecond: Number(rate),
      peer: peer === undefined ? undefined : addressOf(String(peer)),
    }
    const connected = Promise.withResolvers<void>()
    const failed = Promise.withResolvers<GodwitError>()
    this.ready = connected.promise
    this.failed = failed.promise
    // Who waits for neither is told by the other.
    connected.promise.catch(() => {})
    const fail = (text: string, cause?: unknown): void => {
      const error = new GodwitError('GUEST_FAILED', text, { cause })
      connected.reject(error)
      failed.resolve(error)
    }
    this.#worker = new Worker(entry, { workerData: job, name: 'network card' })
    this.#worker.on('message', (word: CardWord) => {
      if (word.type === 'connected') return connected.resolve()
      if (word.type === 'failed') return fail(word.text)
      const where = `No peer of guest network at ${peer}: ${word.text}`
      // Only the first attempt tells anything: one that was there once may come back.
      connected.reject(
        new GodwitError('GUEST_FAILED', `${where}; start one with \`godwit traffic --streams\``),
      )
    })
    this.#worker.on('error', (cause) => fail('The network card of the guest failed', cause))
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        fail('The network card of the guest ended by itself')
        resolve()
      })
    })
  }

  #post(order: CardOrder): void {
    this.#worker.postMessage(order)
  }

  /** The guest is about to run for the first time, or after its registers were loaded anew. */
  begin(first: number): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#post({ type: 'begin', course: this.queue.ask(), first })
  }

  /** The guest's registers were loaded: what is in the queue is not for it. */
  reset(): void {
    this.#isBegun = false
  }

  /** Ends the thread, and the peer that it started; resolved once the former is gone. */
  async stop(): Promise<void> {
    this.#post({ type: 'end' })
    await this.#ended
  }
}
