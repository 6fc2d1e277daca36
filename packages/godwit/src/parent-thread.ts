/**
 * A thread's line to whoever started it. By itself, for threads that load next to nothing.
 *
 * @module
 */
import type { MessagePort } from 'node:worker_threads'
import { parentPort } from 'node:worker_threads'
import type { Port } from '@godwit/core'

/**
 * The line to whoever started this thread. Listening keeps the thread alive until it is ended.
 *
 * @throws {Error} when this is not a thread that somebody started
 */
export function parentThread<Sent, Received>(): Port<Sent, Received> {
  if (parentPort === null) throw new Error('this is the main thread')
  const port: MessagePort = parentPort
  return {
    post: (message) => port.postMessage(message),
    // The runtime itself keeps messages until somebody listens.
    listen: (hear) => port.on('message', hear),
  }
}
