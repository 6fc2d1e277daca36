/**
 * What a thread that serves an urgent channel does instead of Node's event loop, as soon as it has
 * the channel: it waits for its connection and for its bell at once, and nothing else can hold it
 * up.
 *
 * @module
 */
import { readSync } from 'node:fs'
import { parentPort, receiveMessageOnPort } from 'node:worker_threads'
import type { Channel, DetachedChannel, Port } from '@godwit/core'
import type { DescriptorCalls } from '@godwit/linux'
import { PollLoop, PolledChannel, createPolledPair, loadDescriptorCalls } from '@godwit/linux'
import { parentThread } from './parent-thread.ts'
import { bellOfThread } from './urgent-thread.ts'

/** In a warm-up: so long at a time. */
const turnMs = 2

/** The calling thread's line to whoever started it, its clock, and its channel. */
export interface UrgentLoop<Sent, Received> extends Port<Sent, Received> {
  readonly clock: PollLoop
  readonly bell: number
  /** Makes a channel of a connection that was detached elsewhere, and runs until it is over. */
  attach(detached: DetachedChannel, onOver?: () => void): Channel
  /** Closes a descriptor that this thread made. */
  close(descriptor: number): void
  /**
   * Runs with two ends of a connection of this thread to itself before there is a channel, a little
   * at a time: commands are heard in between.
   *
   * @returns what ends it, and the connection
   */
  warmUp(begin: (near: Channel, far: Channel) => void): () => void
  /** Has commands heard that were posted, if there are any. */
  hearPosted(): void
}

/**
 * @param rung - somebody rang the bell, perhaps to say something else than a command
 * @param awakeMs - see {@link PollLoop}
 */
export async function createUrgentLoop<Sent, Received>(
  rung: () => void,
  awakeMs = 0,
): Promise<UrgentLoop<Sent, Received>> {
  const calls = await loadDescriptorCalls()
  const clock = new PollLoop(calls, awakeMs)
  const bell = bellOfThread()
  const rings = new Uint8Array(8)
  const parent = parentThread<Sent, Received>()
  let hear: (message: Received) => void = () => {}
  const hearPosted = (): void => {
    for (let next = receiveMessageOnPort(parentPort!); next !== undefined; ) {
      hear(next.message as Received)
      next = receiveMessageOnPort(parentPort!)
    }
  }
  const answer = (): void => {
    readSync(bell, rings)
    rung()
    hearPosted()
  }
  return {
    clock,
    bell,
    post: (message) => parent.post(message),
    listen(listener) {
      hear = listener
      parent.listen(listener)
    },
    attach(detached, onOver = () => {}) {
      const channel = new PolledChannel(clock, calls, detached, () => {
        onOver()
        clock.stop()
      })
      // Once whoever attaches is done with it.
      setImmediate(() => {
        const unwatch = clock.watch({ descriptor: bell, ready: answer })
        clock.run()
        unwatch()
      })
      return channel
    },
    close: (descriptor) => calls.close(descriptor),
    warmUp: (begin) => warmUp(clock, calls, begin),
    hearPosted,
  }
}

function warmUp(
  clock: PollLoop,
  calls: DescriptorCalls,
  begin: (near: Channel, far: Channel) => void,
): () => void {
  const [near, far] = createPolledPair(clock, calls)
  begin(near, far)
  let isOver = false
  const run = (): void => {
    if (isOver) return
    clock.after(turnMs, () => clock.stop())
    clock.run()
    setImmediate(run)
  }
  setImmediate(run)
  return () => {
    isOver = true
    near.destroy()
    far.destroy()
  }
}
