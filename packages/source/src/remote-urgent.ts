/**
 * An urgent channel on a thread of its own: the control plane's end.
 *
 * @module
 */
import type { Channel, GodwitError as Failure, HashName, Thread } from '@godwit/core'
import { CancelledError, GodwitError, errorOf } from '@godwit/core'
import type { Preface } from '@godwit/wire'
import { spansOfPush, spansOfSent } from './round-spans.ts'
import type { LaneRound, PushWork } from './round-work.ts'
import { emptyRound } from './round-work.ts'
import type { UrgentCommand, UrgentReport } from './urgent-messages.ts'
import type { UrgentChannel, UrgentOptions } from './urgent.ts'

/** How an urgent channel gets a thread; the runtime's business. */
export interface UrgentThreads {
  /** Starts a thread that serves one urgent channel, see `serveUrgent`. */
  start(): Thread<UrgentCommand, UrgentReport>
  /** Another descriptor of the same connection, for the thread. Throws where there is none left. */
  duplicate(descriptor: number): number
  /** Closes a descriptor that no thread took over. */
  close(descriptor: number): void
}

/** What a thread is told of the migration. */
export interface UrgentPlan extends Pick<UrgentOptions, 'pageBytes' | 'sent' | 'onLost'> {
  readonly hash: HashName
  readonly seed: Uint8Array
  readonly memoryBytes: number
}

/** One urgent channel and its thread, which ends with it. */
export class RemoteUrgent implements UrgentChannel {
  /** Exact when {@link ended}. */
  wireBytes = 0
  /** Of the thread, up to {@link end}. */
  cpuSeconds = 0
  /** Resolves when the thread is gone. */
  readonly ended: Promise<void>
  readonly #threads: UrgentThreads
  readonly #thread: Thread<UrgentCommand, UrgentReport>
  readonly #onLost: UrgentPlan['onLost']
  readonly #opened: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  /** Sent to the thread, which has not taken it over yet. */
  #descriptor: number | undefined
  #hasChannel = false
  #isClosed = false
  #isGone = false
  #done: ((done: LaneRound) => void) | undefined

  /** Starts the thread, which warms up. */
  constructor(threads: UrgentThreads, plan: UrgentPlan) {
    const { onLost, sent, hash, seed, pageBytes, memoryBytes } = plan
    this.#threads = threads
    this.#onLost = onLost
    this.#thread = threads.start()
    // Where nobody waits for it, it is told by `onLost`.
    this.#opened.promise.catch(() => {})
    this.#thread.listen((report) => this.#hear(report))
    this.ended = this.#thread.ended.then((error) => this.#gone(error))
    const settings = { hash, seed, pageBytes, memoryBytes }
    this.#thread.post({ do: 'prepare', ...settings, sent: spansOfSent(sent) })
  }

  /**
   * Takes a connection that was dialled and can be detached; resolves when the destination answered
   * to `preface`. Rejects otherwise.
   *
   * @param secret - of the control channel, where channels are sealed
   */
  async open(channel: Channel, preface: Preface, secret?: Uint8Array): Promise<void> {
    const detached = await channel.detach!((descriptor) => this.#threads.duplicate(descriptor))
    if (this.#isClosed || this.#isGone) this.#threads.close(detached.descriptor)
    else {
      this.#hasChannel = true
      this.#descriptor = detached.descriptor
      this.#thread.post({ do: 'open', channel: detached, preface, secret })
    }
    await this.#opened.promise
  }

  skip(round: number): void {
    this.#thread.post({ do: 'skip', round })
  }

  begin(round: number, known: boolean, push: PushWork): void {
    this.#thread.post({ do: 'begin', round, known, push: spansOfPush(push) })
  }

  end(done: (round: LaneRound) => void): void {
    this.#done = done
    if (this.#isGone || this.#isClosed) this.#finish(emptyRound())
    else this.#thread.post({ do: 'end' })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#opened.reject(new CancelledError())
    if (this.#hasChannel) this.#thread.post({ do: 'close' })
    else this.#thread.end()
    this.#finish(emptyRound())
  }

  #hear(report: UrgentReport): void {
    if ('cpuSeconds' in report) this.cpuSeconds = report.cpuSeconds
    switch (report.type) {
      case 'attached':
        this.#descriptor = undefined
        break
      case 'opened':
        this.#opened.resolve()
        break
      case 'sent':
        this.#finish(report.done)
        break
      case 'lost':
        this.#fail(report.error && errorOf(report.error))
        break
      case 'ended':
        this.wireBytes = report.wireBytes
        this.#thread.end()
        break
    }
  }

  #gone(error: Failure | undefined): void {
    this.#isGone = true
    if (this.#descriptor !== undefined) this.#threads.close(this.#descriptor)
    if (error !== undefined || !this.#isClosed) this.#fail(error)
  }

  #fail(error: Failure | undefined): void {
    this.#opened.reject(error ?? new GodwitError('INTERNAL', 'An urgent channel ended by itself'))
    if (!this.#isClosed) this.#onLost(error)
    this.#finish(emptyRound())
  }

  #finish(round: LaneRound): void {
    this.#done?.(round)
    this.#done = undefined
  }
}
