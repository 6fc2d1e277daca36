/**
 * All targets.
 *
 * @module
 */
import type { Target } from './target.ts'
import { canary } from './targets/canary.ts'
import { capture } from './targets/capture.ts'
import { checkpoints } from './targets/checkpoints.ts'
import { controlMessages } from './targets/control-messages.ts'
import { destinationMachine } from './targets/destination-machine.ts'
import { delta } from './targets/delta.ts'
import { frameReader } from './targets/frame-reader.ts'
import { guestStreams } from './targets/guest-streams.ts'
import { lackingPages } from './targets/lacking-pages.ts'
import { lz4Block } from './targets/lz4-block.ts'
import { machinePair } from './targets/machine-pair.ts'
import { nakRuns } from './targets/nak-runs.ts'
import { plainBatches } from './targets/plain-batches.ts'
import { preface } from './targets/preface.ts'
import { qemuStreams } from './targets/qemu-streams.ts'
import { relayFrames } from './targets/relay-frames.ts'
import { richBatches } from './targets/rich-batches.ts'
import { sourceMachine } from './targets/source-machine.ts'
import { staticMaps } from './targets/static-maps.ts'
import { urgentRequests } from './targets/urgent-requests.ts'
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
  staticMaps,
  lackingPages,
  guestStreams,
  qemuStreams,
  relayFrames,
  urgentRequests,
  checkpoints,
  sourceMachine,
  destinationMachine,
  machinePair,
  canary,
]
