/**
 * What encoding has come to, as lanes tell it and the report shows it.
 *
 * @module
 */
import type { RichEncoder } from '@godwit/codec'
import type { CompressionFacts } from '@godwit/policy'

/** Batches by the level they were compressed with; 0 for none. */
export type LevelCounts = Record<number, number>

/** Of one lane, or of all together. */
export interface EncodingState {
  /** Memory of versions last sent, and of older ones. */
  readonly cacheBytes: number
  readonly storeBytes: number
  /** Lookups of versions last sent. */
  readonly hits: number
  readonly misses: number
  readonly refused: number
  readonly evicted: number
  /** Pages that the destination asked for again. */
  readonly repairedPages: number
  readonly levels: LevelCounts
  /** Batches of pages that nothing can make smaller. */
  readonly randomBatches: number
  /** What was measured, where that decides. */
  readonly compression: CompressionFacts | undefined
}

/** What an encoder holds, and what became of its cache. */
export function stateOf(
  encoder: RichEncoder | undefined,
): Pick<EncodingState, 'cacheBytes' | 'storeBytes' | 'hits' | 'misses' | 'refused' | 'evicted'> {
  const { cache, store } = encoder?.heldBytes ?? { cache: 0, store: 0 }
  const counts = encoder?.cacheCounts ?? { hits: 0, misses: 0, refused: 0, evicted: 0 }
  return { cacheBytes: cache, storeBytes: store, ...counts }
}

/** All lanes together. */
export function sumOfStates(states: readonly EncodingState[]): EncodingState | undefined {
  const [first, ...rest] = states
  return first && rest.reduce(add, first)
}

function add(a: EncodingState, b: EncodingState): EncodingState {
  const levels: LevelCounts = { ...a.levels }
  for (const [level, count] of Object.entries(b.levels)) {
    levels[Number(level)] = (levels[Number(level)] ?? 0) + count
  }
  return {
    cacheBytes: a.cacheBytes + b.cacheBytes,
    storeBytes: a.storeBytes + b.storeBytes,
    hits: a.hits + b.hits,
    misses: a.misses + b.misses,
    refused: a.refused + b.refused,
    evicted: a.evicted + b.evicted,
    repairedPages: a.repairedPages + b.repairedPages,
    levels,
    randomBatches: a.randomBatches + b.randomBatches,
    compression: addFacts(a.compression, b.compression),
  }
}

function addFacts(
  a: CompressionFacts | undefined,
  b: CompressionFacts | undefined,
): CompressionFacts | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return {
    linkBytesPerSecond: a.linkBytesPerSecond + b.linkBytesPerSecond,
    plainBytesPerSecond: Math.max(a.plainBytesPerSecond, b.plainBytesPerSecond),
    plainSize: (a.plainSize + b.plainSize) / 2,
  }
}
