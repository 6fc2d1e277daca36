/**
 * Cases for a destination: batches that name content, change it, or are compressed.
 *
 * @module
 */
import { zstdCompressSync } from 'node:zlib'
import type { ErrorCode } from '@godwit/core'
import type { BatchParts, Run } from '../batch.ts'
import { raw, zero } from '../batch.ts'
import type { Case } from '../case.ts'
import { sample } from '../case.ts'
import { Skip } from '../failure.ts'
import { FIRST_REGION, SECOND_REGION } from '../guest-memory.ts'
import * as rich from '../rich-runs.ts'
import type { DestinationContext, ScriptedSource } from '../scripted-source.ts'

type C = Case<DestinationContext>

const region = FIRST_REGION
const all = ['references', 'delta', 'zstd', 'lz4']

/** After round 1 with every page. */
async function afterFull(
  context: DestinationContext,
  ...needed: readonly string[]
): Promise<ScriptedSource> {
  const source = context.source({ optional: all, verify: 'fingerprints' })
  await source.open()
  source.need(...needed)
  return source.full()
}

/** One more round that holds these batches, and the end: memory is compared. */
async function dirtyRound(
  source: ScriptedSource,
  batches: readonly Omit<BatchParts, 'round'>[],
): Promise<void> {
  source.begin(2, 'dirty', batches.length)
  for (const batch of batches) source.lane.batch({ round: 2, ...batch })
  source.finish(2)
  await source.acknowledged(2)
}

async function handOver(source: ScriptedSource, before: number): Promise<void> {
  await source.lastRound(before)
  source.sendState()
  await source.ready()
  await source.commit()
  await source.conclude(before + 1)
}

function check(source: ScriptedSource, page: number, id: number = region): number {
  return rich.checkOf(source.hashes, source.memory.page(id, page))
}

async function sameAs(context: DestinationContext): Promise<void> {
  const source = await afterFull(context, 'references')
  const { memory } = source
  const page = memory.page(region, 0).slice()
  const of = { region, page: 0 }
  const code = check(source, 0)
  memory.page(region, 1).set(page)
  memory.page(SECOND_REGION, 3).set(page)
  await dirtyRound(source, [
    { region, runs: [rich.sameAs(1, of, code, page)] },
    { region: SECOND_REGION, runs: [rich.sameAs(3, of, code, page)] },
  ])
  await handOver(source, 2)
}

/** The slot takes what the page held before the batch, whatever the batch has for it. */
async function store(context: DestinationContext): Promise<void> {
  const source = await afterFull(context, 'references')
  const { memory, welcome } = source
  if ((welcome.storeBytes ?? 0) < memory.pageBytes) throw new Skip('there is no content store')
  const old = memory.page(region, 0).slice()
  const code = check(source, 0)
  memory.write(region, 0, 99)
  memory.page(region, 2).set(old)
  await dirtyRound(source, [
    { region, runs: [raw(0, memory.page(region, 0)), rich.keep(0, 0)] },
    { region, runs: [rich.reference(2, 0, code, old)] },
  ])
  await handOver(source, 2)
}

async function deltas(context: DestinationContext): Promise<void> {
  const source = await afterFull(context, 'delta')
  const { memory } = source
  const [one, two] = [check(source, 0), check(source, 1)]
  const base = memory.page(region, 0).slice()
  memory.page(region, 0)[300] = 0xee
  memory.page(region, 2).set(base)
  memory.page(region, 2)[0] = 0xdd
  const [changed, like] = [memory.page(region, 0), memory.page(region, 2)]
  await dirtyRound(source, [
    { region, runs: [rich.similar(2, { region, page: 0 }, one, rich.change(0, 0xdd), like)] },
    { region, runs: [rich.delta(0, one, rich.change(300, 0xee), changed)] },
    { region, runs: [rich.delta(1, two, new Uint8Array(0), memory.page(region, 1))] },
  ])
  await handOver(source, 2)
}

