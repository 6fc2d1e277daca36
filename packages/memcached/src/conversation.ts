/**
 * One client: bytes that came and were not executed yet, and where in a request they are.
 *
 * @module
 */
import { ENDLESS, ERROR, type Executor, REPLY_BYTES_HIGH } from './executor.ts'
import { RELAY_HELLO } from './frame.ts'
import { PendingBytes } from './pending-bytes.ts'
import type { Replies } from './replies.ts'
import type { Request } from './request.ts'

/**
 * `waiting` for bytes; `full`: replies are to be written out before it goes on; `over`: nothing
 * more is read, the connection ends when replies are written; `relay`: frames follow (`frame.ts`).
 */
export type Turn = 'waiting' | 'full' | 'over' | 'relay'

/** Keeps what is not executed, in order. */
export class Conversation {
  readonly #pending = new PendingBytes()
  /** Bytes of no use that are still to come. */
  #swallowBytes = 0
  /** Of a `get` that is half answered. */
  #cursor = 0
  #isOver = false
  #isRelay = false
  readonly #mayBeRelay: boolean

  /** @param mayBeRelay - it may turn out to be a relay's connection, not a client's */
  constructor(mayBeRelay = false) {
    this.#mayBeRelay = mayBeRelay
  }

  /** Bytes that came and were not executed. */
  get pendingBytes(): number {
    return this.#pending.length
  }

  /** Takes bytes that came; `chunk` is this conversation's from here on. */
  receive(chunk: Uint8Array): void {
    if (!this.#isOver) this.#pending.add(chunk)
  }

  /** What came and was not executed; it is not this conversation's any more. */
  take(): Uint8Array {
    const { bytes, start, end } = this.#pending
    this.#pending.clear()
    return bytes.subarray(start, end)
  }

  /** Executes what is complete, until there are many replies. */
  run(executor: Executor, request: Request, replies: Replies): Turn {
    executor.replies = replies
    const pending = this.#pending
    while (!this.#isOver) {
      if (replies.length >= REPLY_BYTES_HIGH) return 'full'
      this.#swallow()
      if (this.#swallowBytes > 0 || pending.length < pending.needBytes) return 'waiting'
      const scanned = request.scan(pending.bytes, pending.start, pending.end)
      if (scanned === 'incomplete') {
        pending.needBytes = request.needBytes
        return 'waiting'
      }
      if (scanned === 'endless') {
        if (!request.isBinary) replies.add(ENDLESS)
        this.#finish()
      } else this.#execute(executor, request)
      if (this.#isRelay) return 'relay'
    }
    return 'over'
  }

  #swallow(): void {
    const count = Math.min(this.#swallowBytes, this.pendingBytes)
    this.#swallowBytes -= count
    this.#pending.start += count
  }

  #execute(executor: Executor, request: Request): void {
    const pending = this.#pending
    executor.cursor = this.#cursor
    const executed = executor.execute(pending.bytes, pending.start, request)
    this.#cursor = executor.cursor
    if (executed === 'quit') return this.#finish()
    if (executed === 'more') return
    if (executed === 'relay') this.#isRelay = this.#mayBeRelay
    if (executed === 'relay') executor.replies.add(this.#mayBeRelay ? RELAY_HELLO : ERROR)
    pending.start = request.end
    this.#swallowBytes = request.swallowBytes
    pending.needBytes = 1
  }

  #finish(): void {
    this.#isOver = true
    this.#pending.clear()
  }
}
