/**
 * Where things are in the memory of the guest. Offsets are bytes; numbers are little-endian. This
 * is the whole state of the service: memory with these bytes is the service.
 *
 * ```
 * 0      header: words, then doubles (clock, CAS unique, counters), then one record per class
 * 4096   which class each slab belongs to, one byte each
 * 8192   hash table: one reference per bucket
 * ...    which items were fetched: one bit for every 64 bytes of memory, since chunks are
 *        no smaller
 * ...    slabs, to the end; each is cut into chunks of its class
 * ```
 *
 * A reference is an offset divided by 8, so that 32 bits reach 4 GiB; 0 is none.
 *
 * @module
 */
import { GodwitError, LimitError, MIB } from '@godwit/core'

/** `GWMC` */
export const MAGIC = 0x434d5747
export const LAYOUT_VERSION = 3

/** Largest value, as memcached's `-I 1m`. */
export const VALUE_BYTES_MAX: number = MIB
/** As the protocol has it. */
export const KEY_BYTES_MAX = 250
/** A largest item and its chunk header, in whole pages. */
export const SLAB_BYTES: number = MIB + 4096
const slabsMax = 4096

/** Offsets of words of the header. */
export const Word = {
  Magic: 0,
  Version: 4,
  BucketBits: 8,
  HashSeed: 12,
  SlabCount: 16,
  SlabsTaken: 20,
} as const

/** Offsets of doubles of the header. */
export const Double = {
  MemoryBytes: 32,
  /** Unix time in seconds; never goes back. */
  Clock: 40,
  StartedAt: 48,
  /** The last that was given out. */
  CasUnique: 56,
  /** When items are to be flushed; 0: never. */
  FlushAt: 64,
  /** How often items were flushed, modulo 2^32: those of another epoch are gone. */
  Epoch: 72,
  ItemCount: 80,
  /** Keys, values and chunk headers of all items. */
  ItemBytes: 88,
} as const

const countersAt = 128
/** Counters of `stats`, in the order of their places. A place is never given to another. */
export const COUNTERS = [
  'total_connections',
  'cmd_get',
  'cmd_set',
  'cmd_flush',
  'cmd_touch',
  'get_hits',
  'get_misses',
  'get_expired',
  'get_flushed',
  'delete_misses',
  'delete_hits',
  'incr_misses',
  'incr_hits',
  'decr_misses',
  'decr_hits',
  'cas_misses',
  'cas_hits',
  'cas_badval',
  'touch_hits',
  'touch_misses',
  'bytes_read',
  'bytes_written',
  'total_items',
  'evictions',
  'reclaimed',
] as const
export type Counter = (typeof COUNTERS)[number]

const counterPlaces = Object.fromEntries(
  COUNTERS.map((name, i) => [name, countersAt + i * 8]),
) as Readonly<Record<Counter, number>>

/** Offset of a counter. */
export function counterAt(name: Counter): number {
  return counterPlaces[name]
}

export const CLASSES_AT = 512
export const CLASS_RECORD_BYTES = 48
/** Offsets in the record of a class; `Evicted` is a double. */
export const ClassField = {
  FreeHead: 0,
  FreeCount: 4,
  Head: 8,
  Tail: 12,
  Items: 16,
  Slabs: 20,
  Evicted: 24,
  /** Of the slab that was taken last, the first chunk that was never used. */
  FreshHead: 32,
  /** From there to the end of the slab. What is in them is not to be relied on. */
  FreshCount: 36,
} as const

export const SLAB_OWNERS_AT = 4096
export const TABLE_AT = 8192

