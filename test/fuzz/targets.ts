/**
 * All targets.
 *
 * @module
 */
import type { Target } from './target.ts'
import { canary } from './targets/canary.ts'
import { capture } from './targets/capture.ts'
import { controlMessages } from './targets/control-messages.ts'
import { delta } from './targets/delta.ts'
import { frameReader } from './targets/frame-reader.ts'
import { lz4Block } from './targets/lz4-block.ts'
import { nakRuns } from './targets/nak-runs.ts'
import { plainBatches } from './targets/plain-batches.ts'
import { preface } from './targets/preface.ts'
import { richBatches } from './targets/rich-batches.ts'
import { zstdFrame } from './targets/zstd.ts'

export const targets: readonly Target[] = [
  preface,
  frameReader,
  controlMessages,
  plainBatches,
  richBatches,
  lz4Block,
  zstdFrame,
  delta,
  nakRuns,
  capture,
  canary,
]
