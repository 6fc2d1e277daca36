/**
 * Items by key, in guest memory: hash table, least recent use, expiry, CAS uniques, counters.
 *
 * Everything it knows is in memory. Between two calls memory is whole, so that a copy of it made
 * then, opened anywhere, is the same store.
 *
 * @module
 */
import {
  ChunkState,
  classFor,
  type Counter,
  counterAt,
  COUNTERS,
  Double,
  Item,
  LAYOUT_VERSION,
  MAGIC,
  notAService,
  type Plan,
  planMemory,
  TABLE_AT,
  VALUE_BYTES_MAX,
  Word,
} from './layout.ts'
import type { MarkedMemory } from './marked-memory.ts'
import { Slabs } from './slabs.ts'

/**
 * That an item was used again is noted once in so many seconds only, as memcached does it
 * (`ITEM_UPDATE_INTERVAL`): reading does not dirty memory all the time.
 */
export const NOTE_SECONDS = 60

/** What new memory starts with. */
export interface NewStore {
  /** Unix time. */
  readonly nowSeconds: number
  /** 32 bits that nobody can guess, so that nobody can choose keys for one bucket. */
  readonly hashSeed: number
}

/** An item's value and what belongs to it. */
export interface NewValue {
  readonly flags: number
  /** Unix time in seconds; 0: never. */
  readonly expiresAt: number
  /** The value is `source[from, from + count)`; not guest memory. */
  readonly source: Uint8Array
  readonly from: number
  /** At most {@link VALUE_BYTES_MAX}. */
  readonly count: number
}