/** Offsets in a chunk; a free one has only the first four. */
export const Item = {
  /** Towards the tail of the list. */
  Next: 0,
  Previous: 4,
  /** One byte: {@link ChunkState}. */
  State: 8,
  Class: 9,
  KeyBytes: 10,
  /** One byte: {@link Mark}s. */
  Marks: 11,
  ValueBytes: 12,
  /** 64 bits: clients may choose it. */
  CasLow: 16,
  CasHigh: 20,
  /** The next of the same bucket. */
  Chain: 24,
  Hash: 28,
  /** The number that clients store beside the value. */
  Flags: 32,
  /** Unix time in seconds; 0: never. */
  ExpiresAt: 36,
  /** Up to when its being used was counted, by the place in its list. */
  BumpedAt: 40,
  /** {@link Double.Epoch} of its value. */
  Epoch: 44,
  /** When it was stored or fetched; fetches within a minute of that are not noted. */
  AccessedAt: 48,
  /** The key, and the value right behind it. */
  Key: 56,
} as const

/** What meta commands tell and change of an item. */
export const Mark = {
  /** Somebody said that it is out of date. */
  Stale: 2,
  /** Somebody was told to store it anew. */
  Won: 4,
  /** Its key came as base64, and is told so. */
  BinaryKey: 8,
} as const

export const ChunkState = { Free: 0, Linked: 1 } as const

const chunkBytesMin = 64
const growth = 1.25

function chunkSizes(): number[] {
  const sizes: number[] = []
  let bytes = chunkBytesMin
  while (bytes <= SLAB_BYTES / 2) {
    sizes.push(bytes)
    bytes = Math.ceil((bytes * growth) / 8) * 8
  }
  return [...sizes, SLAB_BYTES]
}

/** Bytes of a chunk by class, growing by a quarter (memcached's `-f 1.25`); the last is a slab. */
export const CHUNK_BYTES: readonly number[] = chunkSizes()

/** The smallest class with chunks of at least `bytes`; -1 where there is none. */
export function classFor(bytes: number): number {
  if (bytes > SLAB_BYTES) return -1
  let low = 0
  let high = CHUNK_BYTES.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (CHUNK_BYTES[middle]! < bytes) low = middle + 1
    else high = middle
  }
  return low
}

/** What follows from the size of memory alone. */
export interface Plan {
  readonly bucketBits: number
  /**
   * Bits of chunks that were fetched since they were stored to. Apart from the items: a first fetch
   * dirties one page of 2 MiB of items, and not the item's own.
   */
  readonly fetchedAt: number
  readonly slabsAt: number
  readonly slabCount: number
}

/** Least memory: table and a handful of slabs. */
export const MEMORY_BYTES_MIN: number = 8 * MIB
/** One region. */
export const MEMORY_BYTES_MAX: number = 4096 * MIB

/**
 * One bucket for every 128 bytes of memory, rounded down to a power of two: the table never grows,
 * and items of 100 bytes fill it about once.
 *
 * @throws {LimitError} `LIMIT_EXCEEDED` when the size is not 8 MiB to 4 GiB
 */
export function planMemory(memoryBytes: number): Plan {
  if (!(memoryBytes >= MEMORY_BYTES_MIN && memoryBytes <= MEMORY_BYTES_MAX)) {
    throw new LimitError('LIMIT_EXCEEDED', 'Guest memcached has 8MiB to 4GiB of memory', {
      limit: 'memoryBytes',
      value: memoryBytes,
      maximum: MEMORY_BYTES_MAX,
    })
  }
  const bucketBits = Math.floor(Math.log2(memoryBytes / 128))
  const fetchedAt = TABLE_AT + 2 ** bucketBits * 4
  const slabsAt = fetchedAt + Math.ceil(memoryBytes / chunkBytesMin / 64) * 8
  const slabCount = Math.min(slabsMax, Math.floor((memoryBytes - slabsAt) / SLAB_BYTES))
  return { bucketBits, fetchedAt, slabsAt, slabCount }
}

/** The error of memory that is not a service's. */
export function notAService(text: string): GodwitError {
  return new GodwitError('GUEST_FAILED', `This is not the memory of a memcached guest: ${text}`)
}
