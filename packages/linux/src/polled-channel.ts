/**
 * A channel over a TCP connection that a {@link PollLoop} reads and writes.
 *
 * @module
 */
import type { Channel, ChannelSink, DetachedChannel } from '@godwit/core'
import { TransportError } from '@godwit/core'
import type { DescriptorCalls } from './descriptor-calls.ts'
import { NOT_NOW } from './descriptor-calls.ts'
import type { PollLoop, Watched } from './poll-loop.ts'

/** Reads of one turn: others get theirs. */
const readsMax = 16

/** What waits for room in the socket. */
interface Queued {
  bytes: Uint8Array
  readonly written: (() => void) | undefined
}

/** Two ends of a connection of a thread to itself, as a TCP connection is in all but its way. */
export function createPolledPair(
  loop: PollLoop,
  calls: DescriptorCalls,
): readonly [PolledChannel, PolledChannel] {
  const [one, other] = calls.createPair()
  const nothingBefore = {
    remote: 'nobody',
    early: new Uint8Array(0),
    bytesWritten: 0,
    bytesRead: 0,
  }
  const make = (descriptor: number): PolledChannel =>
    new PolledChannel(loop, calls, { descriptor, ...nothingBefore }, () => {})
  return [make(one), make(other)]
}

/** The connection of a channel that was detached on another thread; owns its descriptor. */
export class PolledChannel implements Channel, Watched {
  readonly remote: string
  readonly descriptor: number
  readonly #loop: PollLoop
  readonly #calls: DescriptorCalls
  readonly #onOver: () => void
  readonly #queue: Queued[] = []
  /** To be told that theirs was written. */
  #written: (() => void)[] = []
  readonly #tellAllWritten = (): void => {
    const all = this.#written
    this.#written = []
    for (const written of all) if (!this.#isOver) written()
  }
  #early: Uint8Array
  #sink: ChannelSink | undefined
  #bytesWritten: number
  #bytesRead: number
  #isEnding = false
  #isOver = false
  #error: TransportError | undefined
  #unwatch: (() => void) | undefined

  /** @param onOver - nothing is read or written any more */
  constructor(
    loop: PollLoop,
    calls: DescriptorCalls,
    detached: DetachedChannel,
    onOver: () => void,
  ) {
    this.#loop = loop
    this.#calls = calls
    this.#onOver = onOver
    this.descriptor = detached.descriptor
    this.remote = detached.remote
    this.#early = detached.early
    this.#bytesWritten = detached.bytesWritten
    this.#bytesRead = detached.bytesRead
  }

  get bytesWritten(): number {
    return this.#bytesWritten
  }

  get bytesRead(): number {
    return this.#bytesRead
  }

  get wantsToRead(): boolean {
    return this.#sink !== undefined
  }

  get wantsToWrite(): boolean {
    return this.#queue.length > 0
  }

  open(sink: ChannelSink): void {
    const isFirst = this.#sink === undefined
    this.#sink = sink
    if (this.#isOver) this.#tellClosed(sink)
    else if (isFirst) {
      this.#watch()
      // Whoever opens is not to be told before this returns.
      this.#loop.soon(() => this.#deliverEarly())
    }
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#isOver || this.#isEnding) return
    this.#queue.push({ bytes, written })
    if (this.#queue.length === 1) this.#flush()
    if (this.#queue.length > 0) this.#watch()
  }

  end(): void {
    if (this.#isEnding || this.#isOver) return
    this.#isEnding = true
    if (this.#queue.length === 0) this.#calls.endWriting(this.descriptor)
  }

  destroy(): void {
    this.#finish(undefined)
  }

  ready(): void {
    if (this.#early.length > 0) this.#deliverEarly()
    if (this.#queue.length > 0) this.#flush()
    if (this.#sink !== undefined) this.#read()
    else if (this.#queue.length === 0) this.#endWatch()
  }

  #watch(): void {
    this.#unwatch ??= this.#loop.watch(this)
  }

  #endWatch(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }

  #deliverEarly(): void {
    const early = this.#early
    this.#early = new Uint8Array(0)
    for (let at = 0; at < early.length && !this.#isOver; ) {
      const space = this.#sink!.space()
      const byteCount = Math.min(space.length, early.length - at)
      space.set(early.subarray(at, at + byteCount))
      at += byteCount
      this.#sink!.received(byteCount)
    }
  }

  #read(): void {
    for (let reads = 0; reads < readsMax && !this.#isOver; reads++) {
      const space = this.#sink!.space()
      const byteCount = this.#try(() => this.#calls.read(this.descriptor, space))
      if (byteCount === undefined || byteCount === NOT_NOW) return
      if (byteCount === 0) {
        this.#finish(undefined)
        return
      }
      this.#bytesRead += byteCount
      this.#sink!.received(byteCount)
      // There is no more at the moment; if there is, it is told of again.
      if (byteCount < space.length) return
    }
  }

  #flush(): void {
    while (!this.#isOver) {
      const head = this.#queue[0]
      if (head === undefined) break
      const { bytes } = head
      const byteCount = this.#try(() => this.#calls.send(this.descriptor, bytes))
      if (byteCount === undefined || byteCount === NOT_NOW) return
      this.#bytesWritten += byteCount
      head.bytes = bytes.subarray(byteCount)
      if (head.bytes.length > 0) return
      this.#queue.shift()
      if (head.written !== undefined) this.#tellWritten(head.written)
      if (this.#queue.length === 0 && this.#isEnding) this.#calls.endWriting(this.descriptor)
    }
  }

  /** @returns undefined when the connection is broken; that is told then */
  #try(call: () => number): number | undefined {
    try {
      return call()
    } catch (cause) {
      const text = `The connection to ${this.remote.replace(/^tcp /, '')} was lost`
      this.#finish(new TransportError('CONNECTION_LOST', text, { cause }))
      return undefined
    }
  }

  #finish(error: TransportError | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#queue.length = 0
    this.#endWatch()
    this.#calls.close(this.descriptor)
    this.#error = error
    if (this.#sink !== undefined) this.#tellClosed(this.#sink)
    this.#loop.soon(this.#onOver)
  }

  /** Once whoever wrote is done with what it does. */
  #tellWritten(written: () => void): void {
    this.#written.push(written)
    if (this.#written.length === 1) this.#loop.soon(this.#tellAllWritten)
  }

  /** Once whoever ended it is done with what it does. */
  #tellClosed(sink: ChannelSink): void {
    this.#loop.soon(() => sink.closed(this.#error))
  }
}
