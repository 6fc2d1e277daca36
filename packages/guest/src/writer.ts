/**
 * The workloads that store: `writer`, as the guest that peers are measured with writes, and
 * `memory-write`, which rewrites one page after the other.
 *
 * @module
 */
import type { GuestIdentity } from '@godwit/core'
import { COUNTER, CURSOR, type Registers, STEPS } from './control-block.ts'
import { shareOf, WORK_PAGE_BYTES, type WorkPages, workingSetOf } from './layout.ts'
import type { Workload } from './workload.ts'
import {
  type Enter,
  entriesOf,
  type Mark,
  markerOf,
  type WorkloadMemory,
  wordsOf,
} from './workload-memory.ts'
import { remainder64, seedState, Xorshift64 } from './xorshift.ts'

const pageWords = WORK_PAGE_BYTES / 4
const POOL_WORDS: number = (1 << 20) / 4
const poolStream = 1
const SPREAD_FACTOR = 2654435761
const MIX_FACTOR = 0x9e3779b1

/** Neighbours that `order=clusters` writes before it goes elsewhere. */
const CLUSTER_PAGES = 64

/** A stored page: `words` of its region, `page` within it, `index` within the working set. */
export type StorePage = (words: Int32Array, page: number, index: number) => void

/** The part of the working set that one thread of `identity` writes. */
export function writerShare(
  identity: GuestIdentity,
  regionBytes: readonly number[],
  thread: number,
): { readonly workingSet: WorkPages; readonly share: WorkPages } {
  const workingSet = workingSetOf(Number(identity.options['wss']), regionBytes)
  const threads = Number(identity.options['threads'] ?? 1)
  return { workingSet, share: shareOf(workingSet, thread, threads) }
}

function addTo64(words: Int32Array, at: number, summand: number): void {
  const sum = (words[at]! >>> 0) + summand
  words[at] = sum | 0
  if (sum > 0xffffffff) words[at + 1]! += 1
}

/** Three 64-bit words of the page, where the page's number says. */
export function storeFew(registers: Registers): StorePage {
  const { counts } = registers
  return (words, page, index) => {
    const base = page * pageWords
    // Below 2^53 as long as a working set has at most 2^20 pages (4 GiB): exact as a double.
    const spread = Math.floor((index * SPREAD_FACTOR) / 128) % 512
    const counter = counts[COUNTER]!
    const last = base + ((spread + 397) & 511) * 2
    addTo64(words, base + spread * 2, 1)
    addTo64(words, base + ((spread + 171) & 511) * 2, 3)
    words[last] = (counter % 0x100000000) | 0
    words[last + 1] = Math.floor(counter / 0x100000000)
  }
}

/** 1 MiB of random words, equal at both ends: made from the seed and never moved. */
export function makePool(seed: number): Int32Array {
  const pool = new Int32Array(POOL_WORDS)
  const random = new Xorshift64(new Int32Array(2))
  seedState(random.state, seed, poolStream)
  for (let i = 0; i < POOL_WORDS; i += 2) {
    random.next()
    pool[i] = random.low
    pool[i + 1] = random.high
  }
  return pool
}

/** The whole page: a random part of the pool, changed by a random word. */
function storeWhole(seed: number, random: Xorshift64): StorePage {
  const pool = makePool(seed)
  return (words, page) => {
    random.next()
    const { low, high } = random
    // The drawn number's bits 40 .. 56 without the lowest 9 select 512 words of 64 bits.
    const from = ((high >>> 8) & 0x1fe00) * 2
    const base = page * pageWords
    for (let i = 0; i < pageWords; i += 2) {
      words[base + i] = pool[from + i]! ^ low
      words[base + i + 1] = pool[from + i + 1]! ^ high
    }
  }
}

/** The whole page: a sequence that starts at a random word. Needs no pool. */
function storeSweep(random: Xorshift64): StorePage {
  return (words, page) => {
    random.next()
    const { low, high } = random
    const base = page * pageWords
    for (let i = 0; i < pageWords; i++) words[base + i] = low ^ Math.imul(high + i, MIX_FACTOR)
  }
}

interface WriterParts {
  readonly words: Int32Array
  readonly workingSet: WorkPages
  readonly share: WorkPages
  readonly store: StorePage
  readonly enter: Enter
  readonly mark: Mark
  readonly random: Xorshift64
  readonly registers: Registers
}

function stepInOrder(parts: WriterParts, count: number): void {
  const { words, workingSet, share, store, enter, mark } = parts
  const { counts } = parts.registers
  let cursor = counts[CURSOR]!
  for (let i = 0; i < count; i++) {
    const page = share.firstPage + cursor
    enter(page)
    counts[COUNTER]! += 1
    store(words, page, page - workingSet.firstPage)
    mark(page)
    cursor = cursor + 1 === share.pageCount ? 0 : cursor + 1
  }
  counts[CURSOR] = cursor
  counts[STEPS]! += count
}

function stepAtRandom(parts: WriterParts, count: number): void {
  const { words, workingSet, share, store, enter, mark, random } = parts
  const { counts } = parts.registers
  for (let i = 0; i < count; i++) {
    random.next()
    const page = share.firstPage + remainder64(random.low, random.high, share.pageCount)
    enter(page)
    counts[COUNTER]! += 1
    store(words, page, page - workingSet.firstPage)
    mark(page)
  }
  counts[STEPS]! += count
}

/** Clusters in order, from the share's first on; where one ends, the next is drawn. */
function stepInClusters(parts: WriterParts, count: number): void {
  const { words, workingSet, share, store, enter, mark, random } = parts
  const { counts } = parts.registers
  const clusters = Math.ceil(share.pageCount / CLUSTER_PAGES)
  let cursor = counts[CURSOR]!
  for (let i = 0; i < count; i++) {
    const page = share.firstPage + cursor
    enter(page)
    counts[COUNTER]! += 1
    store(words, page, page - workingSet.firstPage)
    mark(page)
    cursor++
    if (cursor % CLUSTER_PAGES !== 0 && cursor < share.pageCount) continue
    random.next()
    cursor = remainder64(random.low, random.high, clusters) * CLUSTER_PAGES
  }
  counts[CURSOR] = cursor
  counts[STEPS]! += count
}

const steps = { seq: stepInOrder, rand: stepAtRandom, clusters: stepInClusters } as const

function chooseStore(identity: GuestIdentity, registers: Registers, random: Xorshift64): StorePage {
  const { options } = identity
  if (identity.kind === 'memory-write') return storeSweep(random)
  return options['style'] === 'page'
    ? storeWhole(Number(options['seed']), random)
    : storeFew(registers)
}

/** One thread of a `writer` or `memory-write` guest; a step writes one page. */
export function createWriter(
  identity: GuestIdentity,
  thread: number,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const regionBytes = memory.regions.map((region) => region.byteLength)
  const random = new Xorshift64(registers.random)
  const parts: WriterParts = {
    ...writerShare(identity, regionBytes, thread),
    words: wordsOf(memory.regions.at(-1)!),
    store: chooseStore(identity, registers, random),
    enter: entriesOf(memory).at(-1)!,
    mark: markerOf(memory, regionBytes.length - 1),
    random,
    registers,
  }
  // `memory-write` has no such option.
  const run = steps[(identity.options['order'] ?? 'seq') as keyof typeof steps]
  return { step: (count) => run(parts, count) }
}
