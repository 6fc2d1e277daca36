/**
 * LZ4 blocks: the check in front of the library, and the library. Four bytes in front of a block
 * say how long its content shall be; with the highest bit set it is as long as it becomes.
 *
 * @module
 */
import { nodePrimitives } from 'godwit'
import { checkLz4Block } from '../../../packages/codec/src/lz4.ts'
import type { BatchVector } from '../../conformance/vector-files.ts'
import { someContent } from '../contents.ts'
import { vectorInputs } from '../corpus.ts'
import { lz4Content } from '../models.ts'
import type { Field, Random } from '../mutator.ts'
import { joined, pick, randomBytes, someLength } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, numberBytes, outcomeOf, splitNumber } from '../target.ts'

const lz4 = (await nodePrimitives()).compressors.lz4!
const contentBytesMax = 4 * 1024 * 1024
const isMeasured = 0x80000000
const batchHeaderBytes = 32

/** What is behind the tables of batches that say they are LZ4. */
const seeds = [
  ...vectorInputs<BatchVector>(['batches-packed.json'], (bytes) => {
    const view = new DataView(bytes.buffer)
    if (bytes.length < batchHeaderBytes || bytes[12] !== 2) return new Uint8Array(0)
    const block = bytes.subarray(batchHeaderBytes + 12 * view.getUint16(6, true))
    return joined(numberBytes(view.getUint32(16, true)), block)
  }).filter(({ length }) => length > 0),
  numberBytes(0),
  joined(numberBytes(0), Uint8Array.of(0)),
]

function compressed(content: Uint8Array): Uint8Array {
  let output: Uint8Array = content
  lz4.compress(content, { level: 0, windowLog: 0 }, (bytes) => {
    output = bytes.slice()
  })
  return output
}

/** A length in a token's half, and the bytes behind it. */
function runLength(length: number): { nibble: number; more: number[] } {
  if (length < 15) return { nibble: length, more: [] }
  const full = Math.floor((length - 15) / 255)
  return { nibble: 15, more: [...Array.from({ length: full }, () => 255), (length - 15) % 255] }
}

/** Sequences with any offset and length: more of them than a compressor would write. */
function sequences(random: Random): Uint8Array {
  const bytes: number[] = []
  let made = 0
  for (let left = random(12); left > 0; left--) {
    const literals = someLength(pick([16, 300], random), random)
    const match = someLength(pick([12, 300, 5000], random), random)
    const head = runLength(literals)
    const tail = runLength(match)
    made += literals
    const offset = random(30) === 0 ? random(65536) : Math.min(made, 1 + someLength(made, random))
    bytes.push((head.nibble << 4) | tail.nibble, ...head.more)
    bytes.push(...randomBytes(literals, random), offset & 255, offset >>> 8, ...tail.more)
    made += match + 4
  }
  const last = someLength(20, random)
  bytes.push(last < 15 ? last << 4 : 0xe0, ...randomBytes(last < 15 ? last : 14, random))
  return Uint8Array.from(bytes)
}

function generate(random: Random): Uint8Array {
  const content = someContent(random(3) === 0 ? 70_000 : 3000, random)
  const block = random(2) === 0 ? sequences(random) : compressed(content)
  return joined(numberBytes(random(3) > 0 ? isMeasured : content.length), block)
}

/** What a block becomes when all of its lengths are believed. */
function measured(block: Uint8Array): number {
  let made = 0
  let at = 0
  const length = (nibble: number): number => {
    let sum = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; sum += byte) byte = block[at++] ?? 0
    return sum
  }
  while (at < block.length) {
    const token = block[at++]!
    const literals = length(token >>> 4)
    at += literals
    made += literals
    if (at >= block.length) break
    at += 2
    made += length(token & 15) + 4
  }
  return made
}

function run(input: Uint8Array): string {
  const { number, rest: block } = splitNumber(input)
  const isWanted = (number & isMeasured) !== 0
  const decodedBytes = (isWanted ? measured(block) : number) % (contentBytesMax + 1)
  const wanted = lz4Content(block, decodedBytes)
  const codes = ['CODEC_COMPRESSION'] as const
  const { error } = outcomeOf(() => checkLz4Block(block, decodedBytes), codes)
  must((error === undefined) === (wanted !== undefined), 'what is a block is what LZ4 says')
  const { value } = outcomeOf(() => lz4.decompress(block, decodedBytes), codes)
  if (wanted === undefined) {
    must(value === undefined, 'what is no block is refused')
    return labelOf(error!)
  }
  must(value !== undefined, 'what is a block is taken')
  must(Buffer.compare(value, wanted) === 0, 'the content is right')
  return `right ${Math.min(Math.ceil(Math.log2(1 + decodedBytes)), 12)}`
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  const fields: Field[] = [{ at: 0, byteCount: 4 }]
  // The token of the first sequence, what is behind it, and the end of the block.
  for (const at of [4, 5, 6, 7, input.length - 7, input.length - 6]) {
    if (at >= 4 && at < input.length) fields.push({ at, byteCount: 1 })
  }
  return fields
}

export const lz4Block: Target = {
  name: 'lz4-block',
  seeds,
  reaches: ['right 0', 'right 12', 'CODEC_COMPRESSION An LZN block reaches behind'],
  inputBytesMax: 96 * 1024,
  allocatedBytesMax: (inputBytes) => 24 * 1024 * 1024 + 16 * inputBytes,
  cpuMsMax: 200,
  fieldsOf,
  generate,
  run,
}
