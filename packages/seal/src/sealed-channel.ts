/**
 * A channel inside another: both ends prove who they are, then everything is sealed. Works by
 * callbacks alone, on whatever thread and event loop the channel below it does.
 *
 * @module
 */
import type { Channel, ChannelSink, DetachedChannel, GodwitError, SealState } from '@godwit/core'
import {
  KIB,
  LateSink,
  SinkFeed,
  TransportError,
  concatBytes,
  releaseChunk,
  toGodwitError,
} from '@godwit/core'
import type { Agreed, Greeting } from './greeting.ts'
import { HAIL_BYTES, RECORD_BYTES_MAX } from './layout.ts'
import { RecordReader } from './record-reader.ts'
import { RecordWriter } from './record-writer.ts'
import type { SealTools } from './tools.ts'

/** Written before both ends had agreed. */
interface Queued {
  readonly bytes: Uint8Array
  readonly written: (() => void) | undefined
}

/** Where bytes go that nobody wants any more. */
const discarded = new Uint8Array(64 * KIB)

/** One end. Nothing that comes is handed on before the other end has proved itself. */
export class SealedChannel implements Channel, ChannelSink {
  readonly #inner: Channel
  readonly #tools: SealTools
  readonly #onAgreed: (secret: Uint8Array) => void
  readonly #feed = new SinkFeed()
  /** Undefined once both ends have agreed. */
  #greeting: Greeting | undefined
  readonly #block = new Uint8Array(HAIL_BYTES)
  #blockLength = 0
  readonly #queue: Queued[] = []
  #keys: Pick<Agreed, 'sendKey' | 'receiveKey' | 'secret'> | undefined
  #writer: RecordWriter | undefined
  #reader: RecordReader | undefined
  /** Opened on another thread, for the first sink here. */
  #opened: Uint8Array | undefined
  #isRefused = false
  #isDetached = false
  #isEnding = false
  /** The other end said that it ends. */
  #hasEnded = false
  #error: GodwitError | undefined

  /**
   * @param inner - on which nothing was written or read
   * @param makeGreeting - of this side, which sends by what it is given
   * @param onAgreed - with the channel's own secret, before anything is handed on
   */
  constructor(
    inner: Channel,
    tools: SealTools,
    makeGreeting: ((send: (bytes: Uint8Array) => void) => Greeting) | undefined,
    onAgreed: (secret: Uint8Array) => void = () => {},
  ) {
    this.#inner = inner
    this.#tools = tools
    this.#onAgreed = onAgreed
    this.#greeting = makeGreeting?.((bytes) => inner.write(bytes))
  }

  /** Goes on with a channel that was detached, on whatever thread. */
  static resume(inner: Channel, seal: SealState, tools: SealTools): SealedChannel {
    const channel = new SealedChannel(inner, tools, undefined)
    channel.#begin(seal, seal.sentRecords, seal.receivedRecords)
    channel.#opened = seal.opened
    return channel
  }

  get remote(): string {
    return this.#inner.remote
  }

  get bytesWritten(): number {
    return this.#inner.bytesWritten
  }

  get bytesRead(): number {
    return this.#inner.bytesRead
  }

  get identity(): string | undefined {
    return this.#inner.identity
  }

  get detachesBeside(): boolean {
    return this.#inner.detachesBeside === true
  }

  /** Undefined before both ends have agreed, and where that was on another thread. */
  get secret(): Uint8Array | undefined {
    return this.#keys?.secret
  }

  open(sink: ChannelSink): void {
    const isFirst = this.#feed.sink === undefined
    this.#feed.open(sink)
    if (!isFirst) return
    const opened = this.#opened
    if (opened === undefined) this.#inner.open(this)
    else {
      // Whoever opens is not to be told before this returns.
      queueMicrotask(() => {
        this.#feed.deliver(opened)
        this.#inner.open(this)
      })
    }
  }

  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#isEnding || this.#feed.isStopped) return
    if (this.#writer !== undefined) this.#seal(this.#writer, bytes, written)
    else if (this.#greeting?.hail === undefined || this.#greeting.isHailed) {
      this.#queue.push({ bytes, written })
    } else this.#inner.write(this.#greeting.hail(bytes), written)
  }

