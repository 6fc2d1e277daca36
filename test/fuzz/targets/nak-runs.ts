import { PageBitmap } from '@godwit/core'
/**
 * The runs of a NAK: decoded, asked for again at the source, and noted at the destination. The
 * first byte of an input says which region is meant; the runs are behind it.
 *
 * @module
 */
import type { Nak } from '@godwit/wire'
import {
  FrameType,
  PAGE_RUN_BYTES,
  decodeMessage,
  decodePageRuns,
  encodeMessage,
  encodePageRuns,
} from '@godwit/wire'
import { LackingPages } from '@godwit/codec'
import { Repairs } from '../../../packages/source/src/repairs.ts'
import type { ControlVector } from '../../conformance/vector-files.ts'
import { vectorInputs } from '../corpus.ts'
import type { Field, Random } from '../mutator.ts'
import { interesting, joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const pageBytes = 4096
/** Never touched: nothing of it is resident. */
const regions = [4 * pageBytes, 16_384 * pageBytes + 1, 65_536 * pageBytes].map(
  (byteLength, id) => ({
    region: { id, name: `region ${id}`, bytes: new Uint8Array(byteLength) },
    fingerprints: undefined as never,
  }),
)
/** Every page was in the round. */
const allDirty = regions.map(({ region }) => {
  const bitmap = new PageBitmap(Math.ceil(region.bytes.length / pageBytes))
  bitmap.addAll()
  return bitmap
})
const runsMax = 4096

const seeds = vectorInputs<ControlVector>(['control.json'], (bytes, { type }) => {
  if (type !== 'NAK') return new Uint8Array(0)
  const { value } = outcomeOf(() => decodeMessage(FrameType.Nak, bytes), ['WIRE_BODY'])
  return value?.name === 'Nak' ? joined(Uint8Array.of(0), value.body.runs) : new Uint8Array(0)
}).filter(({ length }) => length > 0)

/** The same pages again and again: a few bytes that ask for a lot. */
function everything(random: Random): Uint8Array {
  const pageCount = Math.ceil(regions[1]!.region.bytes.length / pageBytes)
  const runs = Array.from({ length: runsMax - random(8) }, () => ({ firstPage: 0, pageCount }))
  return joined(Uint8Array.of(1), encodePageRuns(runs))
}

function generate(random: Random): Uint8Array {
  if (random(200) === 0) return everything(random)
  const index = random(regions.length)
  const pages = Math.ceil(regions[index]!.region.bytes.length / pageBytes)
  const runs = Array.from({ length: 1 + random(pick([3, 40, runsMax], random)) }, () => {
    if (random(200) === 0) return { firstPage: interesting(random), pageCount: interesting(random) }
    const firstPage = random(pages)
    return { firstPage, pageCount: 1 + random(Math.min(pages - firstPage, 8)) }
  })
  return joined(Uint8Array.of(index), encodePageRuns(runs))
}

function nakOf(region: number, runs: Uint8Array): Nak | undefined {
  const body = encodeMessage({ name: 'Nak', body: { round: 1, region, runs } })
  const { value } = outcomeOf(() => decodeMessage(FrameType.Nak, body), ['WIRE_BODY'])
  return value?.body as Nak | undefined
}

function run(input: Uint8Array): string {
  const region = (input[0] ?? 0) % (regions.length + 1)
  const bytes = input.subarray(1)
  const runs = decodePageRuns(bytes)
  must(runs.length === Math.floor(bytes.length / PAGE_RUN_BYTES), 'every run is decoded')
  const whole = bytes.subarray(0, runs.length * PAGE_RUN_BYTES)
  must(Buffer.compare(encodePageRuns(runs), whole) === 0, 'runs encode to what they were')
  const nak = nakOf(region, bytes)
  if (nak === undefined) return 'no NAK'
  const repairs = new Repairs(regions, pageBytes)
  const { error } = outcomeOf(() => repairs.add(nak, allDirty), ['PROTOCOL_STATE'])
  if (error !== undefined) return labelOf(error)
  const pages = Math.ceil(regions[region]!.region.bytes.length / pageBytes)
  must(repairs.pages <= pages, 'a page is sent once')
  const isNamed = runs.every(({ pageCount }) => pageCount > 0)
  must(isNamed, 'a NAK with a run of no pages is refused')
  // The destination only ever notes what its own decoder made of a batch.
  if (runs.some(({ pageCount }) => pageCount > 0xffff)) return 'asked'
  const lacking = new LackingPages(() => pages)
  const noted = outcomeOf(() => lacking.add(nak), ['PROTOCOL_STATE'])
  if (noted.error !== undefined) return 'asked twice'
  must(!lacking.isEmpty, 'what is asked for is lacking')
  return 'asked and lacking'
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  const fields: Field[] = [{ at: 0, byteCount: 1 }]
  for (let at = 1; at + 4 <= input.length && fields.length < 256; at += 4) {
    fields.push({ at, byteCount: 4 })
  }
  return fields
}

export const nakRuns: Target = {
  name: 'nak-runs',
  seeds,
  reaches: ['no NAK', 'asked and lacking', 'PROTOCOL_STATE'],
  inputBytesMax: 1 + (runsMax + 1) * PAGE_RUN_BYTES,
  allocatedBytesMax: (inputBytes) => 16 * 1024 * 1024 + 64 * inputBytes,
  cpuMsMax: 100,
  fieldsOf,
  generate,
  run,
}