/** FNV-1a with a final mix (MurmurHash3's `fmix32`), to 32 bits. */
export function hashKey(seed: number, key: Uint8Array, from: number, count: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = from; i < from + count; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

// A granule is 8 references long, and a byte has the bits of 8 granules.
function fetchedBit(ref: number): number {
  return 1 << ((ref >>> 3) & 7)
}

/** References to items (see `layout.ts`) are good until the next call that stores. */
export class Store {
  readonly memory: MarkedMemory
  readonly slabs: Slabs
  readonly #plan: Plan
  readonly #mask: number
  readonly #seed: number
  readonly #words: Uint32Array
  /** Of the key that was looked for last. */
  #hash = 0

  /**
   * Opens memory that a store was made in.
   *
   * @throws {GodwitError} `GUEST_FAILED` when its header is of something else
   */
  constructor(memory: MarkedMemory) {
    const { words, numbers, bytes } = memory
    const plan = planMemory(bytes.byteLength)
    if (words[Word.Magic >>> 2] !== MAGIC) throw notAService('there is no header')
    const version = words[Word.Version >>> 2]
    if (version !== LAYOUT_VERSION) throw notAService(`it has layout version ${version}`)
    const isSame =
      numbers[Double.MemoryBytes >>> 3] === bytes.byteLength &&
      words[Word.BucketBits >>> 2] === plan.bucketBits &&
      words[Word.SlabCount >>> 2] === plan.slabCount &&
      words[Word.SlabsTaken >>> 2]! <= plan.slabCount
    if (!isSame) throw notAService('its header does not fit its size')
    this.memory = memory
    this.#words = words
    this.#plan = plan
    this.#mask = 2 ** plan.bucketBits - 1
    this.#seed = words[Word.HashSeed >>> 2]!
    const evict = (ref: number): void => this.#evict(ref)
    this.slabs = new Slabs(memory, plan, { evict, spare: (ref) => this.#spare(ref) })
  }

  /** Makes an empty store in memory that is all zero. @throws {LimitError} `LIMIT_EXCEEDED` */
  static create(memory: MarkedMemory, { nowSeconds, hashSeed }: NewStore): Store {
    const memoryBytes = memory.bytes.byteLength
    const plan = planMemory(memoryBytes)
    memory.setWord(Word.Magic, MAGIC)
    memory.setWord(Word.Version, LAYOUT_VERSION)
    memory.setWord(Word.BucketBits, plan.bucketBits)
    memory.setWord(Word.HashSeed, hashSeed)
    memory.setWord(Word.SlabCount, plan.slabCount)
    memory.setNumber(Double.MemoryBytes, memoryBytes)
    memory.setNumber(Double.Clock, nowSeconds)
    memory.setNumber(Double.StartedAt, nowSeconds)
    return new Store(memory)
  }

  /** Unix time in seconds as of the last {@link tick}. */
  get now(): number {
    return this.memory.numbers[Double.Clock >>> 3]!
  }

  read(double: number): number {
    return this.memory.numbers[double >>> 3]!
  }

  get slabCount(): number {
    return this.#plan.slabCount
  }

  /** Tells the time; one that lies behind what it was already is not taken. */
  tick(nowSeconds: number): void {
    if (nowSeconds > this.now) this.memory.setNumber(Double.Clock, nowSeconds)
    const flushAt = this.read(Double.FlushAt)
    if (flushAt === 0 || flushAt > this.now) return
    this.memory.setNumber(Double.Epoch, (this.read(Double.Epoch) + 1) >>> 0)
    this.memory.setNumber(Double.FlushAt, 0)
  }

  count(name: Counter, difference = 1): void {
    const at = counterAt(name)
    this.memory.setNumber(at, this.memory.numbers[at >>> 3]! + difference)
  }

  counter(name: Counter): number {
    return this.memory.numbers[counterAt(name) >>> 3]!
  }

  /** Makes all counters zero (`stats reset`). */
  resetCounters(): void {
    for (const name of COUNTERS) this.memory.setNumber(counterAt(name), 0)
  }

  /** The item of a key; 0 where there is none, or none any more. */
  find(key: Uint8Array, from: number, count: number): number {
    const hash = hashKey(this.#seed, key, from, count)
    this.#hash = hash
    const words = this.#words
    let ref = words[(TABLE_AT + (hash & this.#mask) * 4) >>> 2]!
    while (ref !== 0) {
      const at = ref * 8
      if (words[(at + Item.Hash) >>> 2] === hash && this.#hasKey(at, key, from, count)) break
      ref = words[(at + Item.Chain) >>> 2]!
    }
    if (ref === 0) return 0
    const isFlushed = this.#isFlushed(ref)
    if (!isFlushed && !this.#isExpired(ref)) return ref
    this.count(isFlushed ? 'get_flushed' : 'get_expired')
    this.remove(ref)
    return 0
  }

  #hasKey(at: number, key: Uint8Array, from: number, count: number): boolean {
    const { bytes } = this.memory
    if (bytes[at + Item.KeyBytes] !== count) return false
    const keyAt = at + Item.Key
    for (let i = 0; i < count; i++) if (bytes[keyAt + i] !== key[from + i]) return false
    return true
  }

  #isExpired(ref: number): boolean {
    const expiresAt = this.#words[(ref * 8 + Item.ExpiresAt) >>> 2]!
    return expiresAt !== 0 && expiresAt <= this.now
  }

  #isFlushed(ref: number): boolean {
    return this.#words[(ref * 8 + Item.Epoch) >>> 2] !== this.read(Double.Epoch)
  }

  cas(ref: number): bigint {
    return (BigInt(this.casHigh(ref)) << 32n) | BigInt(this.casLow(ref))
  }

  casLow(ref: number): number {
    return this.#words[(ref * 8 + Item.CasLow) >>> 2]!
  }

  casHigh(ref: number): number {
    return this.#words[(ref * 8 + Item.CasHigh) >>> 2]!
  }

  /** Gives an item a CAS unique that a client chose. */
  setCas(ref: number, cas: bigint): void {
    this.memory.setWord(ref * 8 + Item.CasLow, Number(cas & 0xffffffffn))
    this.memory.setWord(ref * 8 + Item.CasHigh, Number(cas >> 32n))
  }

  /** `Mark`s of an item. */
  marks(ref: number): number {
    return this.memory.bytes[ref * 8 + Item.Marks]!
  }

  setMarks(ref: number, marks: number): void {
    this.memory.setByte(ref * 8 + Item.Marks, marks)
  }

  flags(ref: number): number {
    return this.#words[(ref * 8 + Item.Flags) >>> 2]!
  }

  expiresAt(ref: number): number {
    return this.#words[(ref * 8 + Item.ExpiresAt) >>> 2]!
  }

  valueBytes(ref: number): number {
    return this.#words[(ref * 8 + Item.ValueBytes) >>> 2]!
  }

  /** Offset of the value. */
  valueAt(ref: number): number {
    return ref * 8 + Item.Key + this.memory.bytes[ref * 8 + Item.KeyBytes]!
  }

  /** Since it was stored or fetched; see `layout.ts` for how exact that is. */
  idleSeconds(ref: number): number {
    return Math.max(0, this.now - this.#words[(ref * 8 + Item.AccessedAt) >>> 2]!)
  }

  /** Whether an item was fetched since it was stored. */
  isFetched(ref: number): boolean {
    return (this.memory.bytes[this.#fetchedAt(ref)]! & fetchedBit(ref)) !== 0
  }

  setFetched(ref: number, isFetched: boolean): void {
    if (this.isFetched(ref) === isFetched) return
    const at = this.#fetchedAt(ref)
    this.memory.setByte(at, this.memory.bytes[at]! ^ fetchedBit(ref))
  }

  #fetchedAt(ref: number): number {
    return this.#plan.fetchedAt + (ref >>> 6)
  }

  /** An item was fetched. */
  fetch(ref: number): void {
    this.setFetched(ref, true)
    this.use(ref)
  }

  /** An item was used: it is not to be evicted soon. */
  use(ref: number): void {
    if (this.idleSeconds(ref) < NOTE_SECONDS) return
    this.memory.setWord(ref * 8 + Item.AccessedAt, this.now)
  }

  /** Whether an item is not to be evicted yet, since it was used. */
  #spare(ref: number): boolean {
    const usedAt = this.#words[(ref * 8 + Item.AccessedAt) >>> 2]!
    const isUsed = usedAt > this.#words[(ref * 8 + Item.BumpedAt) >>> 2]!
    if (!isUsed || this.#isExpired(ref) || this.#isFlushed(ref)) return false
    this.memory.setWord(ref * 8 + Item.BumpedAt, usedAt)
    return true
  }

  /**
   * Gives a key a value, whatever it had, with a new CAS unique and no marks.
   *
   * @param found - what {@link find} said of the key just now
   * @returns the item; 0 when the value is too large: then the key has what it had
   */
  set(key: Uint8Array, from: number, keyBytes: number, found: number, value: NewValue): number {
    if (value.count > VALUE_BYTES_MAX) return 0
    const classIndex = classFor(Item.Key + keyBytes + value.count)
    if (found !== 0 && this.memory.bytes[found * 8 + Item.Class] === classIndex) {
      this.overwrite(found, value)
      return found
    }
    if (found !== 0) this.remove(found)
    const ref = this.slabs.allocate(classIndex)
    const at = ref * 8
    const { memory } = this
    memory.setByte(at + Item.KeyBytes, keyBytes)
    memory.copyIn(at + Item.Key, key, from, keyBytes)
    memory.setWord(at + Item.ValueBytes, 0)
    this.#link(ref, this.#hash)
    this.overwrite(ref, value)
    return ref
  }

  /** Gives an item another value that fits its chunk, with a new CAS unique and no marks. */
  overwrite(ref: number, { flags, expiresAt, source, from, count }: NewValue): void {
    const { memory } = this
    const at = ref * 8
    this.#addItems(0, count - this.valueBytes(ref))
    memory.setWord(at + Item.Flags, flags)
    memory.setWord(at + Item.ExpiresAt, expiresAt)
    memory.setWord(at + Item.ValueBytes, count)
    memory.setWord(at + Item.Epoch, this.read(Double.Epoch))
    memory.setWord(at + Item.AccessedAt, this.now)
    memory.setByte(at + Item.Marks, 0)
    this.setFetched(ref, false)
    memory.copyIn(this.valueAt(ref), source, from, count)
    this.renewCas(ref)
  }

  /** Gives an item the next CAS unique. */
  renewCas(ref: number): void {
    const unique = this.read(Double.CasUnique) + 1
    this.memory.setNumber(Double.CasUnique, unique)
    this.memory.setWord(ref * 8 + Item.CasLow, unique >>> 0)
    this.memory.setWord(ref * 8 + Item.CasHigh, Math.floor(unique / 2 ** 32))
  }

  /** @param expiresAt - Unix time in seconds; 0: never */
  expire(ref: number, expiresAt: number): void {
    this.memory.setWord(ref * 8 + Item.ExpiresAt, expiresAt)
  }

  /** Fetches an item, which then expires at another time. */
  touch(ref: number, expiresAt: number): void {
    this.expire(ref, expiresAt)
    this.fetch(ref)
  }

  /** Takes an item out of the store. */
  remove(ref: number): void {
    const { memory } = this
    const words = this.#words
    const at = ref * 8
    let link = TABLE_AT + (words[(at + Item.Hash) >>> 2]! & this.#mask) * 4
    while (words[link >>> 2] !== ref) {
      const next = words[link >>> 2]!
      if (next === 0) throw notAService('an item is not in its bucket')
      link = next * 8 + Item.Chain
    }
    memory.setWord(link, words[(at + Item.Chain) >>> 2]!)
    const keyBytes = memory.bytes[at + Item.KeyBytes]!
    this.#addItems(-1, -(Item.Key + keyBytes + this.valueBytes(ref)))
    this.slabs.takeOut(ref)
    this.slabs.free(ref)
  }

  #link(ref: number, hash: number): void {
    const { memory } = this
    const at = ref * 8
    const bucket = TABLE_AT + (hash & this.#mask) * 4
    memory.setByte(at + Item.State, ChunkState.Linked)
    memory.setWord(at + Item.Hash, hash)
    memory.setWord(at + Item.BumpedAt, this.now)
    memory.setWord(at + Item.Chain, this.#words[bucket >>> 2]!)
    memory.setWord(bucket, ref)
    this.slabs.pushFront(ref)
    this.#addItems(1, Item.Key + memory.bytes[at + Item.KeyBytes]!)
    this.count('total_items')
  }

  #addItems(items: number, bytes: number): void {
    const { memory } = this
    if (items !== 0) memory.setNumber(Double.ItemCount, this.read(Double.ItemCount) + items)
    if (bytes !== 0) memory.setNumber(Double.ItemBytes, this.read(Double.ItemBytes) + bytes)
  }

  #evict(ref: number): void {
    const isDead = this.#isExpired(ref) || this.#isFlushed(ref)
    this.count(isDead ? 'reclaimed' : 'evictions')
    if (!isDead) this.slabs.countEvicted(this.memory.bytes[ref * 8 + Item.Class]!)
    this.remove(ref)
  }

  /**
   * Makes everything that is there now, or then, go away. What has gone is given back when it is
   * looked for, or its chunk is needed.
   *
   * @param atSeconds - Unix time; 0 or one that has passed: at once
   */
  flush(atSeconds: number): void {
    this.memory.setNumber(Double.FlushAt, Math.max(atSeconds, 1))
    this.tick(this.now)
  }
}
