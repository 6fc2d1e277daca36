/**
 * The entry of a thread that serves one lane of a source.
 *
 * @module
 */
import { systemClock } from '@godwit/core'
import { serveLane } from '@godwit/source'
import { createDialler } from '@godwit/transport'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { parentThread } from './thread.ts'

serveLane(parentThread(), {
  primitives: await nodePrimitives(),
  clock: systemClock,
  createDialler: (address) => createDialler(address),
  cpuSeconds: threadCpuSeconds,
})
