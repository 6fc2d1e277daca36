/**
 * Whether the memory of a memcached service is a whole store.
 *
 * @module
 */
import { MarkedMemory, Store } from '@godwit/memcached'
import { CHUNK_BYTES, ClassField, Double, Item } from '../../packages/memcached/src/layout.ts'

/** Items in the list of a class; each is found by its key, and so in its bucket. */
function walk(store: Store, classIndex: number): { items: number; bytes: number } {
  const { words, bytes: memory } = store.memory
  let [items, bytes] = [0, 0]
  let ref = store.slabs.field(classIndex, ClassField.Head)
  for (let last = 0; ref !== 0; items++) {
    const at = ref * 8
    const keyBytes = memory[at + Item.KeyBytes]!
    const key = memory.slice(at + Item.Key, at + Item.Key + keyBytes)
    const name = `item "${Buffer.from(key).toString('latin1')}"`
    if (words[(at + Item.Previous) >>> 2] !== last) throw new Error(`${name} is linked wrongly`)
    if (store.find(key, 0, keyBytes) !== ref) throw new Error(`${name} is not found`)
    bytes += Item.Key + keyBytes + store.valueBytes(ref)
    last = ref
    ref = words[(at + Item.Next) >>> 2]!
  }
  if (store.slabs.field(classIndex, ClassField.Items) !== items) {
    throw new Error(`class ${classIndex} has not the ${items} items of its list`)
  }
  return { items, bytes }
}

/**
 * Looks at a copy; items are not to be expired or flushed.
 *
 * @returns how many items there are
 * @throws when lists, table and sums do not agree
 */
export function checkStore(memory: Uint8Array): number {
  const store = new Store(new MarkedMemory(memory.slice()))
  const classes = CHUNK_BYTES.map((_, classIndex) => walk(store, classIndex))
  const items = classes.reduce((sum, one) => sum + one.items, 0)
  const bytes = classes.reduce((sum, one) => sum + one.bytes, 0)
  const told = [store.read(Double.ItemCount), store.read(Double.ItemBytes)]
  if (told[0] === items && told[1] === bytes) return items
  throw new Error(`${items} items of ${bytes} bytes, where ${told.join(' and ')} are counted`)
}
