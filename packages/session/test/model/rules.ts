/**
 * What decides: the machines, and what an agent answers of a session that it only has in writing.
 * A test puts mistakes here.
 *
 * @module
 */
import type { OwnerAnswer } from '@godwit/wire'
import { stepDestination } from '../../src/destination-machine.ts'
import { stepSource } from '../../src/source-machine.ts'

/** `refuse`: first write that it is refused, then say so. */
export type Answer = OwnerAnswer | 'refuse' | 'unknown'

export interface Rules {
  readonly stepSource: typeof stepSource
  readonly stepDestination: typeof stepDestination
  /** @param isAlive - the guest is in this process, running or not */
  answer(record: string, isAlive: boolean): Answer
  /** Whether a first connection may begin a session of which this is known. */
  mayBegin(record: string): boolean
  /** What a source that was started anew does when it hears `prepared`. */
  mayCommitAnew(postCopy: boolean): boolean
}

export const rules: Rules = {
  stepSource,
  stepDestination,
  answer(record, isAlive) {
    switch (record) {
      case 'owner':
        return isAlive ? 'running' : 'lost'
      case 'prepared':
        return 'refuse'
      case 'refused':
        return 'refused'
      default:
        return 'unknown'
    }
  },
  mayBegin: (record) => record === 'none',
  mayCommitAnew: (postCopy) => !postCopy,
}
