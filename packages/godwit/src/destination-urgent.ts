/**
 * The entry of a thread that serves the urgent channel of a destination: it waits for faults and
 * for pages at once, in a loop of its own that nothing else can hold up.
 *
 * @module
 */
import { readSync } from 'node:fs'
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import type { DetachedChannel, FaultSource, Port } from '@godwit/core'
import type { LaneCommand, LaneReport } from '@godwit/destination/lane-thread'
import { serveLane } from '@godwit/destination/lane-thread'
import {
  PollLoop,
  PolledChannel,
  UserfaultReader,
  createPlacers,
  loadDescriptorCalls,
  loadSystemCalls,
} from '@godwit/linux'
import { FaultQueue } from '@godwit/memory'
import { parentThread } from './parent-thread.ts'
import { nodePrimitives, threadCpuSeconds } from './runtime.ts'
import { bellOfThread } from './urgent-thread.ts'

const calls = await loadDescriptorCalls()
const systemCalls = await loadSystemCalls()
const loop = new PollLoop(calls)
const bell = bellOfThread()
const rings = new Uint8Array(8)
let obey: (command: LaneCommand) => void = () => {}
let drain: () => void = () => {}
let endListening: () => void = () => {}

/** Somebody waits for a page, or has a command: both are looked for. */
function answer(): void {
  readSync(bell, rings)
  drain()
  for (let next = receiveMessageOnPort(parentPort!); next !== undefined; ) {
    obey(next.message as LaneCommand)
    next = receiveMessageOnPort(parentPort!)
  }
}

const port: Port<LaneReport, LaneCommand> = {
  ...parentThread<LaneReport, LaneCommand>(),
  listen(hear) {
    obey = (command) => {
      if (command.do === 'close') hush()
      hear(command)
    }
    parentThread<LaneReport, LaneCommand>().listen(obey)
  },
}

/**
 * Takes no faults any more, though the channel may linger: the thread of the next connection is to
 * have them, and here nobody can be asked.
 */
function hush(): void {
  drain = () => {}
  endListening()
  endListening = () => {}
}

function attach(detached: DetachedChannel): PolledChannel {
  const channel = new PolledChannel(loop, calls, detached, () => {
    hush()
    loop.stop()
  })
  // Once whoever attaches is done with it.
  setImmediate(() => {
    loop.watch({ descriptor: bell, ready: answer })
    loop.run()
  })
  return channel
}

function listen(source: FaultSource, hear: (region: number, page: number) => void): void {
  if (source.pager === 'gate') {
    const queue = new FaultQueue(source.queue)
    drain = () => queue.drain(hear)
    queue.ringAt(bell)
    drain()
  } else {
    // Its own: the pager's is closed while this thread still waits, and the next to get that number
    // may be a connection.
    const descriptor = systemCalls.duplicate(source.placing.descriptor)
    const reader = new UserfaultReader(systemCalls, { ...source.placing, descriptor })
    const unwatch = loop.watch({ descriptor, ready: () => reader.drain(hear) })
    endListening = () => {
      unwatch()
      calls.close(descriptor)
    }
  }
}

serveLane(port, {
  primitives: await nodePrimitives(),
  clock: loop,
  attach,
  cpuSeconds: threadCpuSeconds,
  createPlacers: (placing) => createPlacers(systemCalls, placing),
  listen,
})
