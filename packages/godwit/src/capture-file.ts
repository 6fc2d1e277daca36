/**
 * The file that a capture is written to.
 *
 * @module
 */
import { closeSync, fchmodSync, openSync, writeSync } from 'node:fs'
import type { Side } from '@godwit/capture'
import { Recorder } from '@godwit/capture'
import type { Channel } from '@godwit/core'
import { GodwitError, systemClock } from '@godwit/core'

/** It has a guest's memory in it: nobody else may read it. */
const ownerOnly = 0o600

/** A capture that is being written, of one migration or of several. */
export class CaptureFile {
  readonly recorder: Recorder
  readonly #descriptor: number
  #isClosed = false

  /**
   * Begins a file, in the place of one that is there.
   *
   * @param side - of the agent
   * @param onFailed - the file takes no more: what follows is not captured
   * @throws {GodwitError} `FILE_UNWRITABLE`
   */
  constructor(file: string, side: Side, onFailed: (error: GodwitError) => void = () => {}) {
    this.#descriptor = attempt(file, () => openSync(file, 'w', ownerOnly))
    this.recorder = attempt(file, () => {
      fchmodSync(this.#descriptor, ownerOnly)
      const output = { write: (bytes: Uint8Array) => this.#write(file, bytes) }
      const startedMs = Date.now()
      return new Recorder(output, { side, clock: systemClock, startedMs, onFailed })
    })
  }

  /** The end of the capture. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.recorder.end()
    this.#isClosed = true
    closeSync(this.#descriptor)
  }

  #write(file: string, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      at += attempt(file, () => writeSync(this.#descriptor, bytes, at))
    }
  }
}

/** What both agents take of a capture. */
export interface CaptureOptions {
  /**
   * Captures everything that goes over the channels, for `godwit verify` and `godwit explain`: in a
   * file of that name, or in one that was begun, which is then its owner's to close. It has the
   * guest's memory in it. All channels are on the calling thread then, which makes it slower.
   */
  readonly capture?: string | CaptureFile
  /** A file that was given by its name takes no more: what follows is not captured. */
  readonly onCaptureFailed?: (error: GodwitError) => void
}

/** A capture of one agent. */
export interface AgentCapture {
  /** Sees what goes over the channel; above whatever seals it. */
  readonly tap: (channel: Channel) => Channel
  end(): void
}

/** @throws {GodwitError} `FILE_UNWRITABLE` */
export function beginCapture(
  { capture, onCaptureFailed }: CaptureOptions,
  side: Side,
): AgentCapture | undefined {
  if (capture === undefined) return undefined
  const isOwn = typeof capture === 'string'
  const file = isOwn ? new CaptureFile(capture, side, onCaptureFailed) : capture
  return {
    tap: (channel) => file.recorder.capture(channel),
    end: () => {
      if (isOwn) file.close()
    },
  }
}

function attempt<Kind>(file: string, work: () => Kind): Kind {
  try {
    return work()
  } catch (thrown) {
    if (thrown instanceof GodwitError) throw thrown
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    throw new GodwitError('FILE_UNWRITABLE', `${file} cannot be written: ${reason}`)
  }
}
