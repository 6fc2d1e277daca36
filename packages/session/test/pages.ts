/**
 * The pages of a guest that follow it in post-copy.
 *
 * @module
 */
import type { DestinationState } from '../src/destination-state.ts'
import { mayInstall } from '../src/destination-state.ts'
import type { Connection } from './connection.ts'

const pageCount = 3

function allPages(): Set<number> {
  return new Set(Array.from({ length: pageCount }, (_, page) => page))
}

/** The post-copy round whose pages may come. */
function roundOf(state: DestinationState & { readonly round: number }): number {
  return state.name === 'filling' ? state.round : state.round + 1
}

export class Pages {
  /** What the guest lacks while it runs; empty until it lacks any. */
  readonly lacking: Set<number> = new Set()
  /** What the source is to send in the next post-copy round. */
  toSend: Set<number> = new Set()
  /** The source's last one. */
  round = 0
  discarded = false

  discard(): void {
    this.discarded = true
    this.toSend = allPages()
  }

  lack(): void {
    for (const page of allPages()) this.lacking.add(page)
  }

  send(connection: Connection | undefined): void {
    if (connection?.isWhole !== true) return
    for (const page of this.toSend) connection.pages.push([this.round, page])
  }

  /** One page arrives at a destination in this state. */
  install(state: DestinationState, connection: Connection): void {
    const [round, page] = connection.pages.shift()!
    if (!mayInstall(state)) throw new Error(`a page came in ${state.name}`)
    if (!('round' in state) || round !== roundOf(state)) throw new Error(`a page of round ${round}`)
    if (!this.lacking.delete(page)) throw new Error(`page ${page} came twice`)
  }
}
