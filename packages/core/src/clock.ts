/**
 * Time and timers are handed in, so that machines and agents run under a seeded clock in tests
 * and in a browser unchanged.
 *
 * @module
 */

/** Monotonic time. */
export interface Clock {
  /** Milliseconds since an arbitrary start, with sub-millisecond precision. */
  nowMs(): number
  /** Calls `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void
  /** Calls `task` once after pending input and output had their turn. */
  soon(task: () => void): void
}

/** Lets pending input and output have their turn. */
export function yieldTo(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve))
}

/** The runtime's own clock; works in Node and in browsers. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs)
    return () => clearTimeout(timer)
  },
  soon: createSoon(),
}

/** Node's `setImmediate`; elsewhere a message to ourselves, which is not delayed as timers are. */
function createSoon(): (task: () => void) => void {
  const { setImmediate } = globalThis as { setImmediate?: (task: () => void) => void }
  if (setImmediate !== undefined) return setImmediate
  return (task) => {
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener(
      'message',
      () => {
        port1.close()
        task()
      },
      { once: true },
    )
    port1.start()
    port2.postMessage(undefined)
  }
}
