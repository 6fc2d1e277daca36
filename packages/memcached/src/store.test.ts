import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteMapTracker } from '@godwit/memory'
import { PageBitmap } from '@godwit/core'
import {
  CHUNK_BYTES,
  ClassField,
  classFor,
  Double,
  Item,
  MEMORY_BYTES_MIN,
  planMemory,
  SLAB_BYTES,
  VALUE_BYTES_MAX,
} from './layout.ts'
import { MarkedMemory } from './marked-memory.ts'
import { hashKey, Store } from './store.ts'

const memoryBytes = MEMORY_BYTES_MIN
const bytesOf = (text: string): Uint8Array => Buffer.from(text)

function createStore(memory = new MarkedMemory(new Uint8Array(memoryBytes))): Store {
  return Store.create(memory, { nowSeconds: 1000, hashSeed: 7 })
}

function put(store: Store, key: string, text: string | Uint8Array, expiresAt = 0, flags = 0) {
  const name = bytesOf(key)
  const source = typeof text === 'string' ? bytesOf(text) : text
  const found = store.find(name, 0, name.length)
  const value = { flags, expiresAt, source, from: 0, count: source.length }
  return store.set(name, 0, name.length, found, value)
}

function get(store: Store, key: string): string | undefined {
  const name = bytesOf(key)
  const ref = store.find(name, 0, name.length)
  if (ref === 0) return undefined
  const at = store.valueAt(ref)
  return Buffer.from(store.memory.bytes.slice(at, at + store.valueBytes(ref))).toString('latin1')
}

function drop(store: Store, key: string): boolean {
  const name = bytesOf(key)
  const ref = store.find(name, 0, name.length)
  if (ref !== 0) store.remove(ref)
  return ref !== 0
}

/** Of a class: [items in its list, free chunks in its list], each list walked both ways. */
function walk(store: Store, classIndex: number): [number, number] {
  const { words } = store.memory
  const follow = (head: number): number => {
    let count = 0
    for (let ref = head, last = 0; ref !== 0; count++) {
      expect(words[(ref * 8 + Item.Previous) >>> 2]).toBe(last)
      last = ref
      ref = words[(ref * 8 + Item.Next) >>> 2]!
    }
    return count
  }
  return [
    follow(store.slabs.field(classIndex, ClassField.Head)),
    follow(store.slabs.field(classIndex, ClassField.FreeHead)),
  ]
}

function checkLists(store: Store): void {
  let items = 0
  CHUNK_BYTES.forEach((chunkBytes, classIndex) => {
    const [linked, free] = walk(store, classIndex)
    expect(store.slabs.field(classIndex, ClassField.Items)).toBe(linked)
    expect(store.slabs.field(classIndex, ClassField.FreeCount)).toBe(free)
    const slabs = store.slabs.field(classIndex, ClassField.Slabs)
    const fresh = store.slabs.field(classIndex, ClassField.FreshCount)
    expect(linked + free + fresh).toBe(slabs * Math.floor(SLAB_BYTES / chunkBytes))
    items += linked
  })
  expect(store.read(Double.ItemCount)).toBe(items)
}

describe('layout', () => {
  it('has room for a largest item and for slabs in the least memory', () => {
    expect(classFor(Item.Key + 250 + VALUE_BYTES_MAX)).toBe(CHUNK_BYTES.length - 1)
    expect(classFor(SLAB_BYTES + 1)).toBe(-1)
    expect([classFor(1), classFor(64), classFor(65), classFor(80), classFor(81)]).toEqual([
      0, 0, 1, 1, 2,
    ])
    expect(CHUNK_BYTES.every((bytes) => bytes % 8 === 0)).toBe(true)
    expect(CHUNK_BYTES.length).toBeLessThanOrEqual(64)
    // 2^16 buckets of 4 bytes, 8388608 / 512 bytes of bits; (8388608 - 286720) / 1052672 = 7.7
    expect(planMemory(memoryBytes)).toEqual({
      bucketBits: 16,
      fetchedAt: 270_336,
      slabsAt: 286_720,
      slabCount: 7,
    })
    expect(planMemory(2 ** 32)).toMatchObject({ bucketBits: 25 })
    expect(() => planMemory(memoryBytes - 1)).toThrow('8MiB to 4GiB')
  })
})