  #seal(writer: RecordWriter, bytes: Uint8Array, written?: () => void): void {
    // In turn with the others.
    if (bytes.length === 0) this.#inner.write(bytes, written)
    for (let at = 0; at < bytes.length; at += RECORD_BYTES_MAX) {
      const end = at + RECORD_BYTES_MAX
      const record = writer.seal(bytes.subarray(at, end))
      this.#inner.write(record, () => {
        writer.giveBack(record)
        if (end >= bytes.length) written?.()
      })
    }
  }

  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    if (this.#writer !== undefined && !this.#feed.isStopped) {
      this.#inner.write(this.#writer.seal(new Uint8Array(0)))
    }
    this.#inner.end()
  }

  destroy(): void {
    this.#feed.stop()
    this.#inner.destroy()
  }

  get detach(): Channel['detach'] {
    if (this.#inner.detach === undefined || this.#keys === undefined) return undefined
    return (duplicate, unread) => this.#detach(duplicate, unread)
  }

  async #detach(
    duplicate: (descriptor: number) => number,
    unread: Uint8Array = new Uint8Array(0),
  ): Promise<DetachedChannel> {
    const late = new LateSink()
    const { sendKey, receiveKey } = this.#keys!
    const [writer, reader] = [this.#writer!, this.#reader!]
    this.#feed.open(late)
    this.#isDetached = true
    const detached = await this.#inner.detach!(duplicate)
    return {
      ...detached,
      early: concatBytes(reader.rest, detached.early),
      seal: {
        opened: concatBytes(unread, late.bytes),
        sendKey,
        receiveKey,
        sentRecords: writer.records,
        receivedRecords: reader.records,
      },
    }
  }

  // What the channel below says.

  space(): Uint8Array {
    if (this.#feed.isStopped || this.#isRefused) return discarded
    if (this.#greeting === undefined) return this.#reader!.space()
    return this.#block.subarray(this.#blockLength, this.#greeting.blockBytes)
  }

  received(byteCount: number): void {
    if (this.#feed.isStopped || this.#isRefused) return
    try {
      if (this.#greeting === undefined) this.#reader!.received(byteCount)
      else this.#greet(this.#greeting, byteCount)
      if (this.#greeting === undefined) this.#deliver(this.#reader!)
    } catch (thrown) {
      this.#refuse(toGodwitError(thrown))
    }
  }

  closed(error?: TransportError): void {
    const isOver = this.#feed.isStopped || this.#hasEnded
    this.#feed.end(this.#error ?? (isOver ? error : this.#cutOff(error)))
  }

  /** The stream ended, and nothing says that it should. */
  #cutOff(cause: TransportError | undefined): TransportError | undefined {
    const greeting = this.#greeting
    if (greeting === undefined) {
      const text = 'The stream was cut off in front of its end'
      return cause ?? new TransportError('WIRE_TRUNCATED', text)
    }
    if (!greeting.isHailed || greeting.hail !== undefined) return cause
    const text = `${this.remote} went away before it had proved who it is`
    return new TransportError('AUTH_FAILED', text, { cause })
  }

  #greet(greeting: Greeting, byteCount: number): void {
    this.#blockLength += byteCount
    const block = this.#block.subarray(0, this.#blockLength)
    greeting.look(block)
    if (block.length < greeting.blockBytes) return
    this.#blockLength = 0
    const agreed = greeting.take(block)
    if (agreed === undefined) return
    this.#begin(agreed, 0, 0)
    this.#keys = agreed
    this.#greeting = undefined
    this.#onAgreed(agreed.secret)
    for (const { bytes, written } of this.#queue.splice(0)) {
      this.#seal(this.#writer!, bytes, written)
    }
    this.#feed.deliver(agreed.opened)
  }

  #begin(
    { sendKey, receiveKey }: Pick<SealState, 'sendKey' | 'receiveKey'>,
    sentRecords: number,
    receivedRecords: number,
  ): void {
    const { createCipher } = this.#tools
    this.#writer = new RecordWriter(createCipher(sendKey), sentRecords)
    this.#reader = new RecordReader(createCipher(receiveKey), receivedRecords)
  }

  #deliver(reader: RecordReader): void {
    while (!this.#feed.isStopped && !this.#isDetached && !this.#hasEnded) {
      const opened = reader.next()
      if (opened === undefined) return
      if (opened.length === 0) {
        this.#hasEnded = true
        // As with TCP, a side whose peer ended flushes and ends, too.
        this.end()
      } else {
        this.#feed.deliver(opened)
        releaseChunk(opened)
      }
    }
  }

  /** There is no channel, or no more. Where the peer was told why, it is left time to read it. */
  #refuse(error: GodwitError): void {
    this.#error = error
    this.#isRefused = true
    if (this.#greeting?.hasRefused === true) this.#inner.end()
    else this.#inner.destroy()
  }
}
