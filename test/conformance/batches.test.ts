import { createHash } from 'node:crypto'
import { BatchDecoder, createPrimitives, emptyTotals, Workspace } from '@godwit/codec'
import type { DecodedTotals } from '@godwit/codec'
import { FrameType, FrameWriter, frameRule } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { codeOf, cutsOf, readFrames } from './feeding.ts'
import { bytesOf, readVectors } from './vector-files.ts'
import type { BatchVector } from './vector-files.ts'

const workspace = new Workspace(await createPrimitives(), 0)

interface Decoding {
  readonly error: string | undefined
  readonly totals: DecodedTotals
  readonly sha256: Readonly<Record<string, string>>
}

function decode(vector: BatchVector, body: Uint8Array): Decoding {
  const seed = new Uint8Array(Buffer.from(vector.fingerprintSeed, 'hex'))
  const regions = vector.regions.map(({ id, byteLength }) => ({
    region: { id, name: `region ${id}`, bytes: new Uint8Array(byteLength).fill(vector.fill) },
    written: new Uint8Array(Math.ceil(byteLength / vector.pageBytes)).fill(1),
    fingerprints: undefined,
  }))
  const decoder = new BatchDecoder({
    pageBytes: vector.pageBytes,
    regions,
    hasher: workspace.createHasher(vector.hash, seed),
    verifyHasher: undefined,
    copy: workspace.copy,
  })
  const totals = emptyTotals()
  let error: string | undefined
  try {
    decoder.decode(body, vector.round, totals)
  } catch (thrown) {
    error = codeOf(thrown)
  }
  const sums = regions.map(({ region }) => [
    region.id,
    createHash('sha256').update(region.bytes).digest('hex'),
  ])
  return { error, totals, sha256: Object.fromEntries(sums) as Record<string, string> }
}

/** Memory that is filled before: no page of it counts as zero. */
interface Outcome {
  readonly error: string | undefined
  readonly totals?: DecodedTotals
  readonly sha256?: Readonly<Record<string, string>>
}

function outcome(vector: BatchVector, body: Uint8Array): Outcome {
  const { error, totals, sha256 } = decode(vector, body)
  return error === undefined ? { error, totals, sha256 } : { error }
}

function wantedOutcome(vector: BatchVector, body: Uint8Array): Outcome {
  if (vector.expect === undefined) return { error: vector.error }
  const { rawPages, zeroPages, sha256 } = vector.expect
  const digest = new DataView(body.buffer, body.byteOffset).getBigUint64(24, true)
  const pages = rawPages + zeroPages
  return { error: undefined, totals: { batches: 1, pages, rawPages, zeroPages, digest }, sha256 }
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

describe('batches.json', () => {
  const vectors = readVectors<BatchVector>('batches.json')

  it.each(vectors)('$name', (vector) => {
    const body = bytesOf(vector)
    const wanted = wantedOutcome(vector, body)
    expect(outcome(vector, body)).toEqual(wanted)
    expect(outcome(vector, unaligned(body))).toEqual(wanted)
    for (const arrived of throughFrames(vector, body)) {
      expect(outcome(vector, arrived)).toEqual(wanted)
    }
  })

  it('has a vector of every error that section 5 names', () => {
    const errors = new Set(vectors.map((vector) => vector.error).filter(Boolean))
    const codec = ['BATCH', 'PAGE_RANGE', 'ENCODING', 'DIGEST'].map((name) => `CODEC_${name}`)
    expect(errors).toEqual(new Set([...codec, 'LIMIT_EXCEEDED', 'PROTOCOL_STATE']))
  })
})
