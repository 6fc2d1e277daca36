/**
 * The compressors on their own, with the batches that they get: how fast, and how much is left.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { MIB } from '@godwit/core'
import type { ContentKind } from '@godwit/guest'
import { fillContent } from '@godwit/guest'
import type { Kernels } from '@godwit/kernels'
import { createKernels, KERNELS_WASM_URL } from '@godwit/kernels'
import { nodePrimitives } from 'godwit'
import type { Case } from '../result.ts'
import { toCase } from '../result.ts'
import { secondsPerCall } from './rate.ts'

const batchBytes = MIB
const contentKinds: readonly ContentKind[] = ['text', 'heap', 'random']
const zstdLevels = [1, 3, 6, 9] as const
/** Of a heap-like object, which is the record that batches of them are transposed by. */
const recordBytes = 64
/** Matches need not reach further than one column of a transposed batch. */
const columnWindowLog: number = Math.log2(batchBytes / recordBytes)

type Compressors = Awaited<ReturnType<typeof nodePrimitives>>['compressors']
type BatchCompressor = NonNullable<Compressors['zstd']>
type CompressionSettings = Parameters<BatchCompressor['compress']>[1]

/** One way to make a batch smaller. */
interface Encoder {
  readonly name: string
  /** Encodes the batch that it was made for. @returns bytes of output */
  encode(): number
}

/** Where a batch is, and where it is transposed to. */
interface Batch {
  readonly kernels: Kernels
  readonly at: number
  readonly transposedAt: number
}

/** Measures each `repeat` times, each for twice `sampleMs`. */
export async function measureCompressors(repeat: number, sampleMs: number): Promise<Case[]> {
  const memoryBytes = 3 * batchBytes
  const kernels = createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes })
  const [at, transposedAt] = [0, 1].map(() => kernels.allocate(batchBytes, 4096))
  const batch = { kernels, at: at!, transposedAt: transposedAt! }
  const cases: Case[] = []
  for (const content of contentKinds) {
    const mix = { zero: 0, text: 0, heap: 0, random: 0, [content]: 100 }
    fillContent(kernels.bytes.subarray(at!, at! + batchBytes), { mix, seed: 1 })
    const encoders = await createEncoders(content, batch)
    for (const encoder of encoders) {
      cases.push(...measureOne(`${content}, ${encoder.name}`, encoder, repeat, sampleMs))
    }
  }
  return cases
}

function measureOne(name: string, encoder: Encoder, repeat: number, sampleMs: number): Case[] {
  const share = encoder.encode() / batchBytes
  const rates: number[] = []
  for (let i = 0; i < repeat; i++) {
    rates.push(batchBytes / secondsPerCall(sampleMs, () => void encoder.encode()))
  }
  return [
    toCase({ name, metric: 'input', unit: 'bytes/s', values: rates }),
    toCase({ name, metric: 'output per input', unit: 'ratio', values: [share] }),
  ]
}

async function createEncoders(content: ContentKind, batch: Batch): Promise<readonly Encoder[]> {
  const { compressors } = await nodePrimitives()
  const zstd = compressors.zstd!
  const lz4 = compressors.lz4!
  const { kernels, at, transposedAt } = batch
  const input = kernels.bytes.subarray(at, at + batchBytes)
  const transposed = kernels.bytes.subarray(transposedAt, transposedAt + batchBytes)
  const whole = { level: 1, windowLog: 0 }
  const encoders: Encoder[] = zstdLevels.map((level) => ({
    name: `zstd ${level}`,
    encode: () => outputBytes(zstd, input, { ...whole, level }),
  }))
  encoders.push({ name: 'lz4', encode: () => outputBytes(lz4, input, whole) })
  if (content === 'heap') {
    encoders.push({
      name: 'transposed, zstd 1',
      encode() {
        kernels.transpose(at, batchBytes, recordBytes, transposedAt)
        return outputBytes(zstd, transposed, { level: 1, windowLog: columnWindowLog })
      },
    })
  }
  return encoders
}

/** @throws when it is not over with the call: then the call's time says nothing */
function outputBytes(
  compressor: BatchCompressor,
  input: Uint8Array,
  settings: CompressionSettings,
): number {
  let byteCount = 0
  compressor.compress(input, settings, (output) => {
    byteCount = output.length
  })
  if (byteCount === 0) throw new Error('a compressor goes on behind its call')
  return byteCount
}
