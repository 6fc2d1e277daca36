/**
 * Ctrl-C: the first asks to cancel, the second ends the process.
 *
 * @module
 */

export interface Interrupts {
  /** Resolves at the first signal. */
  readonly first: Promise<NodeJS.Signals>
  /** The first signal, once it came. */
  readonly signal: NodeJS.Signals | undefined
  /** Resolves at the second signal, or at the first when that was SIGTERM. */
  readonly second: Promise<void>
  /** Gives the signals back to their defaults. */
  stop(): void
}

/** Listens to SIGINT and SIGTERM until stopped. */
export function listenToInterrupts(): Interrupts {
  const first = Promise.withResolvers<NodeJS.Signals>()
  const second = Promise.withResolvers<void>()
  let seen: NodeJS.Signals | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    if (seen !== undefined || signal === 'SIGTERM') second.resolve()
    seen ??= signal
    first.resolve(signal)
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    first: first.promise,
    second: second.promise,
    get signal() {
      return seen
    },
    stop() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
