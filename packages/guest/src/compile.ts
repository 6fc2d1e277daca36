/**
 * The workloads that store like a kernel being compiled: `kcs`, and `ikcs`, which is the same in
 * bursts (its pacer's doing). After the loads KCS and IKCS of Fang, Liao and Ge (Live virtual
 * machine migration with bandwidth dynamic assignment, section 4.3).
 *
 * A compiler goes through its sources: most stores are to what it is at, and that changes. So a
 * window of pages, the working set, moves through the last region and around. Of every 100 pages
 * written `drift` are new to it: they get a copy of a page drawn from the whole region, with a
 * stamp, so that content stays like content; the window moves on by one page then, and what falls
 * out of it is left alone until the window comes round. All others are drawn from the window, and
 * get three words, as `writer` with style `few` writes them.
 *
 * @module
 */
import type { GuestIdentity } from '@godwit/core'
import { COUNTER, CURSOR, type Registers, STEPS } from './control-block.ts'
import { WORK_PAGE_BYTES, workingSetBytesMax } from './layout.ts'
import type { Workload } from './workload.ts'
import {
  type Enter,
  entriesOf,
  type Mark,
  markerOf,
  type WorkloadMemory,
  wordsOf,
} from './workload-memory.ts'
import { type StorePage, storeFew } from './writer.ts'
import { remainder64, Xorshift64 } from './xorshift.ts'

const pageWords = WORK_PAGE_BYTES / 4

/** Whole pages of the last region: where the window moves. */
export function compilePages(regionBytes: readonly number[]): number {
  return workingSetBytesMax(regionBytes) / WORK_PAGE_BYTES
}

interface CompileParts {
  readonly words: Int32Array
  readonly pageCount: number
  readonly windowPages: number
  /** Of 100. */
  readonly drift: number
  readonly store: StorePage
  readonly enter: Enter
  readonly mark: Mark
  readonly random: Xorshift64
  readonly registers: Registers
}

/** Whether step `n`, from 0, takes a new page in: `drift` of every 100 do, evenly. */
function takesNew(n: number, drift: number): boolean {
  const place = n % 100
  return Math.floor(((place + 1) * drift) / 100) > Math.floor((place * drift) / 100)
}

function step(parts: CompileParts, count: number): void {
  const { pageCount, windowPages, drift, words, store, enter, mark, random } = parts
  const { counts } = parts.registers
  for (let i = 0; i < count; i++) {
    random.next()
    counts[COUNTER]! += 1
    const first = counts[CURSOR]!
    if (takesNew(counts[STEPS]!, drift)) {
      const from = remainder64(random.low, random.high, pageCount)
      const page = (first + windowPages) % pageCount
      enter(from)
      enter(page)
      words.copyWithin(page * pageWords, from * pageWords, (from + 1) * pageWords)
      store(words, page, page)
      mark(page)
      counts[CURSOR] = (first + 1) % pageCount
    } else {
      const page = (first + remainder64(random.low, random.high, windowPages)) % pageCount
      enter(page)
      store(words, page, page)
      mark(page)
    }
    counts[STEPS]! += 1
  }
}

/** A step writes one page. */
export function createCompile(
  identity: GuestIdentity,
  memory: WorkloadMemory,
  registers: Registers,
): Workload {
  const regionBytes = memory.regions.map((region) => region.byteLength)
  const parts: CompileParts = {
    words: wordsOf(memory.regions.at(-1)!),
    pageCount: compilePages(regionBytes),
    windowPages: Number(identity.options['wss']) / WORK_PAGE_BYTES,
    drift: Number(identity.options['drift']),
    store: storeFew(registers),
    enter: entriesOf(memory).at(-1)!,
    mark: markerOf(memory, regionBytes.length - 1),
    random: new Xorshift64(registers.random),
    registers,
  }
  return { step: (count) => step(parts, count) }
}
