/**
 * A lane on a thread of its own: the control plane's end.
 *
 * @module
 */
import type { DemandPager, GodwitError, Thread } from '@godwit/core'
import { CancelledError, errorOf, spanOf, toGodwitError } from '@godwit/core'
import type { InstalledPages, StaticContents } from '@godwit/codec'
import type { Link } from '@godwit/link'
import type { LaneCommand, LanePlan, LaneReport } from './lane-messages.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { spansOfStatic } from './static-spans.ts'

/** How lanes get threads; the runtime's business. */
export interface LaneThreads {
  /** Starts a thread that serves one lane, see `serveLane`. */
  start(): Thread<LaneCommand, LaneReport>
  /** The same, for the urgent channel; without it, that is served on the calling thread. */
  readonly startUrgent?: () => Thread<LaneCommand, LaneReport>
  /** Another descriptor of the same connection, for the thread. Throws where there is none left. */
  duplicate(descriptor: number): number
  /** Closes a descriptor that no thread took over. */
  close(descriptor: number): void
}

/** What a remote lane asks of its migration. */
export interface RemoteLaneOwner extends Omit<LaneOwner, 'installableRound' | 'isPostCopy'> {
  /** The thread is gone although nobody ended it, or cannot do its work. */
  laneDied(error: GodwitError): void
}

/** One lane and its thread, which ends with it. */
export class RemoteLane implements Lane {
  pages = 0
  receivedBytes = 0
  wireBytes = 0
  cpuSeconds = 0
  /**
   * Resolves when the thread has prepared itself.
   * Rejects when it cannot be had or was closed before.
   */
  readonly ready: Promise<void>
  /** Resolves when the thread is gone and all counters are final. */
  readonly ended: Promise<void>
  /** Resolves when the thread stores to the memory no more; the channel may still linger. */
  readonly stopped: Promise<void>
  readonly #threads: LaneThreads
  readonly #thread: Thread<LaneCommand, LaneReport>
  readonly #owner: RemoteLaneOwner
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  readonly #stopped: PromiseWithResolvers<void> = Promise.withResolvers<void>()
  /** A channel is being detached, or was sent to the thread. */
  #state: 'none' | 'detaching' | 'sent' = 'none'
  /** Sent to the thread, which has not taken it over yet. */
  #descriptor: number | undefined
  #isClosed = false
  #isGone = false

  /** Starts the thread, which prepares itself. */
  constructor(threads: LaneThreads, plan: LanePlan, owner: RemoteLaneOwner) {
    this.#threads = threads
    this.#owner = owner
    this.#thread = plan.urgent ? threads.startUrgent!() : threads.start()
    this.ready = this.#ready.promise
    this.stopped = this.#stopped.promise
    // Where nobody waits for it, `ended` and the owner tell the same.
    this.ready.catch(() => {})
    this.#thread.listen((report) => this.#hear(report))
    this.ended = this.#thread.ended.then((error) => this.#gone(error))
    this.#thread.post({ do: 'prepare', plan })
  }

  /**
   * Gives the thread the memory, all of which is shared, tables included.
   *
   * @param gate - see `round-gate.ts`
   */
  install(
    installed: readonly InstalledPages[],
    gate: Int32Array,
    pager: DemandPager | undefined,
  ): void {
    const regions = installed.map(({ region, written, fingerprints, states }) => ({
      id: region.id,
      name: region.name,
      bytes: spanOf(region.bytes),
      written: spanOf(written),
      fingerprints: fingerprints && spanOf(fingerprints.bytes),
      states: states?.words,
    }))
    this.#thread.post({
      do: 'install',
      regions,
      gate,
      faults: pager?.source,
      placing: pager?.placing,
    })
  }

  /** Gives the thread what pages may be taken out of; before {@link open}. */
  know(staticPages: StaticContents): void {
    this.#thread.post({ do: 'know', staticPages: spansOfStatic(staticPages) })
  }

  /** Takes the connection of `link`, whose preface is being handled and which can be detached. */
  open(link: Link): void {
    this.#state = 'detaching'
    link
      .detach((descriptor) => this.#threads.duplicate(descriptor))
      .then((channel) => {
        this.wireBytes = channel.bytesRead + channel.bytesWritten
        if (this.#isGone) {
          this.#threads.close(channel.descriptor)
          return
        }
        this.#state = 'sent'
        this.#descriptor = channel.descriptor
        this.#thread.post({ do: 'open', channel })
        if (this.#isClosed) this.#thread.post({ do: 'close' })
      })
      .catch((thrown: unknown) => {
        this.#owner.laneClosed(toGodwitError(thrown))
        this.#thread.end()
      })
  }

  /** Flushes and ends the channel, where there is one, and then the thread. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#state === 'none') this.#thread.end()
    if (this.#state === 'sent') this.#thread.post({ do: 'close' })
  }

  #hear(report: LaneReport): void {
    if ('wireBytes' in report) this.wireBytes = report.wireBytes
    if ('cpuSeconds' in report) this.cpuSeconds = report.cpuSeconds
    switch (report.type) {
      case 'ready':
        this.#ready.resolve()
        break
      case 'opened':
        this.#descriptor = undefined
        break
      case 'progress':
        this.pages = report.pages
        this.#owner.heard()
        break
      case 'barrier':
        this.#passBarrier(report)
        break
      case 'closed':
        this.#stopped.resolve()
        break
      case 'lost': {
        this.#stopped.resolve()
        const error = report.error && errorOf(report.error)
        // Without a channel, it is the thread that cannot be had.
        if (error !== undefined && this.#state === 'none') this.#fail(error)
        else this.#owner.laneClosed(error)
        break
      }
      case 'ended':
        this.#thread.end()
        break
    }
  }

  #passBarrier({ round, totals, receivedBytes }: LaneReport & { type: 'barrier' }): void {
    this.pages = 0
    this.receivedBytes = receivedBytes
    this.#owner.heard()
    try {
      this.#owner.barrier(round, totals)
    } catch (thrown) {
      this.#owner.laneClosed(toGodwitError(thrown))
    }
  }

  #gone(error: GodwitError | undefined): void {
    this.#isGone = true
    this.#stopped.resolve()
    if (this.#descriptor !== undefined) this.#threads.close(this.#descriptor)
    if (error === undefined) this.#ready.reject(new CancelledError())
    else this.#fail(error)
  }

  #fail(error: GodwitError): void {
    this.#ready.reject(error)
    this.#owner.laneDied(error)
  }
}
