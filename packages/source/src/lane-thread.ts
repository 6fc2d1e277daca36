/**
 * A lane on a thread of its own: the thread's end.
 *
 * @module
 */
import type { Clock, Dialler, PageHasher, Port } from '@godwit/core'
import { TransportError, errorParts, toGodwitError } from '@godwit/core'
import type { Primitives, SentPages } from '@godwit/codec'
import { Workspace, createInPlaceHasher } from '@godwit/codec'
import type { SealTools } from '@godwit/seal'
import type { LaneCommand, LaneReport } from './lane-messages.ts'
import { LocalLanes } from './local-lanes.ts'
import { type LookWork, MemoryScan } from './memory-scan.ts'
import type { RoundSpans, ScanSpans } from './round-spans.ts'
import { lookOfSpans, scanOfSpans, sentOfSpans, workOfSpans } from './round-spans.ts'
import { sealsOf } from './seals.ts'

/** How often the control plane hears how far a round is. */
const progressMs = 100

/** What a thread has of the runtime. */
export interface LaneEnvironment {
  readonly primitives: Primitives
  readonly clock: Clock
  readonly createDialler: (address: string) => Dialler
  readonly sealTools: SealTools
  /** CPU time of this thread so far. */
  readonly cpuSeconds: () => number
}

/** Serves one lane until it was closed. */
export function serveLane(port: Port<LaneReport, LaneCommand>, environment: LaneEnvironment): void {
  const thread = new LaneThread(port, environment)
  port.listen((command) => thread.obey(command))
}

class LaneThread {
  readonly #port: Port<LaneReport, LaneCommand>
  readonly #environment: LaneEnvironment
  #lanes: LocalLanes | undefined
  #sent: readonly SentPages[] = []
  /** Made only where it is needed: its kernels have memory of their own. */
  #scan: MemoryScan | undefined
  /** Milliseconds of looks that belong to a round which has not begun. */
  #lookMs = 0

  constructor(port: Port<LaneReport, LaneCommand>, environment: LaneEnvironment) {
    this.#port = port
    this.#environment = environment
  }

  /** What goes wrong here has a reason, which the death of the thread would not tell. */
  obey(command: LaneCommand): void {
    this.#try(() => this.#do(command))
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.#port.post({ type: 'lost', error: errorParts(toGodwitError(thrown)) })
    }
  }

  #do(command: LaneCommand): void {
    switch (command.do) {
      case 'prepare':
        this.#prepare(command)
        break
      case 'open':
        this.#report(this.#lanes!.open(command.staticPages).then(() => ({ type: 'opened' })))
        break
      case 'send-round':
        this.#report(this.#sendRound(command.work))
        break
      case 'go-on':
        this.#lanes!.goOn()
        break
      case 'scan':
        this.#report(this.#scanMemory(command.job))
        break
      case 'look':
        this.#look(lookOfSpans(command.work, this.#sent))
        break
      case 'pace':
        this.#lanes!.pace(command.bytesPerSecond)
        break
      case 'close':
        this.#lanes?.close()
        this.#reportEnd()
        break
      case 'destroy':
        this.#lanes?.destroy()
        this.#reportEnd()
        break
    }
  }

  #prepare(command: LaneCommand & { do: 'prepare' }): void {
    const { primitives, clock, createDialler, sealTools } = this.#environment
    const { index, address, terms, sent, looks, secret, ...settings } = command
    const { pageBytes } = settings
    this.#sent = sentOfSpans(sent, pageBytes)
    this.#lanes = new LocalLanes(
      {
        ...settings,
        dialler: createDialler(address),
        seals: sealsOf(sealTools, secret),
        clock,
        primitives,
        sent: this.#sent,
        scan: () => this.#scan!,
        onHungry: () => this.#port.post({ type: 'hungry' }),
        onLost: (error) => {
          const text = 'The destination closed a data channel'
          const lost = error ?? new TransportError('CONNECTION_LOST', text)
          this.#port.post({ type: 'lost', error: errorParts(lost) })
        },
      },
      index,
    )
    this.#lanes.prepare(terms)
    if (looks) this.#scan = this.#createScan(command)
  }

  #createScan({ index, hash, seed, pageBytes }: LaneCommand & { do: 'prepare' }): MemoryScan {
    const { primitives } = this.#environment
    let copying: PageHasher | undefined
    // The first is the calling thread.
    const thread = index + 1
    return new MemoryScan(this.#sent, pageBytes, (region) => {
      const inPlace = createInPlaceHasher({ primitives, region, hash, seed, thread })
      return inPlace ?? (copying ??= new Workspace(primitives, 0).createHasher(hash, seed))
    })
  }

  async #sendRound(spans: RoundSpans): Promise<LaneReport> {
    const { clock, cpuSeconds } = this.#environment
    const lanes = this.#lanes!
    let cancel = (): void => {}
    const tell = (): void => {
      const { pagesDone, wireBytes } = lanes
      this.#port.post({ type: 'progress', pagesDone, wireBytes })
      cancel = clock.after(progressMs, tell)
    }
    cancel = clock.after(progressMs, tell)
    try {
      const done = await lanes.sendRound(workOfSpans(spans, this.#sent))
      const { wireBytes, encoding } = lanes
      done.lookMs += this.#lookMs
      this.#lookMs = 0
      return { type: 'sent', done, encoding, wireBytes, cpuSeconds: cpuSeconds() }
    } finally {
      cancel()
    }
  }

  async #scanMemory(spans: ScanSpans): Promise<LaneReport> {
    await this.#scan!.run(scanOfSpans(spans, this.#sent), this.#environment.clock)
    return { type: 'scanned' }
  }

  /** One chunk after the other; whatever else there is to do gets its turn in between. */
  #look(work: LookWork): void {
    const { clock } = this.#environment
    const startMs = clock.nowMs()
    const hasLooked = this.#scan!.look(work, work.sweep)
    this.#lookMs += clock.nowMs() - startMs
    if (hasLooked) clock.soon(() => this.#try(() => this.#look(work)))
  }

  /** Tells what comes of a piece of work. */
  #report(work: Promise<LaneReport>): void {
    work.then(
      (report) => this.#port.post(report),
      (thrown: unknown) => {
        this.#port.post({ type: 'failed', error: errorParts(toGodwitError(thrown)) })
      },
    )
  }

  #reportEnd(): void {
    const lanes = this.#lanes
    const ended = lanes?.ended() ?? Promise.resolve()
    this.#report(
      ended.then(() => {
        return { type: 'ended', wireBytes: lanes?.wireBytes ?? 0, encoding: lanes?.encoding }
      }),
    )
  }
}
