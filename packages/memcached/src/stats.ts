/**
 * What `stats` tells, and its parts `items`, `slabs` and `settings`.
 *
 * @module
 */
import { ascii, hasText } from './ascii.ts'
import {
  CHUNK_BYTES,
  ClassField,
  COUNTERS,
  Double,
  Item,
  SLAB_BYTES,
  VALUE_BYTES_MAX,
} from './layout.ts'
import type { Replies } from './replies.ts'
import { chunksOf } from './slabs.ts'
import type { Store } from './store.ts'
import { VERSION_TEXT } from './version.ts'

/** What is not in memory, since it is not the service's but of whoever runs it. */
export interface HostFacts {
  readonly processId: number
  readonly connectionsMax: number
  /** Open connections. */
  readonly connections: () => number
  /** That execute requests. */
  readonly threads: number
}

type Fact = (name: string, value: string | number) => void

function general(store: Store, facts: HostFacts, tell: Fact): void {
  tell('pid', facts.processId)
  tell('uptime', store.now - store.read(Double.StartedAt))
  tell('time', store.now)
  tell('version', VERSION_TEXT)
  tell('pointer_size', 64)
  tell('max_connections', facts.connectionsMax)
  tell('curr_connections', facts.connections())
  for (const name of COUNTERS) tell(name, store.counter(name))
  tell('limit_maxbytes', store.memory.bytes.byteLength)
  tell('threads', facts.threads)
  tell('bytes', store.read(Double.ItemBytes))
  tell('curr_items', store.read(Double.ItemCount))
}

function items({ slabs, memory, now }: Store, tell: Fact): void {
  CHUNK_BYTES.forEach((_, classIndex) => {
    const number = slabs.field(classIndex, ClassField.Items)
    if (number === 0) return
    const tail = slabs.field(classIndex, ClassField.Tail)
    const prefix = `items:${classIndex + 1}`
    tell(`${prefix}:number`, number)
    tell(`${prefix}:age`, now - memory.words[(tail * 8 + Item.AccessedAt) >>> 2]!)
    tell(`${prefix}:evicted`, slabs.evicted(classIndex))
  })
}

function slabsOf({ slabs }: Store, tell: Fact): void {
  let active = 0
  CHUNK_BYTES.forEach((chunkBytes, classIndex) => {
    const pages = slabs.field(classIndex, ClassField.Slabs)
    if (pages === 0) return
    active++
    const perPage = chunksOf(classIndex)
    const free = slabs.freeCount(classIndex)
    const name = classIndex + 1
    tell(`${name}:chunk_size`, chunkBytes)
    tell(`${name}:chunks_per_page`, perPage)
    tell(`${name}:total_pages`, pages)
    tell(`${name}:total_chunks`, pages * perPage)
    tell(`${name}:used_chunks`, pages * perPage - free)
    tell(`${name}:free_chunks`, free)
  })
  tell('active_slabs', active)
  tell('total_malloced', slabs.slabsTaken * SLAB_BYTES)
}

function settings(store: Store, facts: HostFacts, tell: Fact): void {
  tell('maxbytes', store.memory.bytes.byteLength)
  tell('maxconns', facts.connectionsMax)
  tell('evictions', 'on')
  tell('growth_factor', '1.25')
  tell('chunk_size', CHUNK_BYTES[0]!)
  tell('num_threads', facts.threads)
  tell('cas_enabled', 'yes')
  tell('item_size_max', VALUE_BYTES_MAX)
}

const parts = { items: ascii('items'), slabs: ascii('slabs'), settings: ascii('settings') }

/**
 * Adds the lines of `stats` with the argument `bytes[at, at + count)`, without `END`.
 *
 * @returns false when there are no such statistics
 */
export function writeStats(
  bytes: Uint8Array,
  at: number,
  count: number,
  store: Store,
  replies: Replies,
  facts: HostFacts,
): boolean {
  const tell: Fact = (name, value) => replies.addText(`STAT ${name} ${value}\r\n`)
  if (count === 0) general(store, facts, tell)
  else if (hasText(bytes, at, count, parts.items)) items(store, tell)
  else if (hasText(bytes, at, count, parts.slabs)) slabsOf(store, tell)
  else if (hasText(bytes, at, count, parts.settings)) settings(store, facts, tell)
  else return false
  return true
}
