/**
 * The reverse channel at the source: states of the guest, which runs at the destination, come back
 * by it while pages follow.
 *
 * @module
 */
import type { CheckpointReport, Clock, GodwitError } from '@godwit/core'
import { CheckpointLog, PeerError, ProtocolError } from '@godwit/core'
import type { Link, LinkHandler } from '@godwit/link'
import type { CheckpointEnd, Frame } from '@godwit/wire'
import {
  ChannelRole,
  FRAME_HEADER_BYTES,
  FrameType,
  decodeMessage,
  errorCodeOf,
} from '@godwit/wire'
import type { Channels } from './channels.ts'
import type { CheckpointStoreOptions } from './checkpoint-store.ts'
import { CheckpointStore } from './checkpoint-store.ts'
import type { Checkpoint } from './take-over.ts'

export interface ReverseOptions extends CheckpointStoreOptions {
  readonly clock: Clock
  readonly onLost: (error: GodwitError | undefined) => void
}

/** All reverse channels of one migration, one after the other. */
export class Reverse implements LinkHandler {
  readonly #options: ReverseOptions
  readonly #log = new CheckpointLog()
  /** Memory for it is taken with the channel, and given back when all pages are there. */
  #store: CheckpointStore | undefined
  #link: Link | undefined
  #isReleased = false
  #isOver = false
  #bytes = 0

  constructor(options: ReverseOptions) {
    this.#options = options
  }

  async open(channels: Channels): Promise<void> {
    this.#store ??= new CheckpointStore(this.#options)
    await channels.dial(ChannelRole.Reverse, 0, (link) => {
      this.#link = link
      return this
    })
  }

  /** The guest is the destination's: it may have checkpoints. */
  release(): void {
    this.#isReleased = true
  }

  /** The destination has all of the guest: nobody goes back any more. */
  finish(): void {
    this.#isOver = true
    this.#store = undefined
  }

  /** The connection is lost, or over. */
  close(): void {
    this.#link?.close()
    this.#link = undefined
    this.#store?.drop()
  }

  get last(): Checkpoint | undefined {
    return this.#store?.last
  }

  /** Brings the guest's memory to {@link last}. */
  restore(): void {
    this.#store?.restore()
  }

  get report(): CheckpointReport {
    return this.#log.report
  }

  frame(frame: Frame): void {
    if (frame.type === FrameType.Pages) {
      this.#bytes += FRAME_HEADER_BYTES + frame.body.length
      this.#storeNow()?.add(frame.body)
      return
    }
    const message = decodeMessage(frame.type, frame.body)
    switch (message.name) {
      case 'Error':
        throw new PeerError(errorCodeOf(message.body.code), message.body.text)
      case 'CheckpointBegin':
        this.#bytes = 0
        this.#storeNow()?.begin(message.body.number, this.#options.clock.nowMs())
        break
      case 'CheckpointEnd':
        this.#end(message.body)
        break
      default: {
        const text = `${message.name} does not come from a destination on the reverse channel`
        throw new ProtocolError('PROTOCOL_STATE', text)
      }
    }
  }

  closed(error: GodwitError | undefined): void {
    this.#store?.drop()
    this.#options.onLost(error)
  }

  #end(end: CheckpointEnd): void {
    const store = this.#storeNow()
    if (store === undefined) return
    store.end(end)
    this.#log.add(end.pages, this.#bytes, end.pauseMs)
    this.#link?.sendMessage({ name: 'CheckpointAck', body: { number: end.number } })
  }

  /** Undefined when what still comes is of no use. @throws {ProtocolError} `PROTOCOL_STATE` */
  #storeNow(): CheckpointStore | undefined {
    if (this.#isOver) return undefined
    if (this.#isReleased) return this.#store
    throw new ProtocolError('PROTOCOL_STATE', 'A checkpoint came before the guest was released')
  }
}
