/**
 * From an input to the batch that a decoder gets: what a mutation broke is put right again as far
 * as the input asks for it, so that some of them get past the first checks.
 *
 * Byte 0 of an input chooses the destination, byte 1 is a sum of {@link FIX}; the body is behind.
 *
 * @module
 */
import { zstdCompressSync } from 'node:zlib'
import type { Compressors } from '@godwit/codec'
import { BATCH } from '@godwit/wire'
import { transposed } from '../models.ts'
import { joined } from '../mutator.ts'
import type { RunText } from './batch-text.ts'
import { formatBatch, parseBatch, payloadStart } from './batch-text.ts'
import type { Judgement } from './judge.ts'
import { Refused, judge } from './judge.ts'
import type { Place, Prints } from './world.ts'
import { ROUND, pageIn, pagesOf, placeOf, places, present, slotContent } from './world.ts'

export const INPUT_HEAD_BYTES = 2
export const FIX = {
  /** Counts and lengths of header and table. */
  lengths: 1,
  /** Checks of what is named. */
  checks: 2,
  digest: 4,
  /** The payload stands as the entries say, and is transposed and compressed as the header says. */
  pack: 8,
  /** Round, and a region that there is. */
  round: 16,
} as const

/** A batch, and what the document says about it. */
export interface Prepared {
  readonly body: Uint8Array
  readonly verdict: Judgement | Refused
}

function contentOf(region: number, page: number): Uint8Array | undefined {
  const place = placeOf(region)
  return place && page < pagesOf(place) ? pageIn(present, place, page) : undefined
}

/** The payload of a run with the checks that it should have. */
function withChecks(run: RunText, region: Place, prints: Prints): RunText {
  const payload = run.payload.slice()
  const view = new DataView(payload.buffer)
  const check = (at: number, content: Uint8Array | undefined): void => {
    if (content && at + 4 <= payload.length) view.setUint32(at, prints.check(content), true)
  }
  const u16 = (at: number): number => (at + 2 <= payload.length ? view.getUint16(at, true) : 0)
  const u32 = (at: number): number => (at + 4 <= payload.length ? view.getUint32(at, true) : 0)
  for (let i = 0, at = 0; i < run.pageCount && at < payload.length; i++) {
    switch (run.encoding) {
      case 3:
        check(8 + 4 * i, contentOf(u16(0), u32(4) + i))
        break
      case 4:
        check(8 * i + 4, slotContent(u32(8 * i)))
        break
      case 5:
        check(at, contentOf(region.id, run.firstPage + i))
        at += 6 + u16(at + 4)
        break
      case 9:
        check(at + 8, contentOf(u16(at), u32(at + 4)))
        at += 12 + u16(at + 2)
        break
      default:
        return run
    }
  }
  return { ...run, payload }
}

/** The same batch with its payload as it travels. */
function packed(body: Uint8Array, compressors: Compressors): Uint8Array {
  const start = payloadStart(body)
  const [compression, stride] = [body[BATCH.compression], body[BATCH.stride]!]
  const isTurned = stride >= 3 && stride <= 6
  const plain = isTurned ? transposed(body.subarray(start), stride) : body.subarray(start)
  let sent = plain
  if (compression === 1) sent = zstdCompressSync(plain)
  else if (compression === 2) {
    compressors.lz4!.compress(plain, { level: 0, windowLog: 0 }, (output) => {
      sent = output.slice()
    })
  }
  const made = joined(body.subarray(0, start), sent)
  const view = new DataView(made.buffer)
  view.setUint32(BATCH.payloadBytes, sent.length, true)
  view.setUint32(BATCH.decodedBytes, plain.length, true)
  return made
}

/** Turns an input into a batch. */
export function prepare(
  input: Uint8Array,
  isRich: boolean,
  prints: Prints,
  compressors: Compressors,
): Prepared {
  const fixes = input[1] ?? 0
  const isAsked = (fix: number): boolean => (fixes & fix) !== 0
  let body: Uint8Array = input.slice(INPUT_HEAD_BYTES)
  const view = (): DataView => new DataView(body.buffer)
  const text = parseBatch(body)
  if (text !== undefined) {
    if (isAsked(FIX.round)) {
      view().setUint32(BATCH.round, ROUND, true)
      const region = placeOf(view().getUint16(BATCH.region, true))
      if (region === undefined) view().setUint16(BATCH.region, places[body[4]! % 4]!.id, true)
    }
    const region = placeOf(view().getUint16(BATCH.region, true))
    const runs =
      isAsked(FIX.checks) && region !== undefined
        ? text.runs.map((run) => withChecks(run, region, prints))
        : text.runs
    if (isAsked(FIX.lengths))
      body = formatBatch({ header: body.subarray(0, 32), runs, rest: text.rest })
    else
      body = joined(
        body.subarray(0, payloadStart(body)),
        ...runs.map((run) => run.payload),
        text.rest,
      )
    if (isAsked(FIX.pack)) body = packed(body, compressors)
  }
  const verdict = judge(body, isRich, prints)
  if (isAsked(FIX.digest) && !(verdict instanceof Refused)) {
    view().setBigUint64(BATCH.digest, verdict.digest, true)
  }
  return { body, verdict }
}
