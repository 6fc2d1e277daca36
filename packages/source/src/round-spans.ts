/**
 * What lanes share of a migration, taken apart for the way to other threads and put together there.
 *
 * @module
 */
import type { Region, Span } from '@godwit/core'
import { FingerprintTable, PageBitmap, bytesOf, pagesCovering, spanOf } from '@godwit/core'
import type { SentPages } from '@godwit/codec'
import type { FetchName } from '@godwit/policy'
import { FaultBoard } from './fault-board.ts'
import type { LookWork, ScanJob } from './memory-scan.ts'
import type { PushWork, RoundWork } from './round-work.ts'
import type { Sweep } from './sweep.ts'

/** A region and its table of fingerprints. */
export interface SentSpan {
  readonly id: number
  readonly name: string
  readonly bytes: Span
  readonly memory: Region['memory']
  readonly fingerprints: Span
}

/** Everything that is needed to send one round, all of it shared. */
export interface RoundSpans {
  readonly round: number
  readonly known: boolean
  readonly mayLack: boolean
  /** Words of the bitmaps. */
  readonly dirty: readonly Uint32Array[]
  readonly untouched: readonly Uint32Array[] | undefined
  readonly again: readonly Uint32Array[] | undefined
  readonly leavesAgain: boolean
  readonly pieces: Uint32Array
  readonly taken: Int32Array
  readonly left: readonly Uint32Array[] | undefined
  readonly ownedPages: number
  readonly sweep: SweepSpans | undefined
  readonly arriving: Int32Array | undefined
  readonly push: PushSpans | undefined
}

/** The same of a sweep. */
export interface SweepSpans {
  readonly states: Int32Array
  readonly zeros: readonly Uint32Array[]
  readonly kept: readonly Uint32Array[] | undefined
}

/** The same for whoever only looks. */
export interface LookSpans extends Pick<RoundSpans, 'dirty' | 'pieces'> {
  readonly sweep: SweepSpans
}

/** Everything that is needed for a share of one scan, all of it shared. */
export interface ScanSpans {
  /** Words of the bitmaps. */
  readonly zeros: readonly Uint32Array[]
  readonly kept: readonly Uint32Array[] | undefined
  readonly into: readonly Uint32Array[]
  readonly next: Int32Array
}

/** The same of a round of post-copy. */
export interface PushSpans {
  readonly left: readonly Uint32Array[]
  readonly board: Int32Array
  readonly fetch: FetchName
}

export function spansOfSent(sent: readonly SentPages[]): readonly SentSpan[] {
  return sent.map(({ region, fingerprints }) => ({
    id: region.id,
    name: region.name,
    bytes: spanOf(region.bytes),
    memory: region.memory,
    fingerprints: spanOf(fingerprints.bytes),
  }))
}

/** The other end of {@link spansOfSent}. */
export function sentOfSpans(spans: readonly SentSpan[], pageBytes: number): readonly SentPages[] {
  return spans.map(({ id, name, bytes: span, memory, fingerprints }) => {
    const bytes = bytesOf(span)
    const table = bytesOf(fingerprints)
    const pages = pagesCovering(bytes.length, pageBytes)
    const entryBytes = table.length / pages === 8 ? 8 : 32
    // Without a spread: the regions of the warm-up are like this one, to the compiler.
    const region = memory === undefined ? { id, name, bytes } : { id, name, bytes, memory }
    return { region, fingerprints: new FingerprintTable(pages, entryBytes, table) }
  })
}

export function spansOfWork(work: RoundWork): RoundSpans {
  const { dirty, untouched, again, left, sweep, push, ...rest } = work
  const marks = {
    untouched: untouched && wordsOf(untouched),
    again: again && wordsOf(again),
    left: left && wordsOf(left),
  }
  const looked = sweep && spansOfSweep(sweep)
  const pushed = push && spansOfPush(push)
  return { ...rest, dirty: wordsOf(dirty), ...marks, sweep: looked, push: pushed }
}

/** The other end of {@link spansOfWork}, for the regions of `sent`. */
export function workOfSpans(spans: RoundSpans, sent: readonly SentPages[]): RoundWork {
  const { dirty, untouched, again, left, sweep, push, ...rest } = spans
  const marks = {
    untouched: untouched && bitmapsOf(untouched, sent),
    again: again && bitmapsOf(again, sent),
    left: left && bitmapsOf(left, sent),
  }
  const pushed = push && pushOfSpans(push, sent)
  const looked = sweep && sweepOfSpans(sweep, sent)
  return { ...rest, dirty: bitmapsOf(dirty, sent), ...marks, sweep: looked, push: pushed }
}

function spansOfSweep({ states, zeros, kept }: Sweep): SweepSpans {
  return { states, zeros: wordsOf(zeros), kept: kept && wordsOf(kept) }
}

function sweepOfSpans({ states, zeros, kept }: SweepSpans, sent: readonly SentPages[]): Sweep {
  return { states, zeros: bitmapsOf(zeros, sent), kept: kept && bitmapsOf(kept, sent) }
}

export function spansOfScan({ zeros, kept, into, next }: ScanJob): ScanSpans {
  return { zeros: wordsOf(zeros), kept: kept && wordsOf(kept), into: wordsOf(into), next }
}

export function spansOfLook({ dirty, pieces, sweep }: LookWork): LookSpans {
  return { dirty: wordsOf(dirty), pieces, sweep: spansOfSweep(sweep) }
}

/** The other end of {@link spansOfLook}. */
export function lookOfSpans(spans: LookSpans, sent: readonly SentPages[]): LookWork {
  const { dirty, pieces, sweep } = spans
  return { dirty: bitmapsOf(dirty, sent), pieces, sweep: sweepOfSpans(sweep, sent) }
}

/** The other end of {@link spansOfScan}. */
export function scanOfSpans(spans: ScanSpans, sent: readonly SentPages[]): ScanJob {
  const { zeros, kept, into, next } = spans
  const known = { zeros: bitmapsOf(zeros, sent), kept: kept && bitmapsOf(kept, sent) }
  return { ...known, into: bitmapsOf(into, sent), next }
}

export function spansOfPush({ left, board, fetch }: PushWork): PushSpans {
  return { left: wordsOf(left), board: board.words, fetch }
}

/** The other end of {@link spansOfPush}. */
export function pushOfSpans(
  { left, board, fetch }: PushSpans,
  sent: readonly SentPages[],
): PushWork {
  return { left: bitmapsOf(left, sent), board: new FaultBoard(board), fetch }
}

function wordsOf(list: readonly PageBitmap[]): readonly Uint32Array[] {
  return list.map(({ words }) => words)
}

function bitmapsOf(
  list: readonly Uint32Array[],
  sent: readonly SentPages[],
): readonly PageBitmap[] {
  return list.map((words, index) => new PageBitmap(sent[index]!.fingerprints.entryCount, words))
}
