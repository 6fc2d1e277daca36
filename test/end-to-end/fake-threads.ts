/**
 * Threads that are none: both ends of the line run here, so that a test sees what is said and can
 * end it at any time. Messages are cloned, as between threads.
 *
 * @module
 */
import type { Channel, GodwitError, Port, Thread } from '@godwit/core'
import { systemClock } from '@godwit/core'
import type { LaneCommand, LaneReport, LaneThreads } from '@godwit/destination'
import { serveLane } from '@godwit/destination'
import { attachChannel } from '@godwit/transport'
import { nodePrimitives } from 'godwit'

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

/** One lane's thread, in name. */
export class FakeThread implements Thread<LaneCommand, LaneReport> {
  readonly ended: Promise<GodwitError | undefined>
  /** What was said, in order. */
  readonly commands: LaneCommand['do'][] = []
  readonly reports: LaneReport['type'][] = []
  isOver = false
  readonly #down = new Line<LaneCommand>()
  readonly #up = new Line<LaneReport>()
  readonly #channels: Channel[] = []
  readonly #resolve: (error: GodwitError | undefined) => void

  /** @param onReport - sees a report before anybody else does */
  constructor(onReport: (thread: FakeThread, report: LaneReport) => void) {
    const { promise, resolve } = Promise.withResolvers<GodwitError | undefined>()
    this.ended = promise
    this.#resolve = resolve
    const port: Port<LaneReport, LaneCommand> = {
      post: (report) => {
        this.reports.push(report.type)
        onReport(this, report)
        if (!this.isOver) this.#up.post(report)
      },
      listen: (hear) => this.#down.listen(hear),
    }
    serveLane(port, {
      primitives,
      clock: systemClock,
      cpuSeconds: () => laneSeconds,
      attach: (detached) => {
        if (this.isOver) throw new Error('this thread is gone')
        const channel = attachChannel(detached)
        this.#channels.push(channel)
        return channel
      },
    })
  }

  post(command: LaneCommand): void {
    if (this.isOver) return
    this.commands.push(command.do)
    this.#down.post(command)
  }

  listen(hear: (report: LaneReport) => void): void {
    this.#up.listen(hear)
  }

  end(): void {
    this.die(undefined)
  }

  /** Ends as a thread does by itself: its connections close, what it said last still arrives. */
  die(error: GodwitError | undefined): void {
    if (this.isOver) return
    this.isOver = true
    this.#down.isCut = true
    for (const channel of this.#channels) channel.destroy()
    setImmediate(() => this.#resolve(error))
  }
}

/** Threads for lanes, and all that were started. */
export interface FakeThreads extends LaneThreads {
  readonly started: FakeThread[]
  /** Descriptors that no thread took over. */
  readonly closed: number[]
}

/** @param duplicate - of the system; `close` its counterpart */
export function createFakeThreads(
  duplicate: (descriptor: number) => number,
  close: (descriptor: number) => void,
  onReport: (thread: FakeThread, report: LaneReport) => void = () => {},
): FakeThreads {
  const started: FakeThread[] = []
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
      const thread = new FakeThread(onReport)
      started.push(thread)
      return thread
    },
  }
}
