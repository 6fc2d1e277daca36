/**
 * One client's socket: bytes in, requests executed while that may be, replies out.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { Conversation, type Turn } from './conversation.ts'
import type { Executor } from './executor.ts'
import { RelayLink } from './relay-link.ts'
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
  readonly #conversation = new Conversation(true)
  /** Set where it is a relay. */
  #link: RelayLink | undefined
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

  /** Itself, or those that are behind it where it is a relay. */
  get clientCount(): number {
    return this.#link?.clientCount ?? 1
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Uint8Array): void {
    if (this.#link === undefined) {
      this.#uncountedBytes += chunk.length
      this.#conversation.receive(chunk)
    } else if (!this.#link.receive(chunk)) return this.destroy()
    this.#run()
  }

  #run(): void {
    const floor = this.#floor
    if (floor === undefined || this.#isBlocked || this.#socket.writableEnded) return
    const { executor, nowSeconds } = floor
    const { store } = executor
    store.tick(nowSeconds())
    if (this.#link !== undefined) return this.#runLink(floor, this.#link)
    if (!this.#isCounted) store.count('total_connections')
    this.#isCounted = true
    if (this.#uncountedBytes > 0) store.count('bytes_read', this.#uncountedBytes)
    this.#uncountedBytes = 0
    const turn = this.#converse(floor)
    if (turn === 'relay') {
      this.#link = new RelayLink(this.#socket)
      const isRight = this.#link.receive(this.#conversation.take())
      return isRight ? this.#runLink(floor, this.#link) : this.destroy()
    }
    if (turn === 'over' || (turn === 'waiting' && this.#hasEnded)) this.#socket.end()
    this.#readOn()
  }

  #converse({ executor, request, replies }: Floor): Turn {
    let turn: Turn = 'full'
    while (turn === 'full' && !this.#isBlocked) {
      turn = this.#conversation.run(executor, request, replies)
      if (replies.length === 0) continue
      executor.store.count('bytes_written', replies.length)
      this.#isBlocked = !replies.writeTo(this.#socket)
    }
    return turn
  }

  #runLink(floor: Floor, link: RelayLink): void {
    if (this.#hasEnded) return this.destroy()
    this.#isBlocked = !link.run(floor)
    this.#readOn()
  }

  #readOn(): void {
    if (this.#isBlocked) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }
}
