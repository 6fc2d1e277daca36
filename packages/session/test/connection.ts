/**
 * What is on its way between two machines.
 *
 * @module
 */
import type { Message } from '@godwit/wire'

/** All channels of one epoch. */
export class Connection {
  readonly epoch: number
  readonly toSource: Message[] = []
  readonly toTarget: Message[] = []
  /** Of a post-copy round: the round, and the page. */
  readonly pages: (readonly [round: number, page: number])[] = []
  /** The network broke. */
  isCut = false
  /** A side left. */
  isClosed = false
  #lostPages = false

  constructor(epoch: number) {
    this.epoch = epoch
  }

  /** Whether what is sent now may arrive. */
  get isWhole(): boolean {
    return !this.isCut && !this.isClosed
  }

  /** Whether all pages that were sent have arrived. */
  get isDrained(): boolean {
    return this.pages.length === 0 && !this.#lostPages
  }

  /** Whether who reads `inbox` finds the connection gone: what came before is read first. */
  endsFor(inbox: readonly Message[]): boolean {
    return this.isCut || (this.isClosed && inbox.length === 0)
  }

  post(to: 'toSource' | 'toTarget', message: Message): void {
    if (this.isWhole) this[to].push(message)
  }

  /** Of what is on its way so much arrives, and no more. */
  cut(toSource: number, toTarget: number): void {
    this.isCut = true
    this.toSource.splice(toSource)
    this.toTarget.splice(toTarget)
    if (this.pages.splice(toTarget).length > 0) this.#lostPages = true
  }
}

/** A machine's state and what it has to do next: its own work, and what its connection brings. */
export interface Side<State, Event> {
  state: State
  readonly work: Event[]
  connection: Connection | undefined
}

/** No more is read or sent here; the other side finds all channels closed. */
export function leave(side: Side<unknown, unknown>): void {
  if (side.connection !== undefined) side.connection.isClosed = true
  side.connection = undefined
}

/** Nothing is heard of a connection once the destination has accepted a newer one. */
export function checkNewest(hearing: Side<unknown, unknown>, target: Side<unknown, unknown>): void {
  const heard = hearing.connection!.epoch
  const accepted = target.connection?.epoch ?? 0
  if (heard < accepted) throw new Error(`heard ${heard} of ${accepted}`)
}
