/**
 * How long a grid will take: told before it starts, and made better by what was measured since.
 *
 * @module
 */
import { GIB } from '@godwit/core'
import type { Cell } from './cell.ts'

/** Two processes that start, warm-up of the guest, handshakes, and the guest's time afterwards. */
const startMs = 2750
/** Filling memory, making room, verifying and the proof of continuity, by both sides. */
const msPerGib = 6000
/** Of the content that guests begin with; zero pages cost nothing. */
const sentShare = 0.6
/** Round 1 and what is sent again. */
const rounds = 1.8

/** A guess, in milliseconds, of what one run of a cell takes in all. */
export function expectedRunMs({ memoryBytes, linkRate, competingRate }: Cell): number {
  const free = Math.max(linkRate - competingRate, linkRate / 4)
  const transferMs = (1e3 * memoryBytes * sentShare * rounds) / free
  return startMs + (memoryBytes / GIB) * msPerGib + transferMs
}

/** One run of each. */
export function expectedMs(cells: readonly Cell[]): number {
  return cells.reduce((sum, cell) => sum + expectedRunMs(cell), 0)
}

/** What was guessed for the rest, corrected by how far off the guess was until now. */
export function remainingMs(leftMs: number, doneMs: number, tookMs: number): number {
  return doneMs > 0 ? leftMs * (tookMs / doneMs) : leftMs
}

/** A run that takes longer than this has gone wrong. */
export function limitMs(cell: Cell): number {
  return 60_000 + 5 * expectedRunMs(cell)
}

/** `95000` -> `about 2 min`. */
export function formatAbout(ms: number): string {
  return ms < 90_000
    ? `about ${Math.max(1, Math.round(ms / 1e3))} s`
    : `about ${Math.round(ms / 60e3)} min`
}