describe('Store', () => {
  it('keeps values, with flags and a CAS unique that grows', () => {
    const store = createStore()
    const first = put(store, 'a', 'one', 0, 0xffffffff)
    expect([get(store, 'a'), store.flags(first), store.cas(first)]).toEqual(['one', 0xffffffff, 1n])
    const second = put(store, 'a', 'two')
    expect([get(store, 'a'), store.flags(second), store.cas(second)]).toEqual(['two', 0, 2n])
    put(store, 'a', 'x'.repeat(5000))
    expect(get(store, 'a')).toBe('x'.repeat(5000))
    expect(store.read(Double.ItemBytes)).toBe(56 + 1 + 5000)
    expect(drop(store, 'a')).toBe(true)
    expect(get(store, 'a')).toBeUndefined()
    expect([store.read(Double.ItemCount), store.read(Double.ItemBytes)]).toEqual([0, 0])
    checkLists(store)
  })

  it('expires by the clock that it is told, which never goes back', () => {
    const store = createStore()
    put(store, 'a', 'one', 1010)
    store.tick(1009)
    expect(get(store, 'a')).toBe('one')
    store.tick(1010)
    store.tick(900)
    expect(store.now).toBe(1010)
    expect(get(store, 'a')).toBeUndefined()
    expect(store.counter('get_expired')).toBe(1)
    checkLists(store)
  })

  it('flushes what is there, at once or later, and not what comes after', () => {
    const store = createStore()
    put(store, 'a', 'one')
    store.flush(0)
    put(store, 'b', 'two')
    expect([get(store, 'a'), get(store, 'b')]).toEqual([undefined, 'two'])
    store.flush(1005)
    put(store, 'c', 'three')
    store.tick(1004)
    expect([get(store, 'b'), get(store, 'c')]).toEqual(['two', 'three'])
    store.tick(1006)
    put(store, 'd', 'four')
    const left = ['a', 'b', 'c', 'd'].filter((key) => get(store, key) !== undefined)
    expect(left).toEqual(['d'])
    checkLists(store)
  })

  it('evicts what was not used for the longest time', () => {
    const store = createStore()
    // A chunk of the last class is a slab, and there are seven.
    const large = new Uint8Array(VALUE_BYTES_MAX).fill(97)
    for (let i = 0; i < 7; i++) put(store, `k${i}`, large)
    store.tick(1059)
    expect(store.counter('evictions')).toBe(0)
    const k0 = bytesOf('k0')
    store.use(store.find(k0, 0, 2)) // less than a minute: it stays where it is
    put(store, 'k7', large)
    expect(get(store, 'k0')).toBeUndefined()
    store.tick(1060)
    const k1 = bytesOf('k1')
    store.use(store.find(k1, 0, 2))
    put(store, 'k8', large)
    expect([get(store, 'k1')?.length, get(store, 'k2')]).toEqual([VALUE_BYTES_MAX, undefined])
    expect(store.counter('evictions')).toBe(2)
    expect(put(store, 'k9', new Uint8Array(VALUE_BYTES_MAX + 1))).toBe(0)
    checkLists(store)
  })

  it('evicts one at last where all are in use', () => {
    const store = createStore()
    const third = new Uint8Array(290_000)
    for (let i = 0; i < 21; i++) put(store, `k${i}`, third)
    store.tick(1060)
    for (let i = 0; i < 21; i++) {
      const key = bytesOf(`k${i}`)
      store.use(store.find(key, 0, key.length))
    }
    expect(store.counter('evictions')).toBe(0)
    put(store, 'new', third) // k0 to k15 are spared
    expect(get(store, 'k15')?.length).toBe(290_000)
    expect(get(store, 'k16')).toBeUndefined()
    put(store, 'newer', third) // k17 to k20 are spared, and nobody used k0 since it was
    expect(get(store, 'k17')?.length).toBe(290_000)
    expect(get(store, 'k0')).toBeUndefined()
    checkLists(store)
  })

  it('dirties a page of 2 MiB of items, and none of theirs, when they are fetched first', () => {
    const map = new Uint8Array(memoryBytes / 4096)
    const memory = new MarkedMemory(new Uint8Array(memoryBytes), { map, pageBytes: 4096 })
    const store = Store.create(memory, { nowSeconds: 1000, hashSeed: 7 })
    for (let i = 0; i < 2000; i++) put(store, `key${i}`, 'x'.repeat(900))
    const fetchAll = (): number[] => {
      map.fill(0)
      for (let i = 0; i < 2000; i++)
        store.fetch(store.find(bytesOf(`key${i}`), 0, `key${i}`.length))
      return [...map.keys()].filter((page) => map[page] !== 0)
    }
    // 2.4 MiB of slabs: bits of two pages, the first of which has the table's end.
    const { fetchedAt, slabsAt } = planMemory(memoryBytes)
    const first = fetchAll()
    expect(first.length).toBeLessThanOrEqual(2)
    expect(first.every((page) => page >= fetchedAt / 4096 && page < slabsAt / 4096)).toBe(true)
    expect(fetchAll()).toEqual([])
    store.tick(1060)
    expect(fetchAll().length).toBeGreaterThan(500) // when is in their headers
  })

  it('dirties pages of a new slab when items come to them', () => {
    const map = new Uint8Array(memoryBytes / 4096)
    const memory = new MarkedMemory(new Uint8Array(memoryBytes), { map, pageBytes: 4096 })
    const store = Store.create(memory, { nowSeconds: 1000, hashSeed: 7 })
    const { slabsAt } = planMemory(memoryBytes)
    for (let i = 0; i < 10; i++) {
      map.fill(0)
      put(store, `key${i}`, 'x'.repeat(900))
      expect(map.subarray(slabsAt / 4096).reduce((sum, mark) => sum + mark, 0)).toBeLessThan(3)
    }
    expect(store.slabs.slabsTaken).toBe(1)
    checkLists(store)
  })

  it('takes a slab from a class that did not use all of it yet', () => {
    const store = createStore()
    const sizes = [100, 200, 400, 800, 1600, 3200, 6400]
    for (const size of sizes) put(store, `of${size}`, 'x'.repeat(size))
    expect(store.slabs.slabsTaken).toBe(7)
    put(store, 'of12800', 'x'.repeat(12_800))
    checkLists(store)
    // What it has lost it does not hand out: the next one takes a slab of another class.
    put(store, 'again', 'y'.repeat(100))
    checkLists(store)
    const held = ['of100', 'of200', 'of400', 'of12800', 'again'].map(
      (key) => get(store, key)?.length,
    )
    expect(held).toEqual([undefined, undefined, 400, 12_800, 100])
  })

  it('gives a class that has nothing a slab of another', () => {
    const store = createStore()
    for (let i = 0; i < 8000; i++) put(store, `key${i}`, 'x'.repeat(900))
    expect(store.slabs.slabsTaken).toBe(7)
    put(store, 'large', new Uint8Array(300_000).fill(98))
    expect(get(store, 'large')).toBe('b'.repeat(300_000))
    expect(get(store, 'key5000')).toBe('x'.repeat(900))
    checkLists(store)
  })

  it('finds keys of one bucket', () => {
    const store = createStore()
    const bucket = (key: string): number => hashKey(7, bytesOf(key), 0, key.length) & 0xffff
    const keys = ['k0']
    for (let i = 1; keys.length < 3; i++) if (bucket(`k${i}`) === bucket('k0')) keys.push(`k${i}`)
    for (const key of keys) put(store, key, `value of ${key}`)
    drop(store, keys[1]!)
    expect(keys.map((key) => get(store, key))).toEqual([
      `value of ${keys[0]}`,
      undefined,
      `value of ${keys[2]}`,
    ])
  })

  it('refuses memory of something else', () => {
    const { memory } = createStore()
    memory.setWord(16, 5)
    expect(() => new Store(memory)).toThrow('does not fit its size')
    memory.setWord(4, 9)
    expect(() => new Store(memory)).toThrow('layout version 9')
    expect(() => new Store(new MarkedMemory(new Uint8Array(memoryBytes)))).toThrow('no header')
  })
})

