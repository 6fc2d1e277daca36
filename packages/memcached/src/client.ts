/**
 * One client's socket: bytes in, requests executed while that may be, replies out.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { Conversation, type Turn } from './conversation.ts'
import type { Executor } from './executor.ts'
import type { Replies } from './replies.ts'
import type { Request } from './request.ts'

/** What a client needs to have its requests executed. Shared by all: one is executed at a time. */
export interface Floor {
  readonly executor: Executor
  readonly request: Request
  /** Empty between two clients. */
  readonly replies: Replies
  readonly nowSeconds: () => number
}

/** Nothing of it is guest state: what was not executed is kept here, and executed later. */
export class Client {
  readonly #socket: Socket
  readonly #conversation = new Conversation()
  #floor: Floor | undefined
  /** Counted in guest memory, and so only while that may be stored to. */
  #uncountedBytes = 0
  #isCounted = false
  /** Replies are not taken fast enough: nothing is read or executed until they are. */
  #isBlocked = false
  /** The client will not say more. */
  #hasEnded = false

  constructor(socket: Socket, closed: () => void) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('end', () => {
      this.#hasEnded = true
      this.#run()
    })
    socket.on('drain', () => {
      this.#isBlocked = false
      this.#run()
    })
    // The close that follows says all there is to know.
    socket.on('error', () => {})
    socket.on('close', closed)
    socket.pause()
  }

  /** Lets the client's requests be executed, or no longer; nothing is lost of what it said. */
  give(floor: Floor | undefined): void {
    this.#floor = floor
    if (floor === undefined) this.#socket.pause()
    else this.#run()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Uint8Array): void {
    this.#uncountedBytes += chunk.length
    this.#conversation.receive(chunk)
    this.#run()
  }

  #run(): void {
    const floor = this.#floor
    if (floor === undefined || this.#isBlocked || this.#socket.writableEnded) return
    const { executor, request, replies, nowSeconds } = floor
    const { store } = executor
    store.tick(nowSeconds())
    if (!this.#isCounted) store.count('total_connections')
    this.#isCounted = true
    if (this.#uncountedBytes > 0) store.count('bytes_read', this.#uncountedBytes)
    this.#uncountedBytes = 0
    let turn: Turn = 'full'
    while (turn === 'full' && !this.#isBlocked) {
      turn = this.#conversation.run(executor, request, replies)
      if (replies.length === 0) continue
      store.count('bytes_written', replies.length)
      if (!this.#socket.write(replies.take())) this.#isBlocked = this.#socket.writableNeedDrain
    }
    if (turn === 'over' || (turn === 'waiting' && this.#hasEnded)) this.#socket.end()
    if (this.#isBlocked) this.#socket.pause()
    else this.#socket.resume()
  }
}
