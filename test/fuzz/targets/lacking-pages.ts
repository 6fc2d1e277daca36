/**
 * Pages that post-copy lacks: named by DISCARD to a destination, and by LACKING to a source. An
 * input is messages one behind the other: who hears it and of which region it is, how many runs,
 * the runs.
 *
 * @module
 */
import type { DemandPager, Region } from '@godwit/core'
import { PageStates } from '@godwit/core'
import type { Lacking } from '@godwit/wire'
import { PAGE_RUN_BYTES, decodePageRuns, encodePageRuns, lackingChecksum } from '@godwit/wire'
import { PostCopy } from '../../../packages/destination/src/post-copy.ts'
import { LackingPages } from '../../../packages/source/src/lacking.ts'
import type { Field, Random } from '../mutator.ts'
import { interesting, joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const pageBytes = 4096
const pageCounts = [4, 40, 300]
const ids = [7, 0, 65_535]
const headBytes = 2
const runsMax = 40
const messagesMax = 24

/** Never touched: nothing of it is resident. The last page of one is short. */
const regions: readonly Region[] = pageCounts.map((count, i) => {
  return { id: ids[i]!, name: `region ${i}`, bytes: new Uint8Array(count * pageBytes - i) }
})

function messagesIn(input: Uint8Array): readonly (Lacking & { readonly toSource: boolean })[] {
  const messages = []
  for (let at = 0; at + headBytes <= input.length && messages.length < messagesMax; ) {
    const [head, count] = [input[at]!, input[at + 1]! % (runsMax + 1)]
    const runs = input.slice(at + headBytes, at + headBytes + count * PAGE_RUN_BYTES)
    const whole = runs.subarray(0, runs.length - (runs.length % PAGE_RUN_BYTES))
    // The fourth region is nobody's.
    messages.push({ region: ids[head & 3] ?? 1, runs: whole, toSource: (head & 4) > 0 })
    at += headBytes + runs.length
  }
  return messages
}

/** Which pages were named, as a list says it. */
class Model {
  readonly #named = regions.map(() => new Set<number>())

  /** @returns whether every page is one of the region's, and new */
  add({ region, runs }: Lacking): boolean {
    const index = regions.findIndex(({ id }) => id === region)
    for (const { firstPage, pageCount } of decodePageRuns(runs)) {
      const end = firstPage + pageCount
      if (index < 0 || pageCount === 0 || end > pageCounts[index]!) return false
      for (let page = firstPage; page < end; page++) {
        if (this.#named[index]!.has(page)) return false
        this.#named[index]!.add(page)
      }
    }
    return true
  }

  get size(): number {
    return this.#named.reduce((sum, { size }) => sum + size, 0)
  }

  holds(has: (region: number, page: number) => boolean): boolean {
    return this.#named.every((pages, region) => [...pages].every((page) => has(region, page)))
  }
}

function destination(): PostCopy {
  const states = pageCounts.map((count) => PageStates.shared(count))
  const pager = {
    states,
    discard: (index: number, first: number, end: number) => states[index]!.discard(first, end),
  }
  const postCopy = new PostCopy(pageBytes)
  postCopy.take(regions, pager as Partial<DemandPager> as DemandPager)
  return postCopy
}

const codes = ['CODEC_PAGE_RANGE', 'PROTOCOL_STATE'] as const

/** What a destination lacks, told to a source. */
function tellAll(postCopy: PostCopy, pages: number): void {
  const [lacking, source] = [postCopy.lacking(), new LackingPages(regions, pageBytes)]
  for (const each of lacking) source.add(each)
  const checksum = lacking.reduce((sum, each) => lackingChecksum(each, sum), 0)
  source.check({ epoch: 1, round: 1, pages, checksum })
  must(source.bitmaps.reduce((sum, { size }) => sum + size, 0) === pages, 'all of it is told')
}

function run(input: Uint8Array): string {
  const [postCopy, source] = [destination(), new LackingPages(regions, pageBytes)]
  const [there, here] = [new Model(), new Model()]
  let [checksum, refusal] = [0, '']
  // DISCARD may name a page twice: it is as lacking as before. Only the amount is bounded.
  let isTwice = false
  for (const message of messagesIn(input)) {
    const { toSource } = message
    const isRight = (toSource ? here : there).add(message)
    const add = toSource ? () => source.add(message) : () => postCopy.discard(message)
    const { error } = outcomeOf(add, codes)
    if (toSource) {
      must(isRight === (error === undefined), 'a source takes what is right, and nothing else')
      checksum = lackingChecksum(message, checksum)
    } else {
      if (isRight) must(error === undefined || isTwice, 'a destination takes what is right')
      isTwice ||= !isRight
    }
    if (error === undefined) continue
    refusal = `${toSource ? 'LACKING' : 'DISCARD'} ${labelOf(error)}`
    break
  }
  if (refusal !== '') return refusal
  must(
    here.holds((region, page) => source.bitmaps[region]!.has(page)),
    'what was named is noted',
  )
  source.check({ epoch: 1, round: 1, pages: here.size, checksum })
  const wrong = { epoch: 1, round: 1, pages: here.size + 1, checksum }
  const { error } = outcomeOf(() => source.check(wrong), ['PROTOCOL_TOTALS'])
  must(error !== undefined, 'a wrong total is noticed')
  if (!isTwice) tellAll(postCopy, there.size)
  return `right ${Math.min(2, here.size)} ${Math.min(2, there.size)}`
}

function generate(random: Random): Uint8Array {
  const parts: Uint8Array[] = []
  const next = [0, 0, 0, 0, 0, 0, 0, 0]
  for (let left = 1 + random(messagesMax); left > 0; left--) {
    const head = random(60) === 0 ? random(8) : random(3) + 4 * random(2)
    const pages = pageCounts[head & 3] ?? 10
    const runs = Array.from({ length: random(pick([2, 8, runsMax], random)) }, () => {
      if (random(300) === 0) return { firstPage: interesting(random), pageCount: random(9) }
      const firstPage = next[head]! + random(3)
      const pageCount = 1 + random(pick([1, 4, pages], random))
      next[head] = firstPage + pageCount
      return { firstPage, pageCount }
    }).filter(({ firstPage, pageCount }) => firstPage + pageCount <= pages || random(99) === 0)
    parts.push(Uint8Array.of(head, runs.length), encodePageRuns(runs))
  }
  return joined(...parts)
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  const fields: Field[] = []
  for (let at = 0; at + headBytes <= input.length && fields.length < 256; ) {
    fields.push({ at, byteCount: 1 }, { at: at + 1, byteCount: 1 })
    const runs = input[at + 1]! % (runsMax + 1)
    for (let i = 0; i < runs * 2; i++) fields.push({ at: at + headBytes + i * 4, byteCount: 4 })
    at += headBytes + runs * PAGE_RUN_BYTES
  }
  return fields.filter(({ at, byteCount }) => at + byteCount <= input.length)
}

export const lackingPages: Target = {
  name: 'lacking-pages',
  seeds: [],
  reaches: ['right', 'LACKING CODEC_PAGE_RANGE', 'LACKING PROTOCOL_STATE', 'DISCARD CODEC'],
  inputBytesMax: messagesMax * (headBytes + runsMax * PAGE_RUN_BYTES),
  allocatedBytesMax: (inputBytes) => 16 * 1024 * 1024 + 64 * inputBytes,
  cpuMsMax: 100,
  fieldsOf,
  generate,
  run,
}
