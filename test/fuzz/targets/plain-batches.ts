/**
 * Batches of raw and zero pages, with nothing else negotiated.
 *
 * @module
 */
import type { Target } from '../target.ts'
import { batchTarget } from '../batches/targets.ts'

export const plainBatches: Target = batchTarget(
  'plain-batches',
  false,
  ['batches.json'],
  ['installed 1 ', 'installed 2 ', 'installed 1,2 ', 'another digest', 'LIMIT_EXCEEDED'],
)
