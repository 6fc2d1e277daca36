/**
 * Who may be here at a time, where anybody can come: strangers make room for others, those that are
 * known do not.
 *
 * @module
 */

/** A place that somebody has. */
export interface Place {
  /** Whoever has it is known now, and is not dropped for others any more. */
  settle(): void
  /** Gives it back. Idempotent. */
  leave(): void
}

export interface CrowdLimits {
  readonly max: number
  /** Of one address; by default as many as there may be. */
  readonly perAddressMax?: number
}

/** All who come from one address. */
interface Group {
  size: number
  /** In the order in which they came. */
  readonly strangers: Set<Stranger>
}

interface Stranger extends Place {
  readonly drop: () => void
}

/**
 * Where there is no room, the stranger who has been here the longest leaves: of the address in
 * question, or else of the one with the most strangers. So whoever says quickly who it is gets in
 * whatever others do, and one address drops its own first.
 */
export class Crowd {
  readonly #max: number
  readonly #perAddressMax: number
  readonly #groups = new Map<string, Group>()
  #size = 0

  constructor({ max, perAddressMax = max }: CrowdLimits) {
    this.#max = max
    this.#perAddressMax = perAddressMax
  }

  get size(): number {
    return this.#size
  }

  /**
   * @param drop - called, at most once, when it has to leave for another; its place is free then
   * @returns undefined when there is no room, for all who could leave are known
   */
  enter(address: string, drop: () => void): Place | undefined {
    const own = this.#groups.get(address)
    if (own !== undefined && own.size >= this.#perAddressMax && !dropOldest(own)) return undefined
    if (this.#size >= this.#max && !dropOldest(this.#largest())) return undefined
    // Made anew where its last one has just left.
    const group = this.#groups.get(address) ?? { size: 0, strangers: new Set() }
    this.#groups.set(address, group)
    group.size++
    this.#size++
    const place: Stranger = {
      drop,
      settle: () => void group.strangers.delete(place),
      leave: () => {
        if (hasLeft) return
        hasLeft = true
        this.#leave(address, group, place)
      },
    }
    let hasLeft = false
    group.strangers.add(place)
    return place
  }

  #leave(address: string, group: Group, place: Stranger): void {
    group.strangers.delete(place)
    group.size--
    this.#size--
    if (group.size === 0) this.#groups.delete(address)
  }

  #largest(): Group | undefined {
    let largest: Group | undefined
    for (const group of this.#groups.values()) {
      if (group.strangers.size > (largest?.strangers.size ?? 0)) largest = group
    }
    return largest
  }
}

/** @returns whether there was one */
function dropOldest(group: Group | undefined): boolean {
  const oldest = group?.strangers.values().next().value
  if (oldest === undefined) return false
  oldest.leave()
  oldest.drop()
  return true
}

/** `tcp 127.0.0.1:7000` -> `127.0.0.1`: whose connections count together. */
export function addressOfRemote(remote: string): string {
  return remote.replace(/^\S+ /, '').replace(/:\d+$/, '')
}