/** Two runs in one batch: each sees what was there before it. */
async function order(context: DestinationContext): Promise<void> {
  const source = await afterFull(context, 'references')
  const { memory } = source
  const old = memory.page(SECOND_REGION, 0).slice()
  const code = check(source, 0, SECOND_REGION)
  memory.write(region, 0, 77)
  memory.page(region, 1).set(old)
  const of = { region: SECOND_REGION, page: 0 }
  const runs = [zero(2, 1), rich.sameAs(1, of, code, old), raw(0, memory.page(region, 0))]
  memory.page(region, 2).fill(0)
  await dirtyRound(source, [{ region, runs }])
  await handOver(source, 2)
}

function compressed(capability: string, parts: Partial<BatchParts>): C['play'] {
  return async (context) => {
    const source = await afterFull(context, capability)
    const { memory } = source
    for (const page of [0, 1, 2]) memory.write(region, page, 150 + page)
    const runs = [raw(0, ...[0, 1, 2].map((page) => memory.page(region, page)))]
    await dirtyRound(source, [{ region, runs, ...parts }])
    await handOver(source, 2)
  }
}

const zstd = { compression: 1, compress: (payload: Uint8Array) => zstdCompressSync(payload) }
const lz4 = { compression: 2, compress: rich.lz4Literals }
const fixed = (bytes: number[]) => (): Uint8Array => Uint8Array.from(bytes)

interface BadRich {
  readonly clause: string
  readonly code: ErrorCode
  readonly needs: string
  readonly parts: (source: ScriptedSource, page: Uint8Array) => Partial<BatchParts>
}

const run = (
  clause: string,
  code: ErrorCode,
  needs: string,
  make: (source: ScriptedSource, page: Uint8Array) => Run,
): BadRich => {
  return { clause, code, needs, parts: (source, page) => ({ runs: [make(source, page)] }) }
}

/** Deltas that are refused: section 5. */
const malformed: readonly (readonly number[])[] = [
  [0x00],
  [0x80, 0x80, 0x80, 0x01, 0x01, 0xff],
  [0x80, 0x00, 0x01, 0xff],
  [0x05, 0x00],
  [0x00, 0x01, 0xff, 0x00, 0x01, 0xff],
  [0xff, 0xff, 0x7f, 0x01, 0xff],
  [0x00, 0x05, 0xff],
]

