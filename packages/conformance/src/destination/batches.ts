/**
 * Cases for a destination: batches of raw and zero pages, right ones and every kind of wrong one.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import type { Hello } from '@godwit/wire'
import { FrameType, PageEncoding } from '@godwit/wire'
import type { BatchParts, Run } from '../batch.ts'
import { raw, zero } from '../batch.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { FIRST_REGION, SECOND_REGION } from '../guest-memory.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const limitBytes = 4_194_304

/** A guest that arrives whole, some of its pages zero; its memory is compared. */
function arrives(terms: Partial<Hello>): C['play'] {
  return async (context) => {
    const source = await context.source({ mode: 'stop-copy', ...terms }).open()
    const { memory, lane } = source
    await source.switchOver(0)
    memory.fill()
    memory.page(FIRST_REGION, 1).fill(0)
    memory.page(FIRST_REGION, 2).fill(0)
    source.begin(1, 'final')
    const [first, , , last] = Array.from({ length: 4 }, (_, page) =>
      memory.page(FIRST_REGION, page),
    )
    const runs = [raw(3, last!), zero(1, 2), raw(0, first!)]
    lane.batch({ round: 1, region: FIRST_REGION, runs })
    const count = memory.pageCount(SECOND_REGION)
    for (let page = 0; page < count; page++) {
      const run = raw(page, memory.page(SECOND_REGION, page))
      lane.batch({ round: 1, region: SECOND_REGION, runs: [run] })
    }
    source.finish(1)
    await source.acknowledged(1)
    source.sendState()
    await source.ready()
    await source.commit()
    await source.conclude(1)
  }
}

interface BadBatch {
  readonly what: string
  readonly clause: string
  readonly codes: readonly ErrorCode[]
  readonly parts: (source: ScriptedSource) => BatchParts
}

const round = 1
const region = FIRST_REGION

function bad(
  what: string,
  clause: string,
  code: ErrorCode | readonly ErrorCode[],
  change: Partial<BatchParts> | ((run: Run, source: ScriptedSource) => Partial<BatchParts>),
): BadBatch {
  return {
    what,
    clause,
    codes: typeof code === 'string' ? [code] : code,
    parts: (source) => {
      const run = raw(0, source.memory.page(region, 0))
      const changed = typeof change === 'function' ? change(run, source) : change
      return { round, region, runs: [run], ...changed }
    },
  }
}

const change = (fields: Partial<Run>) => (run: Run) => ({ runs: [{ ...run, ...fields }] })
const empty = new Uint8Array(0)

