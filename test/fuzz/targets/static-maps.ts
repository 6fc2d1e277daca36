/**
 * Static maps, and what was learned for them, from a catalog that anybody may have filled. The
 * first byte of an input says which of the two is behind it.
 *
 * @module
 */
import { CONTENT_HASH_BYTES } from '@godwit/core'
import type { PageHashes } from '@godwit/static'
import {
  Learning,
  MAP_ENTRIES_MAX,
  allocatePageHashes,
  decodeStaticMap,
  encodeStaticMap,
} from '@godwit/static'
import type { Field, Random } from '../mutator.ts'
import { joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const [isMap, isState] = [0, 1]
/** Magic, format and all numbers of fixed width: of a map, and of a state. */
const headWords = [7, 9]
const codes = ['FILE_UNREADABLE', 'LIMIT_EXCEEDED', 'USAGE'] as const

/** A guest whose pages have a few contents, many of them alike. */
function sampleOf(pageCount: number, random: Random): PageHashes {
  const sample = allocatePageHashes(pageCount, 4096)
  for (let page = 0; page < pageCount; page++) {
    const content = random(3) === 0 ? random(40) : page
    sample.kinds[page] = random(8) === 0 ? 1 + random(2) : 0
    const at = page * CONTENT_HASH_BYTES
    if (sample.kinds[page] === 0) sample.hashes.fill(content + 1, at, at + CONTENT_HASH_BYTES)
  }
  return sample
}

function generate(random: Random): Uint8Array {
  const learning = Learning.begin({ os: 'debian/12', hypervisor: 'qemu/7.2', pageBytes: 4096 })
  for (let left = 2 + random(3); left > 0; left--) learning.add(sampleOf(1 + random(90), random))
  const state = joined(Uint8Array.of(isState), learning.encode())
  return random(2) === 0 ? state : joined(Uint8Array.of(isMap), encodeStaticMap(learning.map()!))
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  const words = headWords[(input[0] ?? 0) & 1]!
  const numbers = Array.from(
    { length: words },
    (_, i) => ({ at: 1 + i * 4, byteCount: 4 }) as const,
  )
  // Lengths of names and numbers of runs follow; hashes are at the end.
  const small = Array.from(
    { length: 60 },
    (_, i) => ({ at: 1 + words * 4 + i, byteCount: 1 }) as const,
  )
  return [...numbers, ...small].filter(({ at, byteCount }) => at + byteCount <= input.length)
}

function runMap(bytes: Uint8Array): string {
  const { value: map, error } = outcomeOf(() => decodeStaticMap(bytes), codes)
  if (map === undefined) return labelOf(error)
  const entries = map.hashes.length / CONTENT_HASH_BYTES
  must(entries <= MAP_ENTRIES_MAX && map.positions.length <= entries, 'entries are bounded')
  const steps = map.positions.subarray(1)
  must(
    steps.every((page, i) => page > map.positions[i]!),
    'page ids ascend',
  )
  must(Buffer.compare(encodeStaticMap(map), bytes) === 0, 'there is one form')
  return `map, ${Math.min(entries, 3)} entries, ${Math.min(map.positions.length, 3)} positions`
}

const another = sampleOf(20, (limit) => limit - 1)

function runState(bytes: Uint8Array): string {
  const { value: learning, error } = outcomeOf(() => Learning.resume(bytes), codes)
  if (learning === undefined) return labelOf(error)
  const again = Learning.resume(learning.encode())
  must(Buffer.compare(again.encode(), learning.encode()) === 0, 'it comes back')
  const added = outcomeOf(() => learning.add(another), codes)
  const map = learning.map()
  if (map !== undefined) decodeStaticMap(encodeStaticMap(map))
  return `learned, ${added.error?.code ?? 'more'}, ${map === undefined ? 'no map' : 'a map'}`
}

const seeds = Array.from({ length: 6 }, (_, seed) => {
  let state = seed + 1
  return generate((limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  })
})

export const staticMaps: Target = {
  name: 'static-maps',
  seeds,
  reaches: ['map, 3 entries', 'learned, more, a map', 'FILE_UNREADABLE', 'LIMIT_EXCEEDED'],
  inputBytesMax: 8192,
  // Page ids of a sample are as many as it says, up to its limit; and once more to compare.
  allocatedBytesMax: (inputBytes) => 160 * 2 ** 20 + 64 * inputBytes,
  cpuMsMax: 2000,
  fieldsOf,
  generate: (random, pool) => (random(4) === 0 ? pick(pool, random).slice() : generate(random)),
  run(input) {
    const bytes = input.subarray(1)
    return ((input[0] ?? 0) & 1) === isMap ? runMap(bytes) : runState(bytes)
  },
}
