/**
 * What becomes of a migration that takes too long (`--timeout`).
 *
 * @module
 */
import type { MigrationMode } from '@godwit/core'
import { GodwitError, hasRounds, parseDurationMs } from '@godwit/core'

const actions = ['post-copy', 'stop', 'cancel'] as const

/**
 * `post-copy`: goes on with it after the round that is going on. `stop`: the rounds end now, and
 * what is left goes in the pause. `cancel`: the guest goes on where it is.
 */
export type TimeoutAction = (typeof actions)[number]

export interface Timeout {
  readonly ms: number
  readonly action: TimeoutAction
}

/** The one that costs the guest nothing. */
const actionDefault = 'cancel'
/** Timers of the runtimes take no more: 24 days. */
const timeoutMsMax = 2 ** 31 - 1

/** Parses `60s:stop`, or `60s`, which cancels. @throws {GodwitError} `USAGE` */
export function parseTimeout(text: string): Timeout {
  const [duration = '', action = actionDefault, ...rest] = text.split(':')
  if (!isAction(action) || rest.length > 0) {
    throw usage(text, `is not T or T:ACTION with an action of ${actions.join(', ')}`)
  }
  const ms = parseDurationMs(duration)
  if (ms <= 0 || ms > timeoutMsMax) throw usage(text, 'is not between 0 and 24 days')
  return { ms, action }
}

/** @throws {GodwitError} `USAGE`: the mode has not what is to be done when the time is over */
export function checkTimeout(mode: MigrationMode, text: string | undefined): void {
  if (text === undefined) return
  const { action } = parseTimeout(text)
  if (action === 'post-copy' && mode !== 'hybrid') {
    throw usage(text, `needs mode hybrid: mode ${mode} does not change to post-copy`)
  }
  if (action === 'stop' && !hasRounds(mode))
    throw usage(text, `needs a mode with rounds, which ${mode} has not`)
}

function isAction(text: string): text is TimeoutAction {
  return (actions as readonly string[]).includes(text)
}

function usage(text: string, why: string): GodwitError {
  return new GodwitError('USAGE', `timeout: "${text}" ${why}`)
}
