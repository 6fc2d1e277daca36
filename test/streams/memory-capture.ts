/**
 * Captures that are never written to a file.
 *
 * @module
 */
import type { CaptureInput, Side } from '@godwit/capture'
import { Recorder } from '@godwit/capture'
import { systemClock } from '@godwit/core'

/** Of one agent, or of several that do the same. */
export class MemoryCapture {
  readonly recorder: Recorder
  readonly #parts: Uint8Array[] = []

  constructor(side: Side) {
    this.recorder = new Recorder(
      { write: (bytes) => this.#parts.push(bytes.slice()) },
      {
        side,
        clock: systemClock,
        startedMs: 0,
        onFailed: (error) => {
          throw error
        },
      },
    )
  }

  /** What was captured so far, as a file has it. */
  get bytes(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#parts))
  }

  /** The whole file. */
  end(): Uint8Array {
    this.recorder.end()
    return this.bytes
  }
}

/** A file that is in memory. @param most - bytes that are read at once */
export function inputOf(bytes: Uint8Array, most: number = Infinity): CaptureInput {
  let at = 0
  return {
    read(into) {
      const piece = bytes.subarray(at, at + Math.min(into.length, most))
      into.set(piece)
      at += piece.length
      return piece.length
    },
  }
}
