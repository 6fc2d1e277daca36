/**
 * The workload `cache`: a service that reads blocks of a disk through a page cache in its memory,
 * and knows of every page of it what it is good for. Its working set, in pages of 4096 bytes:
 *
 * | pages | what |
 * |---|---|
 * | 1 | the log of what was given up: count, then {@link LOG_ENTRY_WORDS} words for each time |
 * | as many as it takes | a tag per slot: 0 free, block + 1 cached, with the top bit pinned |
 * | the rest | slots, of one page each |
 *
 * A cached page holds what its block holds, and can be read again. A pinned one is the service's
 * own: it counts in it. A free one holds whatever was there. The sums of what was read do not
 * depend on what was cached: a service that lost its cache computes what it would have computed.
 *
 * @module
 */
import type { GuestIdentity } from '@godwit/core'
import { type Registers, STEPS } from './control-block.ts'
import { WORK_PAGE_BYTES, workingSetOf } from './layout.ts'
import type { Workload } from './workload.ts'
import { entriesOf, markerOf, type WorkloadMemory, wordsOf } from './workload-memory.ts'
import { Xorshift64 } from './xorshift.ts'

const pageWords = WORK_PAGE_BYTES / 4
/** Step (low, high), bytes per page, which classes. */
export const LOG_ENTRY_WORDS = 4
/** Times that fit the log; after them nothing is given up any more. */
export const LOG_ENTRIES_MAX: number = Math.floor((pageWords - 1) / LOG_ENTRY_WORDS)
/** The least: log, tags and one slot. */
export const CACHE_PAGES_MIN = 3

/** Blocks that a slot may hold: half of the reads miss when nothing was evicted. */
const blocksPerSlot = 2
const pinnedBit = 0x80000000
const blockMix = 0x9e3779b1

/** Of 16 reads. */
const evicts = 0
const pins = 1
const unpinsBelow = 2

/** Where things are; pages and words are those of the last region. */
export interface CacheLayout {
  readonly logPage: number
  readonly tagPage: number
  readonly slotPage: number
  readonly slotCount: number
}

export function cacheLayoutOf(
  identity: GuestIdentity,
  regionBytes: readonly number[],
): CacheLayout {
  const { firstPage, pageCount } = workingSetOf(Number(identity.options['wss']), regionBytes)
  const tagPages = Math.ceil((pageCount - 1) / (pageWords + 1))
  const slotPage = firstPage + 1 + tagPages
  const slotCount = firstPage + pageCount - slotPage
  return { logPage: firstPage, tagPage: firstPage + 1, slotPage, slotCount }
}

/** What a slot is good for. */
export type SlotState = 'free' | 'cached' | 'pinned'

export function stateOfTag(tag: number): SlotState {
  if (tag === 0) return 'free'
  return (tag & pinnedBit) === 0 ? 'cached' : 'pinned'
}

/** The one thread of a `cache` guest; a step reads one block. */
export function createCacheReader(
  identity: GuestIdentity,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const regionBytes = memory.regions.map((region) => region.byteLength)
  const layout = cacheLayoutOf(identity, regionBytes)
  const words = wordsOf(memory.regions.at(-1)!)
  const enter = entriesOf(memory).at(-1)!
  const mark = markerOf(memory, regionBytes.length - 1)
  const random = new Xorshift64(registers.random)
  const { counts, lanes } = registers
  const setTag = (slot: number, tag: number): void => {
    words[layout.tagPage * pageWords + slot] = tag
    mark(layout.tagPage + Math.floor(slot / pageWords))
  }
  const read = (): void => {
    random.next()
    const block = (random.low >>> 0) % (layout.slotCount * blocksPerSlot)
    const slot = block % layout.slotCount
    const action = random.high >>> 28
    const page = layout.slotPage + slot
    const base = page * pageWords
    enter(layout.tagPage + Math.floor(slot / pageWords))
    const tag = words[layout.tagPage * pageWords + slot]!
    const state = stateOfTag(tag)
    if (state === 'pinned' && action < unpinsBelow) return setTag(slot, 0)
    if (state !== 'pinned' && action === evicts) return setTag(slot, 0)
    enter(page)
    if (state === 'pinned') {
      words[base + 1]! += 1
      mark(page)
    } else if (tag !== block + 1) {
      for (let i = 0; i < pageWords; i++) words[base + i] = Math.imul(block + 1, blockMix) + i
      mark(page)
      setTag(slot, block + 1)
    }
    lanes[0] = (lanes[0]! + words[base]! + words[base + pageWords - 1]!) | 0
    lanes[1] = Math.imul(lanes[1]! ^ words[base + 1]!, 0x01000193) + 1
    if (state !== 'pinned' && action === pins) setTag(slot, (block + 1) | pinnedBit)
  }
  return {
    step: (count) => {
      for (let i = 0; i < count; i++) read()
      counts[STEPS]! += count
    },
  }
}

/** Log and tags of a guest that begins: nothing is cached, and all slots hold what they hold. */
export function clearTags(identity: GuestIdentity, regions: readonly Uint8Array[]): void {
  const regionBytes = regions.map((region) => region.byteLength)
  const { logPage, slotPage } = cacheLayoutOf(identity, regionBytes)
  regions.at(-1)!.fill(0, logPage * WORK_PAGE_BYTES, slotPage * WORK_PAGE_BYTES)
}
