/**
 * One client behind a relay, as the service has it.
 *
 * @module
 */
import { Conversation, type Turn } from './conversation.ts'
import type { Floor } from './floor.ts'
import { FrameKind, WINDOW_BYTES } from './frame.ts'

/** Nothing of it is guest state, as with any client. */
export class Channel {
  readonly id: number
  readonly #conversation = new Conversation()
  /** Told, and not credited. */
  #owedBytes = 0
  /** It has requests that wait for credit. */
  isBlocked = false
  /** It is to be run. */
  isReady = false
  /** The client will not say more. */
  hasEnded = false
  /** It was closed from here. */
  isOver = false
  /** The relay has closed it: the client is gone. */
  isGone = false

  constructor(id: number) {
    this.id = id
  }

  /** Bytes that came and were not executed. */
  get pendingBytes(): number {
    return this.#conversation.pendingBytes
  }

  /** Takes bytes that came. */
  receive(bytes: Uint8Array): void {
    this.#conversation.receive(bytes)
  }

  /** The client took so many bytes. */
  credit(count: number): void {
    this.#owedBytes = Math.max(0, this.#owedBytes - count)
  }

  /** Executes what is complete, and adds a frame of replies; not while too much is not credited. */
  run({ executor, request, replies }: Floor): Turn {
    this.isBlocked = this.#owedBytes >= WINDOW_BYTES
    if (this.isBlocked) return 'waiting'
    const at = replies.beginFrame()
    const turn = this.#conversation.run(executor, request, replies)
    const count = replies.endFrame(at, FrameKind.Data, this.id)
    this.#owedBytes += count
    if (count > 0) executor.store.count('bytes_written', count)
    return turn
  }
}
