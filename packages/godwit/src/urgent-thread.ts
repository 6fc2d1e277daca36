/**
 * Threads that serve urgent channels, and the bells that wake them: such a thread hears nothing
 * else while it waits for its socket.
 *
 * @module
 */
import { workerData } from 'node:worker_threads'
import type { Thread } from '@godwit/core'
import type { DescriptorCalls } from '@godwit/linux'
import { ringBell } from './bell.ts'
import { startThread } from './thread.ts'

/**
 * Bells that nobody needs any more. They are never closed: a thread of a guest may still be about
 * to ring, and a descriptor of the same number would get what was meant for the bell.
 */
const spareBells: number[] = []

/** Starts a thread that runs the module `entry`; whatever is posted to it rings its bell. */
export function startUrgentThread<Sent, Received>(
  entry: URL,
  calls: DescriptorCalls,
): Thread<Sent, Received> {
  const bell = spareBells.pop() ?? calls.createEvent()
  const thread = startThread<Sent, Received>(entry, 'urgent', { bell })
  void thread.ended.then(() => spareBells.push(bell))
  return {
    ended: thread.ended,
    listen: (hear) => thread.listen(hear),
    post(message) {
      thread.post(message)
      ringBell(bell)
    },
    end() {
      thread.end()
      // Only a thread that goes on can be ended.
      ringBell(bell)
    },
  }
}

/** The bell of the calling thread. */
export function bellOfThread(): number {
  return (workerData as { readonly bell: number }).bell
}
