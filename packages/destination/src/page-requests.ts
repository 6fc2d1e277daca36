/**
 * Asks the source for pages that the guest waits for.
 *
 * @module
 */
import type { PageStates } from '@godwit/core'
import type { Link } from '@godwit/link'

/** A region's number on the wire, and its pages. */
interface Asked {
  readonly id: number
  readonly states: PageStates
}

/** On the urgent channel of one connection. */
export class PageRequests {
  readonly #link: Link
  readonly #regions: readonly Asked[]

  /** @param regions - in the guest's order */
  constructor(link: Link, regions: readonly Asked[]) {
    this.#link = link
    this.#regions = regions
  }

  /** @param index - of the region, in the guest's order */
  ask(index: number, page: number): void {
    const { id: region, states } = this.#regions[index]!
    // It may have come meanwhile.
    if (states.isPresent(page)) return
    this.#link.sendMessage({ name: 'PageRequest', body: { region, page } })
  }
  /** Asks for everything that is waited for: what was asked before went by another connection. */
  askAgain(): void {
    for (const [index, { states }] of this.#regions.entries()) {
      states.eachAwaited((page) => this.ask(index, page))
    }
  }
}
