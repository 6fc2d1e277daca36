/**
 * The entry of a thread that serves the urgent channel of a destination: it waits for faults and
 * for pages at once.
 *
 * @module
 */
import type { Port } from '@godwit/core'
import type { LaneCommand, LaneReport } from '@godwit/destination/lane-thread'
import { serveLane } from '@godwit/destination/lane-thread'
import { UserfaultReader, createPlacers, loadSystemCalls } from '@godwit/linux'
import { FaultQueue } from '@godwit/memory'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { resumeSeal } from './seal-tools.ts'
import { createUrgentLoop } from './urgent-loop.ts'

/** Longer than a page takes to come, where that is as quick as it can be. */
const awakeMs = 0.2

const calls = await loadSystemCalls()
let drain: () => void = () => {}
let endListening: () => void = () => {}
const loop = await createUrgentLoop<LaneReport, LaneCommand>(() => drain(), awakeMs)

/**
 * Takes no faults any more, though the channel may linger: the thread of the next connection is to
 * have them, and here nobody can be asked.
 */
function hush(): void {
  drain = () => {}
  endListening()
  endListening = () => {}
}

const port: Port<LaneReport, LaneCommand> = {
  post: (report) => loop.post(report),
  listen: (hear) =>
    loop.listen((command) => {
      if (command.do === 'close') hush()
      hear(command)
    }),
}

serveLane(port, {
  primitives: await nodePrimitives(),
  clock: loop.clock,
  attach: (detached) => resumeSeal(loop.attach(detached, hush), detached),
  warmUp: (begin) => loop.warmUp(begin),
  cpuSeconds: threadCpuSeconds,
  createPlacers: (placing) => createPlacers(calls, placing),
  listen(source, hear) {
    if (source.pager === 'gate') {
      const queue = new FaultQueue(source.queue)
      drain = () => queue.drain(hear)
      queue.ringAt(loop.bell)
      drain()
    } else {
      // Its own: the pager's is closed while this thread still waits, and the next to get that
      // number may be a connection.
      const descriptor = calls.duplicate(source.placing.descriptor)
      const reader = new UserfaultReader(calls, { ...source.placing, descriptor })
      const unwatch = loop.clock.watch({ descriptor, ready: () => reader.drain(hear) })
      endListening = () => {
        unwatch()
        loop.close(descriptor)
      }
    }
  },
})
