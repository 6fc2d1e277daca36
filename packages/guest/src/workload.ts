/**
 * What the guests of this package do, as step functions: all state is in guest memory and
 * registers, so N steps and then M steps are N + M steps, wherever each of them runs.
 *
 * @module
 */
import { assertNever, type GuestIdentity } from '@godwit/core'
import { compilePages, createCompile } from './compile.ts'
import { CURSOR, type Registers, STEPS } from './control-block.ts'
import { createDisk, diskPages } from './disk.ts'
import type { WorkloadKind } from './guest-option.ts'
import { WORK_PAGE_BYTES } from './layout.ts'
import { createNetwork } from './network.ts'
import { createCacheReader } from './page-cache.ts'
import { entriesOf, type WorkloadMemory, wordsOf } from './workload-memory.ts'
import { createWriter, writerShare } from './writer.ts'

const pageWords = WORK_PAGE_BYTES / 4
/** Rounds of mixing that make one step of `cpu`: a few microseconds. */
const cpuStepRounds = 1024

/** One thread of a guest. */
export interface Workload {
  /** Does `count` steps; a whole number, at least 1. Takes no time into account. */
  step(count: number): void
  /** Steps that it can do now, where that is for somebody outside to say. */
  readonly ready?: () => number
}

function pagesOf(byteLength: number): number {
  return Math.ceil(byteLength / WORK_PAGE_BYTES)
}

/** How many threads `identity` has. */
export function threadCountOf(identity: GuestIdentity): number {
  return Number(identity.options['threads'] ?? 1)
}

/** What the cursor register of `thread` stays below. */
export function cursorLimitOf(
  identity: GuestIdentity,
  regionBytes: readonly number[],
  thread: number,
): number {
  const kind = identity.kind as WorkloadKind
  if (kind === 'memory-read') return regionBytes.reduce((sum, bytes) => sum + pagesOf(bytes), 0)
  if (kind === 'writer' || kind === 'memory-write') {
    return writerShare(identity, regionBytes, thread).share.pageCount
  }
  if (kind === 'kcs' || kind === 'ikcs') return compilePages(regionBytes)
  if (kind === 'disk') return diskPages(identity)
  return 1
}

/** Lane 0 counts the ticks; the counter register stays free for stores. */
function createIdle(registers: Registers): Workload {
  return {
    step: (count) => {
      registers.lanes[0]! += count
      registers.counts[STEPS]! += count
    },
  }
}

function createCpu(registers: Registers): Workload {
  const { lanes, counts, random } = registers
  return {
    step: (count) => {
      let a = lanes[0]!
      let b = lanes[1]!
      for (let i = 0; i < count * cpuStepRounds; i++) {
        a = (Math.imul(a ^ (a >>> 15), 0x2c1b3c6d) + random[0]!) | 0
        b = ((b << 7) | (b >>> 25)) ^ a
      }
      lanes[0] = a
      lanes[1] = b
      counts[STEPS]! += count
    },
  }
}

function sumWords(words: Int32Array, from: number, to: number): number {
  let sum = 0
  for (let i = from; i < to; i++) sum = (sum + words[i]!) | 0
  return sum
}

/** Lane 0 is the sum of all words read; lane 1 depends on the order of pages, too. */
function createReader(memory: WorkloadMemory, registers: Registers): Workload {
  const { lanes, counts } = registers
  const regions = memory.regions.map(wordsOf)
  const pageCounts = memory.regions.map((region) => pagesOf(region.byteLength))
  const entries = entriesOf(memory)
  return {
    step: (count) => {
      // The cursor counts through all regions; they are few.
      let page = counts[CURSOR]!
      let region = 0
      for (; page >= pageCounts[region]!; region++) page -= pageCounts[region]!
      let cursor = counts[CURSOR]!
      for (let i = 0; i < count; i++) {
        const words = regions[region]!
        const from = page * pageWords
        entries[region]!(page)
        const sum = sumWords(words, from, Math.min(words.length, from + pageWords))
        lanes[0] = (lanes[0]! + sum) | 0
        lanes[1] = Math.imul(lanes[1]! ^ sum, 0x01000193) + 1
        cursor++
        if (++page < pageCounts[region]!) continue
        page = 0
        region++
        if (region < regions.length) continue
        region = 0
        cursor = 0
      }
      counts[CURSOR] = cursor
      counts[STEPS]! += count
    },
  }
}

/**
 * One thread of the guest that `identity` describes.
 *
 * @param identity - complete, of one of this package's kinds
 * @param memory - shared; holds the initial content or restored pages
 * @param registers - shared; seeded or restored
 */
export function createWorkload(
  identity: GuestIdentity,
  thread: number,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const kind = identity.kind as WorkloadKind
  switch (kind) {
    case 'idle':
    case 'image':
      return createIdle(registers)
    case 'cpu':
      return createCpu(registers)
    case 'memory-read':
      return createReader(memory, registers)
    case 'memory-write':
    case 'writer':
      return createWriter(identity, thread, memory, registers)
    case 'kcs':
    case 'ikcs':
      return createCompile(identity, memory, registers)
    case 'disk':
      return createDisk(identity, memory, registers)
    case 'network':
      return createNetwork(identity, memory, registers)
    case 'cache':
      return createCacheReader(identity, memory, registers)
    default:
      return assertNever(kind)
  }
}
