/**
 * What the two targets of batches have in common.
 *
 * @module
 */
import { createPrimitives } from '@godwit/codec'
import type { HashName } from '@godwit/core'
import { BATCH, BatchCompression } from '@godwit/wire'
import { nodePrimitives } from 'godwit'
import type { BatchVector } from '../../conformance/vector-files.ts'
import { vectorInputs } from '../corpus.ts'
import type { Field } from '../mutator.ts'
import { joined } from '../mutator.ts'
import type { Target } from '../target.ts'
import { checkClean, isClean } from '../zstd-probe.ts'
import { batchFields } from './batch-text.ts'
import { FIX, INPUT_HEAD_BYTES, prepare } from './fixes.ts'
import { generateBatch } from './generator.ts'
import { Rig } from './rig.ts'

const native = await nodePrimitives()
const portable = await createPrimitives({ zstd: native.compressors.zstd! })
const inputBytesMax = 512 * 1024

const hashes: readonly HashName[] = ['xxh3', 'xxh64', 'sha256']

/** Those of {@link Rig}s that an input can choose: SIMD and not, verified and not. */
function rigs(isRich: boolean): readonly Rig[] {
  return [
    new Rig({ primitives: native, hash: 'xxh3', isRich, isVerified: true }),
    new Rig({ primitives: portable, hash: 'xxh64', isRich, isVerified: false }),
    new Rig({ primitives: native, hash: 'sha256', isRich, isVerified: true }),
    new Rig({ primitives: portable, hash: 'xxh3', isRich, isVerified: false }),
  ]
}

/** Vectors as they are, and with all put right that can be. */
function seedsOf(files: readonly string[]): readonly Uint8Array[] {
  return vectorInputs<BatchVector>(files, (bytes, { hash }) => {
    return joined(Uint8Array.of(hashes.indexOf(hash), 0), bytes)
  }).flatMap((input) => {
    const isPacked = input[INPUT_HEAD_BYTES + 12] !== 0 || input[INPUT_HEAD_BYTES + 13] !== 0
    const fixes = FIX.checks | FIX.digest | FIX.round
    return [input, input.with(1, isPacked ? FIX.digest | FIX.round : fixes | FIX.lengths)]
  })
}

/** A target of plain batches, or of all that can be negotiated. */
export function batchTarget(
  name: string,
  isRich: boolean,
  files: readonly string[],
  reaches: readonly string[],
): Target {
  const all = rigs(isRich)
  return {
    name,
    seeds: seedsOf(files),
    reaches,
    inputBytesMax,
    // A batch of 4 MiB, decompressed by us and by the model, put in order, and its pages.
    allocatedBytesMax: (inputBytes) => 48 * 1024 * 1024 + 16 * inputBytes,
    cpuMsMax: 500,
    fieldsOf: (input): readonly Field[] => {
      return batchFields(input.subarray(INPUT_HEAD_BYTES), INPUT_HEAD_BYTES)
    },
    generate: (random, pool) => generateBatch(isRich, random, pool),
    run(input) {
      const settings = input[0] ?? 0
      const rig = all[settings & 3]!
      const prepared = prepare(input, isRich, rig.prints, native.compressors)
      let isFine = false
      try {
        const label = rig.run(prepared, (settings & 4) !== 0)
        isFine = true
        return label
      } finally {
        const zstd = native.compressors.zstd!
        if (prepared.body[BATCH.compression] === BatchCompression.Zstd) {
          if (isFine) checkClean(zstd)
          else isClean(zstd)
        }
      }
    },
  }
}
