/**
 * What was said in a case, for people who want to know why it failed.
 *
 * @module
 */

const linesMax = 40

/** Of one case. */
export class Trace {
  readonly #lines: string[] = []

  sent(channel: string, what: string): void {
    this.#note(`suite  [${channel}] ${what}`)
  }

  came(channel: string, what: string): void {
    this.#note(`agent  [${channel}] ${what}`)
  }

  #note(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > linesMax) this.#lines.shift()
  }

  /** The last lines. */
  get lines(): readonly string[] {
    return [...this.#lines]
  }

  clear(): void {
    this.#lines.length = 0
  }
}