const name = fc.integer({ min: 0, max: 3 }).map((n) => `key${n}`)
const text = fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom(0, 5, 12_000, 12_100))
const step = fc.oneof(
  fc.record({
    kind: fc.constant('set' as const),
    name,
    text: text.map(([part, count]) => part.repeat(count)),
    ttl: fc.constantFrom(0, 0, 5),
  }),
  fc.record({ kind: fc.constant('delete' as const), name }),
  fc.record({ kind: fc.constant('touch' as const), name, ttl: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 70 }) }),
  fc.record({ kind: fc.constant('flush' as const) }),
  fc.record({ kind: fc.constant('move' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** The obvious twin of a store. */
class Model {
  readonly #items = new Map<string, { text: string; expiresAt: number }>()
  now = 1000

  /** @returns what {@link perform} returns of a store */
  perform(one: Step): unknown {
    const held = 'name' in one ? this.#items.get(one.name) : undefined
    if (one.kind === 'set') {
      const expiresAt = one.ttl === 0 ? 0 : this.now + one.ttl
      this.#items.set(one.name, { text: one.text, expiresAt })
    } else if (one.kind === 'delete') return this.#items.delete(one.name)
    else if (one.kind === 'touch') {
      if (held !== undefined) held.expiresAt = this.now + one.ttl
      return held !== undefined
    } else if (one.kind === 'wait') {
      this.now += one.seconds
      for (const [key, { expiresAt }] of this.#items) {
        if (expiresAt !== 0 && expiresAt <= this.now) this.#items.delete(key)
      }
    } else if (one.kind === 'flush') this.#items.clear()
    return undefined
  }

  get(key: string): string | undefined {
    return this.#items.get(key)?.text
  }
}

/** @param now - before the step */
function perform(store: Store, one: Step, now: number): unknown {
  if (one.kind === 'set') put(store, one.name, one.text, one.ttl === 0 ? 0 : now + one.ttl)
  else if (one.kind === 'delete') return drop(store, one.name)
  else if (one.kind === 'touch') {
    const key = bytesOf(one.name)
    const ref = store.find(key, 0, key.length)
    if (ref !== 0) store.touch(ref, now + one.ttl)
    return ref !== 0
  } else if (one.kind === 'wait') store.tick(now + one.seconds)
  else if (one.kind === 'flush') store.flush(0)
  return undefined
}

/** A copy that takes only the pages that are marked, as a migration does. */
class Follower {
  readonly map = new Uint8Array(memoryBytes / 4096)
  readonly copy = new Uint8Array(memoryBytes)
  readonly #tracker = new ByteMapTracker({ map: this.map, pageCount: this.map.length })

  memoryOf(bytes: Uint8Array): MarkedMemory {
    return new MarkedMemory(bytes, { map: this.map, pageBytes: 4096 })
  }

  take(from: Uint8Array): void {
    const dirty = new PageBitmap(this.map.length)
    this.#tracker.collect(0, this.map.length, dirty)
    for (let page = 0; page < this.map.length; page++) {
      if (!dirty.has(page)) continue
      this.copy.set(from.subarray(page * 4096, (page + 1) * 4096), page * 4096)
    }
  }
}

it('does what a map does, wherever its memory goes, and marks every store', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const follower = new Follower()
      let store = createStore(follower.memoryOf(new Uint8Array(memoryBytes)))
      const model = new Model()
      for (const one of steps) {
        const now = model.now
        expect(perform(store, one, now)).toBe(model.perform(one))
        follower.take(store.memory.bytes)
        expect(Buffer.compare(follower.copy, store.memory.bytes)).toBe(0)
        if (one.kind === 'move') store = new Store(follower.memoryOf(follower.copy.slice()))
      }
      const keys = ['key0', 'key1', 'key2', 'key3']
      expect(keys.map((key) => get(store, key))).toEqual(keys.map((key) => model.get(key)))
      checkLists(store)
    }),
    { numRuns: 20 },
  )
})
