/**
 * Zstandard as Node has it. Four bytes in front of a frame say how long its content shall be.
 *
 * @module
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { nodePrimitives } from 'godwit'
import type { BatchVector } from '../../conformance/vector-files.ts'
import { someContent } from '../contents.ts'
import { vectorInputs } from '../corpus.ts'
import type { Field, Random } from '../mutator.ts'
import { joined, numberFields, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, numberBytes, outcomeOf, splitNumber } from '../target.ts'
import { checkClean } from '../zstd-probe.ts'

const zstd = (await nodePrimitives()).compressors.zstd!
const contentBytesMax = 4 * 1024 * 1024
/** Node refuses smaller buffers for its output. */
const outputBytesMin = 64
const windowLogMax = 23
const batchHeaderBytes = 32

const seeds = [
  ...vectorInputs<BatchVector>(['batches-packed.json'], (bytes) => {
    const view = new DataView(bytes.buffer)
    if (bytes.length < batchHeaderBytes || bytes[12] !== 1) return new Uint8Array(0)
    const frame = bytes.subarray(batchHeaderBytes + 12 * view.getUint16(6, true))
    return joined(numberBytes(view.getUint32(16, true)), frame)
  }).filter(({ length }) => length > 0),
  numberBytes(0),
]

/** Frames that become far longer than their number says. */
const bombs = [1 << 20, 1 << 24, 1 << 26].map((byteCount) => {
  return zstdCompressSync(new Uint8Array(byteCount))
})

function generate(random: Random): Uint8Array {
  const stated = numberBytes(pick([0, 1, 63, 64, 4096, contentBytesMax], random))
  if (random(6) === 0) return joined(stated, pick(bombs, random))
  const content = someContent(random(4) === 0 ? 100_000 : 3000, random)
  const params = {
    [constants.ZSTD_c_compressionLevel]: 1 + random(3),
    [constants.ZSTD_c_checksumFlag]: random(2),
    [constants.ZSTD_c_contentSizeFlag]: random(2),
    ...(random(3) === 0 ? { [constants.ZSTD_c_windowLog]: 10 + random(18) } : {}),
  }
  const frame = zstdCompressSync(content, { params })
  return joined(random(4) === 0 ? stated : numberBytes(content.length), frame)
}

/** What Node's public function makes of it; undefined for what is not a frame. */
function reference(frame: Uint8Array, outputBytesMax: number): Uint8Array | undefined {
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogMax }
  try {
    return zstdDecompressSync(frame, { params, maxOutputLength: outputBytesMax })
  } catch {
    return undefined
  }
}

function run(input: Uint8Array): string {
  const { number, rest: frame } = splitNumber(input)
  const decodedBytes = number % (contentBytesMax + 1)
  const codes = ['CODEC_COMPRESSION'] as const
  const { value, error } = outcomeOf(() => zstd.decompress(frame, decodedBytes), codes)
  const output = value?.slice()
  checkClean(zstd)
  const wanted = reference(frame, Math.max(outputBytesMin, decodedBytes))
  if (output === undefined) {
    const isRight = wanted?.length === decodedBytes && isFrameOnly(frame, decodedBytes)
    must(!isRight, 'a frame that is right is taken')
    return labelOf(error!)
  }
  must(output.length <= Math.max(outputBytesMin, decodedBytes), 'output keeps to its bound')
  must(wanted !== undefined, 'what is no whole frame is refused')
  must(Buffer.compare(output, wanted) === 0, 'the content is right')
  return `${output.length === decodedBytes ? 'right' : 'other length'} ${output.length === 0}`
}

/** Whether nothing is before or behind a frame, which need not be noticed. */
function isFrameOnly(frame: Uint8Array, decodedBytes: number): boolean {
  const { number: magic } = splitNumber(frame)
  const shorter = reference(frame.subarray(0, -1), Math.max(outputBytesMin, decodedBytes))
  return magic === 0xfd2fb528 && shorter === undefined
}

export const zstdFrame: Target = {
  name: 'zstd',
  seeds,
  reaches: ['right', 'CODEC_COMPRESSION'],
  inputBytesMax: 64 * 1024,
  allocatedBytesMax: (inputBytes) => 20 * 1024 * 1024 + 4 * inputBytes,
  cpuMsMax: 200,
  fieldsOf: (input): readonly Field[] => numberFields(input, 16),
  generate,
  run,
}
