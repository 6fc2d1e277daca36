/**
 * Batches with everything negotiated: references, deltas, strides, zstd, LZ4.
 *
 * @module
 */
import type { Target } from '../target.ts'
import { batchTarget } from '../batches/targets.ts'

export const richBatches: Target = batchTarget(
  'rich-batches',
  true,
  ['batches-rich.json', 'batches-packed.json'],
  [
    'installed 3 ',
    'installed 4 ',
    'installed 5 ',
    'installed 7 ',
    'installed 8 ',
    'installed 9 ',
    'NAK',
    'another digest',
    'CODEC_COMPRESSION',
  ],
)
