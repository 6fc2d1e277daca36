/**
 * The entry of a thread that serves the urgent channel of a destination: it waits for faults and
 * for pages at once.
 *
 * @module
 */
import type { LaneCommand, LaneReport } from '@godwit/destination/lane-thread'
import { serveLane } from '@godwit/destination/lane-thread'
import { FaultQueue } from '@godwit/memory'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { createUrgentLoop } from './urgent-loop.ts'

/** Longer than a page takes to come, where that is as quick as it can be. */
const awakeMs = 0.2

let drain: () => void = () => {}
const loop = await createUrgentLoop<LaneReport, LaneCommand>(() => drain(), awakeMs)

serveLane(loop, {
  primitives: await nodePrimitives(),
  clock: loop.clock,
  attach: (detached) => loop.attach(detached),
  warmUp: (begin) => loop.warmUp(begin),
  cpuSeconds: threadCpuSeconds,
  listen({ queue: words }, hear) {
    const queue = new FaultQueue(words)
    drain = () => queue.drain(hear)
    queue.ringAt(loop.bell)
    drain()
  },
})
