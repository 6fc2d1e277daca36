/**
 * What channels cost, those that are over included: these are not kept for it, since a session that
 * is taken up again may come to have many.
 *
 * @module
 */

/** A channel or several, and the thread they may have. */
export interface Counted {
  /** Both ways; exact once {@link ended} has resolved. */
  readonly wireBytes: number
  /** Of a thread of its own. */
  readonly cpuSeconds?: number
  readonly ended: Promise<unknown>
}

/** Of one migration. */
export class Tally {
  readonly #open = new Set<Counted>()
  #wireBytes = 0
  #cpuSeconds = 0

  add(one: Counted): void {
    this.#open.add(one)
    const close = (): void => {
      this.#open.delete(one)
      this.#wireBytes += one.wireBytes
      this.#cpuSeconds += one.cpuSeconds ?? 0
    }
    one.ended.then(close, close)
  }

  /** How many are not over. */
  get openCount(): number {
    return this.#open.size
  }

  get wireBytes(): number {
    return [...this.#open].reduce((sum, one) => sum + one.wireBytes, this.#wireBytes)
  }

  get cpuSeconds(): number {
    return [...this.#open].reduce((sum, one) => sum + (one.cpuSeconds ?? 0), this.#cpuSeconds)
  }

  /** Resolves when all are over. */
  async ended(): Promise<void> {
    while (this.#open.size > 0) await Promise.allSettled([...this.#open].map((one) => one.ended))
  }
}
