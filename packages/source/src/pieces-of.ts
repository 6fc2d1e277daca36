/**
 * Where the pages of a round come from, by what is known of them.
 *
 * @module
 */
import type { Clock } from '@godwit/core'
import { ArrivingPieces } from './arriving-pieces.ts'
import type { LaneOptions } from './lane-options.ts'
import type { RoundPieces } from './lane-pieces.ts'
import { LanePieces } from './lane-pieces.ts'
import { PushPieces } from './push-pieces.ts'
import type { RoundWork } from './round-work.ts'
import { SweepPieces } from './sweep.ts'

/** What one lane takes of a round. */
export interface LaneShare {
  readonly pieces: RoundPieces
  /** The same, in post-copy. */
  readonly push: PushPieces | undefined
}

export function piecesOf(work: RoundWork, options: LaneOptions, clock: Clock): LaneShare {
  const { sent, index, lanes, pageBytes, scan, onHungry } = options
  const { push, sweep, arriving } = work
  const lane = { index, lanes }
  if (push !== undefined) {
    const pieces = new PushPieces(work, push, sent, clock, pageBytes)
    return { pieces, push: pieces }
  }
  if (arriving !== undefined) {
    return { pieces: new ArrivingPieces(work, arriving, sent, lane, onHungry), push: undefined }
  }
  const pieces =
    sweep === undefined
      ? new LanePieces(work, sent, index, lanes)
      : new SweepPieces(work, sweep, sent, scan!(), clock, lane)
  return { pieces, push: undefined }
}
