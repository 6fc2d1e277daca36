/**
 * Page fingerprints and where they are kept.
 *
 * @module
 */
import { allocateShared } from './threads.ts'

/** Fixed-width fingerprints, one per page: 8 bytes each for XXH3 and XXH64, 32 for SHA-256. */
export class FingerprintTable {
  readonly entryBytes: 8 | 32
  readonly bytes: Uint8Array
  /** The same memory by 64-bit words, for writing. */
  readonly words64: BigUint64Array
  /** The same memory by 32-bit words, for comparing without allocating. */
  readonly words32: Uint32Array

  /** @param bytes - where to keep them, at the border of a 64-bit word; memory of its own else */
  constructor(
    entryCount: number,
    entryBytes: 8 | 32,
    bytes: Uint8Array = new Uint8Array(entryCount * entryBytes),
  ) {
    const { buffer, byteOffset } = bytes
    this.entryBytes = entryBytes
    this.bytes = bytes
    this.words64 = new BigUint64Array(buffer, byteOffset, (entryCount * entryBytes) / 8)
    this.words32 = new Uint32Array(buffer, byteOffset, (entryCount * entryBytes) / 4)
  }

  /** A table that other threads may be given: each stores its own entries. */
  static shared(entryCount: number, entryBytes: 8 | 32): FingerprintTable {
    return new FingerprintTable(entryCount, entryBytes, allocateShared(entryCount * entryBytes))
  }

  get entryCount(): number {
    return this.bytes.length / this.entryBytes
  }

  /** Whether entry `index` equals entry `otherIndex` of `other` (same width). */
  equals(index: number, other: FingerprintTable, otherIndex: number): boolean {
    const words = this.entryBytes >>> 2
    const a = index * words
    const b = otherIndex * words
    for (let i = 0; i < words; i++) {
      if (this.words32[a + i] !== other.words32[b + i]) return false
    }
    return true
  }

  /** Copies entries of `other` (same width), from `otherIndex` on, to `index` and on. */
  copyEntry(index: number, other: FingerprintTable, otherIndex: number, count = 1): void {
    const words = this.entryBytes >>> 2
    const a = index * words
    const b = otherIndex * words
    for (let i = 0; i < words * count; i++) this.words32[a + i] = other.words32[b + i]!
  }

  /** Makes `count` entries from `index` on equal entry `otherIndex` of `other` (same width). */
  fill(index: number, other: FingerprintTable, otherIndex: number, count: number): void {
    for (let i = 0; i < count; i++) this.copyEntry(index + i, other, otherIndex)
  }
}

/** Hashes pages; one instance per thread and seed. */
export interface PageHasher {
  readonly name: 'xxh3' | 'xxh64' | 'sha256'
  readonly entryBytes: 8 | 32
  /**
   * Hashes the consecutive pages of `bytes[start, end)` (the last may be short) and writes one
   * entry each to `into`, from `firstEntry` on. `bytes` is borrowed for the call.
   */
  hashPages(
    bytes: Uint8Array,
    start: number,
    end: number,
    pageBytes: number,
    into: FingerprintTable,
    firstEntry: number,
  ): void
  /** The digest of a run of entries, in order: what two ends compare. 8 or 32 bytes. */
  digest(entries: Uint8Array): Uint8Array
}
