/**
 * One client: bytes that came and were not executed yet, and where in a request they are.
 *
 * @module
 */
import { ENDLESS, type Executor, REPLY_BYTES_HIGH } from './executor.ts'
import type { Replies } from './replies.ts'
import type { Request } from './request.ts'

/**
 * `waiting` for bytes; `full`: replies are to be written out before it goes on; `over`: nothing
 * more is read, the connection ends when replies are written.
 */
export type Turn = 'waiting' | 'full' | 'over'

/** Keeps what is not executed, in order. */
export class Conversation {
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  /** Bytes of no use that are still to come. */
  #swallowBytes = 0
  /** The request at the start is complete only with so many bytes. */
  #needBytes = 1
  /** Of a `get` that is half answered. */
  #cursor = 0
  #isOver = false

  /** Bytes that came and were not executed. */
  get pendingBytes(): number {
    return this.#end - this.#start
  }

  /** Takes bytes that came; `chunk` is this conversation's from here on. */
  receive(chunk: Uint8Array): void {
    if (this.#isOver) return
    if (this.#start === this.#end) {
      this.#bytes = chunk
      this.#start = 0
      this.#end = chunk.length
      return
    }
    const pending = this.pendingBytes
    const needed = pending + chunk.length
    // The bytes may be a chunk of the socket's own: then its length is its end.
    if (this.#end + chunk.length > this.#bytes.length) {
      const room = new Uint8Array(Math.max(needed, this.#needBytes + 65_536, 2 * pending))
      room.set(this.#bytes.subarray(this.#start, this.#end))
      this.#bytes = room
      this.#start = 0
      this.#end = pending
    }
    this.#bytes.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** Executes what is complete, until there are many replies. */
  run(executor: Executor, request: Request, replies: Replies): Turn {
    executor.replies = replies
    while (!this.#isOver) {
      if (replies.length >= REPLY_BYTES_HIGH) return 'full'
      this.#swallow()
      if (this.#swallowBytes > 0 || this.pendingBytes < this.#needBytes) return 'waiting'
      const scanned = request.scan(this.#bytes, this.#start, this.#end)
      if (scanned === 'incomplete') {
        this.#needBytes = request.needBytes
        return 'waiting'
      }
      if (scanned === 'endless') {
        replies.add(ENDLESS)
        this.#finish()
      } else this.#execute(executor, request)
    }
    return 'over'
  }

  #swallow(): void {
    const count = Math.min(this.#swallowBytes, this.pendingBytes)
    this.#swallowBytes -= count
    this.#start += count
  }

  #execute(executor: Executor, request: Request): void {
    executor.cursor = this.#cursor
    const executed = executor.execute(this.#bytes, this.#start, request)
    this.#cursor = executor.cursor
    if (executed === 'quit') return this.#finish()
    if (executed === 'more') return
    this.#start = request.end
    this.#swallowBytes = request.swallowBytes
    this.#needBytes = 1
  }

  #finish(): void {
    this.#isOver = true
    this.#bytes = new Uint8Array(0)
    this.#start = 0
    this.#end = 0
  }
}
