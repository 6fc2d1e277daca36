/**
 * The entry of a thread that serves one lane of a destination. It imports no more than it needs:
 * code that every lane loads costs time and memory for each.
 *
 * @module
 */
import { systemClock } from '@godwit/core'
import { serveLane } from '@godwit/destination/lane-thread'
import { attachChannel } from '@godwit/transport/tcp-channel'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { parentThread } from './thread.ts'

serveLane(parentThread(), {
  primitives: await nodePrimitives(),
  clock: systemClock,
  attach: attachChannel,
  cpuSeconds: threadCpuSeconds,
})
