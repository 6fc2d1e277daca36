/**
 * How long threads of a guest waited for pages, in memory that all of them share.
 *
 * @module
 */
import type { FaultReport } from './report.ts'
import { allocateShared } from './threads.ts'

/** Each power of two of 0.1 us is cut into so many buckets: percentiles are right within 3 %. */
const bucketBits = 5
const bucketsPerOctave = 1 << bucketBits
const octaves = 31 - bucketBits + 1
/** Two words with the sum of all waits, then the longest, then one that is unused. */
const headWords = 4
const maxWord = 2
const unitsPerMs = 1e4
/** 214 s: to percentiles and the longest wait, none is longer. */
const unitsMax = 0x7fffffff

/** A histogram of waiting times. */
export class FaultLog {
  readonly words: Int32Array
  /** The first two words; 32 bits would be full after 7 minutes. */
  readonly #totalUnits: BigInt64Array

  /** @param words - of another thread's log */
  constructor(words?: Int32Array) {
    const byteLength = (headWords + octaves * bucketsPerOctave) * 4
    this.words = words ?? new Int32Array(allocateShared(byteLength).buffer)
    this.#totalUnits = new BigInt64Array(this.words.buffer, this.words.byteOffset, 1)
  }

  /** A thread has waited for a page. */
  add(waitedMs: number): void {
    const { words } = this
    const waited = Math.max(0, Math.round(waitedMs * unitsPerMs))
    const units = Math.min(unitsMax, waited)
    Atomics.add(this.#totalUnits, 0, BigInt(waited))
    for (;;) {
      const most = Atomics.load(words, maxWord)
      if (units <= most || Atomics.compareExchange(words, maxWord, most, units) === most) break
    }
    // Last: what is counted is not more than the maximum.
    Atomics.add(words, headWords + bucketOf(units), 1)
  }

  /** As of now; threads may go on adding. */
  get report(): FaultReport {
    const buckets = this.words.slice(headWords)
    const count = buckets.reduce((sum, one) => sum + one, 0)
    const maxUs = Atomics.load(this.words, maxWord) / 10
    return {
      count,
      p50Us: Math.min(maxUs, percentile(buckets, Math.ceil(count * 0.5))),
      p99Us: Math.min(maxUs, percentile(buckets, Math.ceil(count * 0.99))),
      maxUs,
      blockedMs: Number(Atomics.load(this.#totalUnits, 0)) / unitsPerMs,
    }
  }
}

/** In microseconds, the one that has `rank` among all, counted from 1. */
function percentile(buckets: Int32Array, rank: number): number {
  let left = rank
  const bucket = buckets.findIndex((count) => (left -= count) <= 0)
  return rank === 0 ? 0 : unitsOf(bucket) / 10
}

function bucketOf(units: number): number {
  if (units < bucketsPerOctave) return units
  const octave = 31 - Math.clz32(units) - bucketBits
  return (octave + 1) * bucketsPerOctave + ((units >>> octave) & (bucketsPerOctave - 1))
}

/** The middle of a bucket. */
function unitsOf(bucket: number): number {
  if (bucket < bucketsPerOctave) return bucket
  const octave = Math.floor(bucket / bucketsPerOctave) - 1
  const first = (bucketsPerOctave + (bucket % bucketsPerOctave)) * 2 ** octave
  return first + (2 ** octave - 1) / 2
}
