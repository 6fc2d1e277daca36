/**
 * Batches that are right, or would be but for one thing.
 *
 * @module
 */
import { someDelta } from '../deltas.ts'
import { contentOf } from '../contents.ts'
import type { Random } from '../mutator.ts'
import { interesting, joined, pick } from '../mutator.ts'
import type { BatchText, RunText } from './batch-text.ts'
import { formatBatch, parseBatch } from './batch-text.ts'
import { FIX, INPUT_HEAD_BYTES } from './fixes.ts'
import { KNOWN_END } from './known.ts'
import type { Place } from './world.ts'
import { PAGE_BYTES, ROUND, STORE_SLOTS, pageLength, pagesOf, places } from './world.ts'

const plainEncodings = [1, 1, 2]
const richEncodings = [1, 2, 3, 4, 5, 7, 8, 9]
const repeatsMax = 1200

const little = (byteCount: number, value: number): Uint8Array =>
  Uint8Array.from({ length: byteCount }, (_, i) => value / 2 ** (8 * i))

/** Of one page; checks are put right later. */
function pagePayload(encoding: number, region: Place, page: number, random: Random): Uint8Array {
  const length = pageLength(region, page)
  const slot = random(30) === 0 ? interesting(random) : random(STORE_SLOTS)
  switch (encoding) {
    case 1:
      return contentOf(length, random)
    case 3:
      return new Uint8Array(4)
    case 4:
      return joined(little(4, slot), new Uint8Array(4))
    case 5: {
      const delta = someDelta(length, random)
      return joined(new Uint8Array(4), little(2, delta.length), delta)
    }
    case 8:
      return little(4, slot)
    case 9: {
      const other = pick(places, random)
      const delta = random(3) === 0 ? new Uint8Array(0) : someDelta(length, random)
      const named = random(pagesOf(other))
      return joined(
        little(2, other.id),
        little(2, delta.length),
        little(4, named),
        new Uint8Array(4),
        delta,
      )
    }
    default:
      return new Uint8Array(0)
  }
}

/** Entries that both ends know: one after the other as a rule, and there as a rule. */
function knownPayload(pageCount: number, random: Random): Uint8Array {
  let next = 0
  const words = Array.from({ length: pageCount }, (_, i) => {
    const follows = i > 0 && random(4) > 0
    const entry = follows ? next : random(30) === 0 ? interesting(random) : random(KNOWN_END)
    const word = (entry - next) >>> 0
    next = entry + 1
    return little(4, word)
  })
  return joined(...words)
}

function someRun(isRich: boolean, region: Place, random: Random): RunText {
  const encoding = pick(isRich ? richEncodings : plainEncodings, random)
  const pages = pagesOf(region)
  const firstPage = random(pages)
  const pageCount = 1 + random(Math.min(pages - firstPage, pick([1, 3, 16], random)))
  const run = { firstPage, pageCount, encoding, reserved: 0 }
  const parts = Array.from({ length: pageCount }, (_, i) => {
    return pagePayload(encoding, region, firstPage + i, random)
  })
  if (encoding === 7) return { ...run, payload: knownPayload(pageCount, random) }
  if (encoding === 3) {
    const other = random(3) === 0 ? pick(places, random) : region
    parts.unshift(little(2, other.id), new Uint8Array(2), little(4, random(pagesOf(other))))
  }
  return { ...run, payload: joined(...parts) }
}

/** One change to runs that leaves lengths right. */
function changedRuns(runs: readonly RunText[], region: Place, random: Random): readonly RunText[] {
  if (runs.length === 0) return runs
  const index = random(runs.length)
  const run = runs[index]!
  switch (random(5)) {
    case 0:
      return runs.toSpliced(index, 1)
    case 1: {
      const count = random(8) === 0 ? random(repeatsMax) : random(4)
      return runs.toSpliced(index, 0, ...Array.from({ length: count }, () => run))
    }
    case 2:
      return runs.with(index, { ...run, encoding: random(11) })
    case 3:
      return runs.with(index, { ...run, firstPage: random(pagesOf(region) + 1) })
    default:
      return runs.with(index, { ...run, pageCount: random(pagesOf(region) + 2) })
  }
}

function someFixes(isPlain: boolean, random: Random): number {
  const digest = random(2) === 0 ? FIX.digest : 0
  const pack = isPlain ? 0 : FIX.pack
  return digest | pack | FIX.lengths | FIX.round | (random(8) > 0 ? FIX.checks : 0)
}

function emptyHeader(region: Place, isRich: boolean, random: Random): Uint8Array {
  const compression = isRich ? pick([0, 0, 1, 2], random) : 0
  const stride = isRich ? pick([0, 0, 3, 4, 5, 6], random) : 0
  return joined(
    little(4, ROUND),
    little(2, region.id),
    new Uint8Array(6),
    Uint8Array.of(compression, stride),
    new Uint8Array(18),
  )
}

/** An input: made anew, or one of the pool with other runs. */
export function generateBatch(
  isRich: boolean,
  random: Random,
  pool: readonly Uint8Array[],
): Uint8Array {
  const region = pick(places, random)
  const old = random(3) === 0 ? pick(pool, random) : undefined
  const known = old && parseBatch(old.subarray(INPUT_HEAD_BYTES))
  const text: BatchText = known ?? {
    header: emptyHeader(region, isRich, random),
    runs: Array.from({ length: 1 + random(pick([1, 5], random)) }, () => {
      return someRun(isRich, region, random)
    }),
    rest: new Uint8Array(0),
  }
  const isChanged = known !== undefined || random(3) === 0
  const runs = isChanged ? changedRuns(text.runs, region, random) : text.runs
  const isPlain = text.header[12] === 0 && text.header[13] === 0
  const fixes =
    known === undefined ? someFixes(isPlain, random) : old![1]! ^ (random(2) * FIX.digest)
  const body = formatBatch({ ...text, runs })
  return joined(Uint8Array.of(random(256), fixes), body.subarray(0, 96 * PAGE_BYTES))
}
