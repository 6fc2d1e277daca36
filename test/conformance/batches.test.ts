import { createHash } from 'node:crypto'
import {
  BatchDecoder,
  Workspace,
  batchDecoderBytes,
  createPrimitives,
  emptyTotals,
} from '@godwit/codec'
import type { DecodedTotals } from '@godwit/codec'
import { BATCH, FrameType, FrameWriter, decodePageRuns, frameRule } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { codeOf, cutsOf, readFrames } from './feeding.ts'
import { bytesOf, readVectors } from './vector-files.ts'
import type { BatchFacts, BatchVector } from './vector-files.ts'
import { zstd } from './zstd.ts'

const primitives = await createPrimitives({ zstd })

interface Nak {
  readonly round: number
  readonly region: number
  readonly runs: readonly (readonly [firstPage: number, pageCount: number])[]
}

/** What becomes of a batch. */
interface Outcome {
  readonly error: string | undefined
  readonly nak?: Nak | undefined
  readonly totals?: Partial<DecodedTotals>
  readonly sha256?: Readonly<Record<string, string>>
}

type Regions = ConstructorParameters<typeof BatchDecoder>[0]['regions']

/** Memory that is filled before: no page of it counts as zero. */
function regionsOf({ regions, fill, pageBytes }: BatchVector): Regions {
  return regions.map(({ id, byteLength }) => ({
    region: { id, name: `region ${id}`, bytes: new Uint8Array(byteLength).fill(fill) },
    written: new Uint8Array(Math.ceil(byteLength / pageBytes)).fill(1),
    fingerprints: undefined,
  }))
}

function decoderOf(vector: BatchVector, regions: Regions): BatchDecoder {
  const bytes = batchDecoderBytes(vector.pageBytes, regions.length)
  const workspace = new Workspace(primitives, bytes)
  const seed = new Uint8Array(Buffer.from(vector.fingerprintSeed, 'hex'))
  const may = (name: string): boolean => vector.capabilities?.includes(name) === true
  return new BatchDecoder({
    pageBytes: vector.pageBytes,
    regions,
    workspace,
    hasher: workspace.createHasher(vector.hash, seed),
    verifyHasher: undefined,
    features: {
      references: may('references'),
      delta: may('delta'),
      zstd: may('zstd'),
      lz4: may('lz4'),
    },
    storeBytes: vector.storeBytes ?? 0,
    compressors: primitives.compressors,
  })
}

/** Of a batch. */
function roundOf(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset).getUint32(BATCH.round, true)
}

function digestOf(body: Uint8Array): bigint {
  return new DataView(body.buffer, body.byteOffset).getBigUint64(BATCH.digest, true)
}

function outcome(vector: BatchVector, body: Uint8Array): Outcome {
  const regions = regionsOf(vector)
  const decoder = decoderOf(vector, regions)
  for (const octets of vector.before ?? []) {
    const earlier = bytesOf(octets)
    decoder.decode(earlier, roundOf(earlier), emptyTotals())
  }
  const totals = emptyTotals()
  try {
    const answer = decoder.decode(body, vector.round, totals)
    const nak = answer && {
      round: answer.round,
      region: answer.region,
      runs: decodePageRuns(answer.runs).map((run) => [run.firstPage, run.pageCount] as const),
    }
    return { error: undefined, nak, totals: shownTotals(totals, nak), sha256: sumsOf(regions) }
  } catch (thrown) {
    return { error: codeOf(thrown) }
  }
}

function sumsOf(regions: Regions): Readonly<Record<string, string>> {
  const sums = regions.map(({ region }) => [
    region.id,
    createHash('sha256').update(region.bytes).digest('hex'),
  ])
  return Object.fromEntries(sums) as Record<string, string>
}

/** Of a batch that was answered with NAK only those that the other side states, too. */
function shownTotals(totals: DecodedTotals, nak: Nak | undefined): Partial<DecodedTotals> {
  const { batches, pages, digest } = totals
  return nak === undefined ? totals : { batches, pages, digest }
}

function wantedOutcome(vector: BatchVector, body: Uint8Array): Outcome {
  if (vector.expect === undefined) return { error: vector.error }
  const { nak: runs, sha256 } = vector.expect
  if (runs === undefined) {
    const totals = wantedTotals(vector.expect, body)
    return { error: undefined, nak: undefined, totals, sha256 }
  }
  const region = new DataView(body.buffer, body.byteOffset).getUint16(BATCH.region, true)
  const pages = runs.reduce((sum, [, pageCount]) => sum + pageCount, 0)
  return {
    error: undefined,
    nak: { round: vector.round, region, runs },
    totals: { batches: 1, pages, digest: digestOf(body) },
    sha256,
  }
}

function wantedTotals(facts: BatchFacts, body: Uint8Array): DecodedTotals {
  const { rawPages = 0, zeroPages = 0, samePages = 0, referencePages = 0, deltaPages = 0 } = facts
  const isCompressed = body[BATCH.compression] !== 0
  return {
    batches: 1,
    pages: rawPages + zeroPages + samePages + referencePages + deltaPages,
    rawPages: isCompressed ? 0 : rawPages,
    compressedPages: isCompressed ? rawPages : 0,
    zeroPages,
    samePages,
    referencePages,
    deltaPages,
    staticPages: 0,
    digest: digestOf(body),
  }
}

/** The body behind other bytes, so that nothing in it is aligned. */
function unaligned(body: Uint8Array): Uint8Array {
  const around = new Uint8Array(body.length + 3)
  around.set(body, 3)
  return around.subarray(3)
}

/** What arrives of the batch as the only frame of a stream, cut at random. */
function throughFrames(vector: BatchVector, body: Uint8Array): Uint8Array[] {
  if (body.length > frameRule(FrameType.Pages)!.bodyBytesMax) return []
  const bytes = new FrameWriter().frame(FrameType.Pages, body)
  const cuts = cutsOf(bytes.length, vector.name.length).filter(([cut]) => cut !== 'by byte')
  return cuts.map(([, lengths]) => readFrames('data', bytes, lengths).frames[0]!.body)
}

const files = ['batches.json', 'batches-rich.json', 'batches-packed.json']

describe.each(files)('%s', (file) => {
  it.each(readVectors<BatchVector>(file))('$name', (vector) => {
    const body = bytesOf(vector)
    const wanted = wantedOutcome(vector, body)
    expect(outcome(vector, body)).toEqual(wanted)
    expect(outcome(vector, unaligned(body))).toEqual(wanted)
    for (const arrived of throughFrames(vector, body)) {
      expect(outcome(vector, arrived)).toEqual(wanted)
    }
  })
})

it('there is a vector of every error that section 5 names', () => {
  const vectors = files.flatMap((file) => readVectors<BatchVector>(file))
  const errors = new Set(vectors.map((vector) => vector.error).filter(Boolean))
  const names = ['BATCH', 'PAGE_RANGE', 'ENCODING', 'DIGEST', 'COMPRESSION']
  const codec = names.map((name) => `CODEC_${name}`)
  expect(errors).toEqual(new Set([...codec, 'LIMIT_EXCEEDED', 'PROTOCOL_STATE']))
})
