/**
 * One client's socket: bytes in, requests executed while that may be, replies out.
 *
 * @module
 */
import type { Socket } from 'node:net'
import { Conversation, type Turn } from './conversation.ts'
import type { Floor } from './floor.ts'
import { RelayLink } from './relay-link.ts'
import type { Store } from './store.ts'

/** What a client's thread is told. */
export interface ClientEvents {
  closed(): void
  /** So many more clients there are, or fewer: those behind a relay are counted, and not it. */
  counted(difference: number): void
}

/** Nothing of it is guest state: what was not executed is kept here, and executed later. */
export class Client {
  readonly #socket: Socket
  readonly #events: ClientEvents
  readonly #conversation = new Conversation(true)
  /** Set where it is a relay. */
  #link: RelayLink | undefined
  #floor: Floor | undefined
  /** Of these the thread was told. */
  #toldCount = 0
  /** Counted in guest memory, and so only while that may be stored to. */
  #uncountedBytes = 0
  #isCounted = false
  /** Replies are not taken fast enough: nothing is read or executed until they are. */
  #isBlocked = false
  /** The client will not say more. */
  #hasEnded = false

  constructor(socket: Socket, events: ClientEvents) {
    this.#socket = socket
    this.#events = events
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
    socket.on('close', () => {
      this.#tell(0)
      events.closed()
    })
    socket.pause()
    this.#tell(1)
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
    if (this.#link === undefined) {
      this.#uncountedBytes += chunk.length
      this.#conversation.receive(chunk)
    } else if (!this.#hear(this.#link, chunk)) return this.destroy()
    this.#run()
  }

  /** @returns false where that is not what a relay sends */
  #hear(link: RelayLink, chunk: Uint8Array): boolean {
    const isRight = link.receive(chunk)
    this.#tell(link.clientCount)
    return isRight
  }

  #tell(count: number): void {
    if (count !== this.#toldCount) this.#events.counted(count - this.#toldCount)
    this.#toldCount = count
  }

  #run(): void {
    const floor = this.#floor
    if (floor === undefined || this.#isBlocked || this.#socket.writableEnded) return
    if (this.#link !== undefined) return this.#runLink(floor, this.#link)
    const turn = this.#converse(floor)
    if (turn === 'relay') {
      this.#link = new RelayLink(this.#socket)
      const isRight = this.#hear(this.#link, this.#conversation.take())
      return isRight ? this.#runLink(floor, this.#link) : this.destroy()
    }
    if (turn === 'over' || (turn === 'waiting' && this.#hasEnded)) this.#socket.end()
    this.#readOn()
  }

  #converse(floor: Floor): Turn {
    const { executor, request, replies } = floor
    let turn: Turn = 'full'
    while (turn === 'full' && !this.#isBlocked) {
      const store = floor.enter()
      this.#count(store)
      turn = this.#conversation.run(executor, request, replies)
      if (replies.length > 0) store.count('bytes_written', replies.length)
      floor.leave()
      if (replies.length > 0) this.#isBlocked = !replies.writeTo(this.#socket)
    }
    return turn
  }

  #count(store: Store): void {
    if (!this.#isCounted) store.count('total_connections')
    this.#isCounted = true
    if (this.#uncountedBytes > 0) store.count('bytes_read', this.#uncountedBytes)
    this.#uncountedBytes = 0
  }

  #runLink(floor: Floor, link: RelayLink): void {
    if (this.#hasEnded) return this.destroy()
    this.#isBlocked = !link.run(floor)
    this.#tell(link.clientCount)
    this.#readOn()
  }

  #readOn(): void {
    if (this.#isBlocked) this.#socket.pause()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }
}
