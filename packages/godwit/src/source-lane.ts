/**
 * The entry of a thread that serves one lane of a source. It imports no more than it needs: code
 * that every lane loads costs time and memory for each.
 *
 * @module
 */
import { systemClock } from '@godwit/core'
import { serveLane } from '@godwit/source/lane-thread'
import { createDialler } from '@godwit/transport'
import { parentThread } from './parent-thread.ts'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { nodeSealTools } from './seal-tools.ts'

serveLane(parentThread(), {
  primitives: await nodePrimitives(),
  clock: systemClock,
  createDialler: (address) => createDialler(address),
  sealTools: nodeSealTools,
  cpuSeconds: threadCpuSeconds,
})
