/**
 * The entry of a thread that serves one lane of a destination. It imports no more than it needs:
 * code that every lane loads costs time and memory for each.
 *
 * @module
 */
import { systemClock } from '@godwit/core'
import { serveLane } from '@godwit/destination/lane-thread'
import { createPlacers, loadSystemCalls } from '@godwit/linux'
import { attachChannel } from '@godwit/transport/tcp-channel'
import { parentThread } from './parent-thread.ts'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { resumeSeal } from './seal-tools.ts'

const calls = await loadSystemCalls()

serveLane(parentThread(), {
  primitives: await nodePrimitives(),
  clock: systemClock,
  attach: (detached) => resumeSeal(attachChannel(detached), detached),
  cpuSeconds: threadCpuSeconds,
  createPlacers: (placing) => createPlacers(calls, placing),
})
