/**
 * Threads that are none: both ends of the line run here, so that a test sees what is said and can
 * end it at any time. Messages are cloned, as between threads.
 *
 * @module
 */
import type { Primitives } from '@godwit/codec'
import type { Channel, GodwitError, Port, Thread } from '@godwit/core'
import { systemClock } from '@godwit/core'
import type { LaneCommand, LaneReport, LaneThreads } from '@godwit/destination'
import { serveLane } from '@godwit/destination'
import type {
  LaneCommand as SourceCommand,
  LaneReport as SourceReport,
  StartLane,
} from '@godwit/source'
import { serveLane as serveSourceLane } from '@godwit/source'
import { attachChannel } from '@godwit/transport'
import { nodePrimitives, nodeSealTools } from 'godwit'

/** CPU time that every thread says it used. */
export const laneSeconds = 0.25

const primitives = await nodePrimitives()

/** Hands messages on, in order, each in a turn of its own, and keeps them until somebody hears. */
class Line<Message> {
  readonly #kept: Message[] = []
  #hear: ((message: Message) => void) | undefined
  isCut = false

  post(message: Message): void {
    const copy = structuredClone(message)
    setImmediate(() => {
      if (this.isCut) return
      if (this.#hear === undefined) this.#kept.push(copy)
      else this.#hear(copy)
    })
  }

  listen(hear: (message: Message) => void): void {
    this.#hear = hear
    for (const message of this.#kept.splice(0)) hear(message)
  }
}

/** What the code of a thread has of its thread. */
export interface ThreadSelf {
  readonly isOver: boolean
  /** Does something when the thread ends, for whatever reason. */
  onEnd(cleanup: () => void): void
}

/** One lane's thread, in name. */
export class FakeThread<
  Command extends { readonly do: string },
  Report extends { readonly type: string },
> implements Thread<Command, Report>, ThreadSelf
{
  readonly ended: Promise<GodwitError | undefined>
  /** What was said, in order. */
  readonly commands: Command['do'][] = []
  readonly reports: Report['type'][] = []
  isOver = false
  readonly #down = new Line<Command>()
  readonly #up = new Line<Report>()
  readonly #cleanups: (() => void)[] = []
  readonly #resolve: (error: GodwitError | undefined) => void

  /**
   * @param serve - the code of the thread
   * @param onReport - sees a report before anybody else does
   */
  constructor(
    serve: (port: Port<Report, Command>, self: ThreadSelf) => void,
    onReport: (thread: FakeThread<Command, Report>, report: Report) => void,
  ) {
    const { promise, resolve } = Promise.withResolvers<GodwitError | undefined>()
    this.ended = promise
    this.#resolve = resolve
    const port: Port<Report, Command> = {
      post: (report) => {
        this.reports.push(report.type)
        onReport(this, report)
        if (!this.isOver) this.#up.post(report)
      },
      listen: (hear) => this.#down.listen(hear),
    }
    serve(port, this)
  }

  post(command: Command): void {
    if (this.isOver) return
    this.commands.push(command.do)
    this.#down.post(command)
  }

  listen(hear: (report: Report) => void): void {
    this.#up.listen(hear)
  }

  onEnd(cleanup: () => void): void {
    this.#cleanups.push(cleanup)
  }

  end(): void {
    this.die(undefined)
  }

  /** Ends as a thread does by itself: its connections close, what it said last still arrives. */
  die(error: GodwitError | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.#down.isCut = true
    for (const cleanup of this.#cleanups) cleanup()
    setImmediate(() => this.#resolve(error))
  }
}

/** The thread of a destination's lane. */
export type DestinationThread = FakeThread<LaneCommand, LaneReport>

function serveDestination(port: Port<LaneReport, LaneCommand>, self: ThreadSelf): void {
  serveLane(port, {
    primitives,
    clock: systemClock,
    cpuSeconds: () => laneSeconds,
    attach: (detached) => {
      if (self.isOver) throw new Error('this thread is gone')
      const channel = attachChannel(detached)
      self.onEnd(() => channel.destroy())
      return channel
    },
  })
}

/** The thread of a source's lane. */
export type SourceThread = FakeThread<SourceCommand, SourceReport>

/** Starts threads for a source's lanes, which dial by `dial`; all of them go to `started`. */
export function sourceThreads(
  dial: (signal?: AbortSignal) => Promise<Channel>,
  started: SourceThread[],
  onReport: (thread: SourceThread, report: SourceReport) => void = () => {},
  own: Primitives = primitives,
): StartLane {
  return () => {
    const thread: SourceThread = new FakeThread((port, self) => {
      serveSourceLane(port, {
        primitives: own,
        clock: systemClock,
        cpuSeconds: () => laneSeconds,
        sealTools: nodeSealTools,
        createDialler: (address) => ({
          address,
          async dial(signal) {
            const channel = await dial(signal)
            self.onEnd(() => channel.destroy())
            return channel
          },
        }),
      })
    }, onReport)
    started.push(thread)
    return thread
  }
}

/** Threads for lanes, and all that were started. */
export interface FakeThreads extends LaneThreads {
  readonly started: DestinationThread[]
  /** Descriptors that no thread took over. */
  readonly closed: number[]
}

/** @param duplicate - of the system; `close` its counterpart */
export function createFakeThreads(
  duplicate: (descriptor: number) => number,
  close: (descriptor: number) => void,
  onReport: (thread: DestinationThread, report: LaneReport) => void = () => {},
): FakeThreads {
  const started: DestinationThread[] = []
  const closed: number[] = []
  return {
    started,
    closed,
    duplicate,
    close(descriptor) {
      closed.push(descriptor)
      close(descriptor)
    },
    start() {
      const thread: DestinationThread = new FakeThread(serveDestination, onReport)
      started.push(thread)
      return thread
    },
  }
}