/** In the order in which section 5 has the checks. */
const badBatches: readonly BadBatch[] = [
  bad('4097 entries', 'C5.48', 'LIMIT_EXCEEDED', { entryCount: 4097 }),
  bad('a long payload', 'C9.3', 'LIMIT_EXCEEDED', { payloadBytes: limitBytes + 1 }),
  bad('no entries', 'C5.46', 'CODEC_BATCH', { runs: [], entryCount: 0 }),
  bad('a sum that is not', 'C5.46', 'CODEC_BATCH', { payloadBytes: 4095 }),
  bad('compression 3', 'C5.50', 'CODEC_ENCODING', { compression: 3 }),
  bad('stride 1', 'C11.2', 'CODEC_BATCH', { stride: 1 }),
  bad('stride 7', 'C11.2', 'CODEC_BATCH', { stride: 7 }),
  bad('a reserved field', 'C5.46', 'CODEC_BATCH', { reserved: 1 }),
  bad('too much decoded', 'C5.48', 'LIMIT_EXCEEDED', { decodedBytes: limitBytes + 1 }),
  bad('other bytes decoded', 'C5.46', 'CODEC_BATCH', { decodedBytes: 1 }),
  bad('another round', 'C5.52', 'PROTOCOL_STATE', { round: 2 }),
  bad('an unknown region', 'C5.49', 'CODEC_PAGE_RANGE', { region: 7 }),
  bad('zstd, not agreed', 'C4.60', 'CODEC_ENCODING', { compression: 1 }),
  bad('LZ4, not agreed', 'C4.60', 'CODEC_ENCODING', { compression: 2 }),
  bad('a stride, not agreed', 'C4.60', 'CODEC_ENCODING', { stride: 3 }),
  ...[0, 6, 10, 255].map((encoding) => {
    return bad(`encoding ${encoding}`, 'C5.50', 'CODEC_ENCODING', change({ encoding }))
  }),
  ...[3, 4, 5, 7, 8, 9].map((encoding) => {
    const what = `encoding ${encoding}, not agreed`
    return bad(what, 'C4.60', 'CODEC_ENCODING', change({ encoding }))
  }),
  bad('a reserved byte of an entry', 'C5.46', 'CODEC_BATCH', change({ reserved: 1 })),
  bad('a run of no pages', 'C5.53', 'CODEC_PAGE_RANGE', change({ pageCount: 0 })),
  bad('a page behind the region', 'C5.49', 'CODEC_PAGE_RANGE', change({ firstPage: 4 })),
  bad('the page 2^32 - 1', 'C5.49', 'CODEC_PAGE_RANGE', change({ firstPage: 0xffffffff })),
  bad('a run past the end', 'C5.2', 'CODEC_PAGE_RANGE', change({ firstPage: 3, pageCount: 2 })),
  bad('two pages in one', 'C5.13', 'CODEC_BATCH', change({ pageCount: 2 })),
  bad('payloads that do not add up', 'C5.3', 'CODEC_BATCH', change({ payloadBytes: 4095 })),
  bad('zero with a payload', 'C5.14', 'CODEC_BATCH', change({ encoding: PageEncoding.Zero })),
  bad('raw without one', 'C5.13', 'CODEC_BATCH', change({ payload: empty })),
  bad('another digest', 'C5.51', 'CODEC_DIGEST', { digest: 1n }),
  bad('a digest of zero pages', 'C5.41', 'CODEC_DIGEST', { runs: [zero(0, 1)], digest: 1n }),
  // What comes first decides.
  bad('limit before entries', 'C5.53', 'LIMIT_EXCEEDED', { entryCount: 0, payloadBytes: 2 ** 31 }),
  bad('round before region', 'C5.53', 'PROTOCOL_STATE', { round: 2, region: 7 }),
  bad('compression before round', 'C5.53', 'CODEC_ENCODING', { compression: 3, round: 2 }),
]

async function refused(context: DestinationContext): Promise<void> {
  for (const { clause, codes, parts } of sample(badBatches, context.every)) {
    const source = await context.source().open()
    source.memory.fill()
    source.begin(round, 'full')
    source.lane.batch(parts(source))
    await source.refused(clause, ...codes)
    await source.end()
  }
}

async function short(context: DestinationContext): Promise<void> {
  for (const length of [0, 31]) {
    const source = await context.source().open()
    source.begin(round, 'full')
    source.lane.channel.frame(FrameType.Pages, new Uint8Array(length))
    await source.refused('C5.53', 'CODEC_BATCH')
    await source.end()
  }
}

const clauses = [...new Set(badBatches.map((one) => one.clause))]

export const batchCases: readonly C[] = [
  {
    name: 'batches/xxh64',
    clauses: ['C1.4', 'C1.5', 'C5.1', 'C5.2', 'C5.3', 'C5.13', 'C5.14', 'C5.38', 'C5.40', 'C5.41'],
    play: arrives({ verify: 'fingerprints' }),
  },
  {
    name: 'batches/xxh3',
    clauses: ['C5.37', 'C6.104', 'C6.107'],
    play: arrives({ hash: 'xxh3', verify: 'fingerprints' }),
  },
  {
    name: 'batches/sha256',
    clauses: ['C5.39', 'C6.104'],
    play: arrives({ hash: 'sha256', verify: 'fingerprints' }),
  },
  {
    name: 'batches/verify-sha256',
    clauses: ['C6.104', 'C6.108'],
    play: arrives({ verify: 'sha256' }),
  },
  { name: 'batches/refused', clauses, play: refused },
  { name: 'batches/short', clauses: ['C5.53'], play: short },
]