const badRich: readonly BadRich[] = [
  run('C5.33', 'CODEC_PAGE_RANGE', 'references', (_source, page) => {
    return rich.sameAs(1, { region: 9, page: 0 }, 0, page)
  }),
  run('C5.33', 'CODEC_PAGE_RANGE', 'references', (_source, page) => {
    return rich.sameAs(1, { region, page: 4 }, 0, page)
  }),
  run('C5.34', 'CODEC_BATCH', 'references', (_source, page) => {
    return rich.sameAs(1, { region: SECOND_REGION, page: 8 }, 0, page)
  }),
  run('C5.22', 'CODEC_BATCH', 'references', (_source, page) => {
    return rich.reference(1, 0xffffffff, 0, page)
  }),
  run('C5.15', 'CODEC_BATCH', 'references', (_source, page) => {
    const same = rich.sameAs(1, { region, page: 0 }, 0, page)
    return { ...same, payload: same.payload.subarray(0, 8) }
  }),
  run('C5.15', 'CODEC_BATCH', 'references', (_source, page) => {
    const same = rich.sameAs(1, { region, page: 0 }, 0, page)
    same.payload[2] = 1
    return same
  }),
  run('C5.16', 'CODEC_BATCH', 'references', (_source, page) => {
    const one = rich.reference(1, 0, 0, page)
    return { ...one, payload: one.payload.subarray(0, 7) }
  }),
  run('C5.18', 'CODEC_BATCH', 'references', () => {
    return { ...rich.keep(1, 0), payload: new Uint8Array(3) }
  }),
  run('C5.19', 'CODEC_PAGE_RANGE', 'delta', (_source, page) => {
    return rich.similar(1, { region: 9, page: 0 }, 0, new Uint8Array(0), page)
  }),
  run('C5.17', 'CODEC_BATCH', 'delta', (source, page) => {
    const one = rich.delta(1, check(source, 1), new Uint8Array(0), page)
    return { ...one, payload: one.payload.subarray(0, 5) }
  }),
  ...malformed.map((bytes) => {
    return run('C5.21', 'CODEC_BATCH', 'delta', (source, page) => {
      return rich.delta(1, check(source, 1), Uint8Array.from(bytes), page)
    })
  }),
  run('C5.21', 'CODEC_BATCH', 'delta', (source, page) => {
    return rich.delta(1, check(source, 1), rich.change(0, ...page, 1), page)
  }),
  {
    clause: 'C5.32',
    code: 'CODEC_BATCH',
    needs: 'references',
    parts: (source, page) => {
      const same = rich.sameAs(1, { region, page: 0 }, check(source, 0), page)
      return { runs: Array.from({ length: 5 }, () => same) }
    },
  },
  {
    clause: 'C5.47',
    code: 'CODEC_COMPRESSION',
    needs: 'zstd',
    parts: () => ({ compression: 1, compress: fixed([1, 2, 3, 4]) }),
  },
  {
    clause: 'C5.8',
    code: 'CODEC_COMPRESSION',
    needs: 'zstd',
    parts: () => ({ compression: 1, compress: (one) => zstdCompressSync(one.subarray(1)) }),
  },
  {
    clause: 'C5.10',
    code: 'CODEC_COMPRESSION',
    needs: 'zstd',
    parts: () => ({ compression: 1, compress: () => zstdCompressSync(new Uint8Array(2 ** 22)) }),
  },
  {
    clause: 'C5.47',
    code: 'CODEC_COMPRESSION',
    needs: 'lz4',
    parts: () => ({ compression: 2, compress: fixed([0xff, 0x00]) }),
  },
  {
    clause: 'C5.8',
    code: 'CODEC_COMPRESSION',
    needs: 'lz4',
    parts: () => ({ compression: 2, compress: (one) => rich.lz4Literals(one.subarray(1)) }),
  },
]

async function refused(context: DestinationContext): Promise<void> {
  for (const { clause, code, needs, parts } of sample(badRich, context.every)) {
    const source = await afterFull(context, needs)
    source.begin(2, 'dirty', 1)
    const page = source.memory.page(region, 0)
    source.lane.batch({ round: 2, region, runs: [raw(1, page)], ...parts(source, page) })
    await source.refused(clause, code)
    await source.end()
  }
}

const refusals = [...new Set(badRich.map((one) => one.clause))]

export const richCases: readonly C[] = [
  { name: 'rich/same-as', clauses: ['C4.51', 'C5.15', 'C5.33'], play: sameAs },
  {
    name: 'rich/store',
    clauses: ['C5.16', 'C5.18', 'C5.22', 'C5.23', 'C5.27', 'C5.30'],
    play: store,
  },
  { name: 'rich/deltas', clauses: ['C4.52', 'C5.17', 'C5.19', 'C5.20'], play: deltas },
  { name: 'rich/order', clauses: ['C5.25', 'C5.27'], play: order },
  { name: 'rich/zstd', clauses: ['C4.53', 'C5.4', 'C5.8'], play: compressed('zstd', zstd) },
  { name: 'rich/lz4', clauses: ['C4.54', 'C5.7'], play: compressed('lz4', lz4) },
  {
    name: 'rich/stride',
    clauses: ['C5.11', 'C4.53'],
    play: compressed('zstd', { ...zstd, stride: 4 }),
  },
  { name: 'rich/stride-alone', clauses: ['C5.12'], play: compressed('lz4', { stride: 6 }) },
  { name: 'rich/refused', clauses: refusals, play: refused },
]
