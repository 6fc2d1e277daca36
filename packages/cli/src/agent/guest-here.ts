/**
 * A guest in the agent's process: what it is while it is here, and how it goes.
 *
 * @module
 */
import { toGodwitError } from '@godwit/core'
import type { AgentContext } from './context.ts'
import { hookFactsOf } from './context.ts'
import type { GuestChange, GuestEntry, GuestHere, GuestState } from './guest-table.ts'
import { errorFacts } from './log.ts'

/** Puts a guest that runs into the table, and watches it: one that dies gives its memory back. */
export function placeRunning(context: AgentContext, entry: GuestEntry, here: GuestHere): void {
  const { table, log, hooks } = context
  table.place(entry, here)
  table.change(entry, 'running', {})
  void here.guest?.failed.then(async (error) => {
    if (entry.here !== here) return
    here.died = error
    const { name: guest, session } = entry
    const by = here.guest?.shutDownBy
    if (by === undefined) log.error({ guest, session, ...errorFacts(error) }, 'a guest died')
    else log.info({ guest, session, by }, 'a guest was shut down')
    // While it is on its way, what becomes of it is its migration's to say.
    if (entry.state !== 'running') return
    const isOrderly = by !== undefined
    const reason = isOrderly ? `it was shut down (${by})` : `${error.code}: ${error.message}`
    await goneFrom(context, entry, isOrderly ? 'ended' : 'failed', { reason, ...nowhere })
    hooks.tell('ended', hookFactsOf(entry, isOrderly ? undefined : error.code))
  })
}

/** Of a VM that is in no QEMU here any more. */
export const nowhere: GuestChange = { vm: undefined, pid: undefined, pageBytes: undefined }

/** Gives a guest's memory back, and says what has become of it. */
export async function goneFrom(
  { table, log }: AgentContext,
  entry: GuestEntry,
  state: GuestState,
  change: GuestChange,
): Promise<void> {
  const { here } = entry
  // Its end is no failure.
  table.change(entry, state, change)
  try {
    await here?.release()
  } catch (thrown) {
    log.error({ guest: entry.name, ...errorFacts(toGodwitError(thrown)) }, 'not ended as it should')
  }
  table.place(entry, undefined)
}
