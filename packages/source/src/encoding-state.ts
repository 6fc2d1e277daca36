/**
 * What encoding has come to, as lanes tell it and the report shows it.
 *
 * @module
 */
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
  /** What was measured, where that decides. */
  readonly compression: CompressionFacts | undefined
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
