/**
 * What became of guests that were let go by processes which died before they heard it.
 *
 * @module
 */
import type { OwnerRecord } from '@godwit/core'
import { GodwitError, systemClock, toGodwitError } from '@godwit/core'
import { askOwner } from '@godwit/source'
import type { OwnerAnswer } from '@godwit/wire'
import { OwnerDirectory } from './owner-directory.ts'
import type { SecurityOptions } from './security.ts'
import { checkDestination, networkOf } from './send.ts'

/** One guest of a process that died. */
export interface RecoveredGuest {
  readonly record: OwnerRecord
  /**
   * `running`: it is the destination's, and runs there, or was started just now. `ended`: it ran
   * there. `lost`: it died with its process, here or there. `prepared`: all the destination has of
   * it is not enough. Undefined: that is not known, for `error`.
   */
  readonly answer: Exclude<OwnerAnswer, 'refused'> | undefined
  readonly error?: GodwitError
}

/** How to recover. */
export interface RecoverOptions {
  readonly stateDir: string
  /** Of the one migration that is meant. Default: all. */
  readonly session?: string
  /** Where to ask, instead of where the guest was sent to. */
  readonly to?: string
  /** As the guest was sent. */
  readonly security?: SecurityOptions | undefined
  readonly insecure?: boolean
}

/**
 * Asks for every guest that a process which died had let go, and starts those that their
 * destinations only hold. What is known then is forgotten in the directory.
 *
 * @throws {GodwitError} `FILE_UNWRITABLE`, `ADDRESS_INVALID`, `INSECURE_ADDRESS`
 */
export async function recoverOwned(options: RecoverOptions): Promise<readonly RecoveredGuest[]> {
  const owners = new OwnerDirectory(options.stateDir)
  const guests: RecoveredGuest[] = []
  // One by one: there are few, and each may start a guest.
  for (const record of owners.left('source')) {
    if (options.session !== undefined && record.session !== options.session) continue
    const guest = await recoverOne(record, options)
    if (guest.answer !== undefined && guest.answer !== 'prepared') owners.forget(record)
    guests.push(guest)
  }
  return guests
}

async function recoverOne(record: OwnerRecord, options: RecoverOptions): Promise<RecoveredGuest> {
  // All of it was heard to be there before this side's process died.
  if (record.state === 'moved') return { record, answer: 'running' }
  // It was here, and nowhere else.
  if (record.state !== 'released') return { record, answer: 'lost' }
  const to = options.to ?? record.peer
  try {
    checkDestination(to, options)
    const network = networkOf({ to, security: options.security })
    const answer = await askOwner(record, { ...network, clock: systemClock })
    // Nobody has it: the copy here died with its process, and that there was given up.
    return { record, answer: answer === 'refused' ? 'lost' : answer }
  } catch (thrown) {
    return { record, answer: undefined, error: toGodwitError(thrown) }
  }
}
