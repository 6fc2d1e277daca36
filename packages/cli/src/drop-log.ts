/**
 * Tells of connections that were dropped, and of migrations that failed, but of no more than
 * somebody reads: peers decide how many there are.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { formatCount, formatDurationMs } from '@godwit/core'
import { formatError } from './output.ts'

/** In so much time so many are told of, and the others are counted in a line more. */
const windowMs = 10_000
const toldMax = 5

/** Of one agent. */
export class DropLog {
  readonly #clock: Clock
  readonly #write: (line: string) => void
  #told = 0
  #others = 0
  #cancel: (() => void) | undefined

  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock
    this.#write = write
  }

  dropped(remote: string, { code, message }: { code: string; message: string }): void {
    const text = `${remote} was dropped: ${message}`
    this.tell(() => this.#write(formatError({ code, message: text })))
  }

  /** Tells of something that a peer could make happen again and again, or counts it. */
  tell(write: () => void): void {
    this.#cancel ??= this.#clock.after(windowMs, () => this.#endWindow())
    if (++this.#told > toldMax) this.#others++
    else write()
  }

  /** Tells what is left to tell. */
  close(): void {
    this.#cancel?.()
    this.#endWindow()
  }

  #endWindow(): void {
    this.#cancel = undefined
    if (this.#others > 0) {
      this.#write(`${formatCount(this.#others)} more of this within ${formatDurationMs(windowMs)}`)
    }
    this.#told = 0
    this.#others = 0
  }
}
