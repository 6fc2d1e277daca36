/**
 * What still arrives while a connection changes hands.
 *
 * @module
 */
import type { ChannelSink } from './channel.ts'

/** All of them, one after the other, in memory of their own. */
export function concatBytes(...pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

/** Keeps what comes: at most the rest of one read, since reading has stopped. */
export class LateSink implements ChannelSink {
  readonly #space: Uint8Array = new Uint8Array(64 * 1024)
  readonly #pieces: Uint8Array[] = []

  /** Everything so far, in memory of its own. */
  get bytes(): Uint8Array {
    return concatBytes(...this.#pieces)
  }

  space(): Uint8Array {
    return this.#space
  }

  received(byteCount: number): void {
    this.#pieces.push(this.#space.slice(0, byteCount))
  }

  closed(): void {
    // Whoever takes the connection over hears of its end.
  }
}
