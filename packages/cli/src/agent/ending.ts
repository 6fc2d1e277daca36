/**
 * How an agent ends. A guest ends with its process, so the first SIGTERM only says that it is to
 * end: nothing new is taken, guests may be moved away, by themselves with `--evacuate-to`, and the
 * agent ends with the last of them. A second signal, or `--stop-guests`, does not wait for them.
 * VMs have processes of their own: they go on, and are waited for only where they are to move.
 *
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Receiver } from 'godwit'
import { ExitCode as Exit, exitCodeOf } from '../exit-code.ts'
import { readLine } from '../command-line.ts'
import type { MigrateSettings } from '../guest-options.ts'
import { addMigrateOptions } from '../guest-options.ts'
import type { Agent } from './agent.ts'
import { hookFactsOf } from './context.ts'
import { goneFrom } from './guest-here.ts'
import type { GuestEntry, GuestState } from './guest-table.ts'
import { goesOnAlone } from './vms.ts'

/** What was not taken may be taken a little later. */
const evacuateAgainMs = 5000
/** An agent that was told to end does not wait longer for hooks and sessions. */
const lastMs = 5000

export interface EndingSettings {
  readonly stopGuests?: boolean
  readonly evacuateTo?: string
}

/** The first and the second signal that ask the agent to end. */
export interface EndSignals {
  readonly first: Promise<NodeJS.Signals>
  readonly second: Promise<void>
  /** Aborted by the second. */
  readonly abort: AbortSignal
  stop(): void
}

/** Listens to SIGINT and SIGTERM until stopped. */
export function listenToEnd(): EndSignals {
  const first = Promise.withResolvers<NodeJS.Signals>()
  const second = Promise.withResolvers<void>()
  const controller = new AbortController()
  let count = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    first.resolve(signal)
    if (++count < 2) return
    second.resolve()
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    first: first.promise,
    second: second.promise,
    abort: controller.signal,
    stop() {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}

/** What there is to end. */
export interface EndingAgent {
  readonly agent: Agent
  readonly receiver: Receiver
  readonly signals: EndSignals
  readonly settings: EndingSettings
}

/** Resolves when no guest is here any more, or nobody is to wait for them. */
export async function drain(ending: EndingAgent): Promise<void> {
  const { agent, receiver, signals, settings } = ending
  const { table, log } = agent.context
  const given = receiver.agent.cancel()
  if (given > 0) log.info({ migrations: given }, 'guests on their way in were sent back')
  const { evacuateTo } = settings
  const isAwaited = (entry: GuestEntry): boolean => evacuateTo !== undefined || !goesOnAlone(entry)
  const names = table.live.filter(isAwaited).map((entry) => entry.name)
  if (names.length === 0 || settings.stopGuests === true) return
  if (evacuateTo === undefined) {
    const how = 'move or stop them (godwit migrate, godwit stop); a second signal ends them'
    log.warn({ guests: names }, `guests are here, and the agent waits for them: ${how}`)
  } else {
    log.info({ guests: names, peer: evacuateTo }, 'moving all guests away')
    void evacuate(ending, evacuateTo)
  }
  await Promise.race([table.settled(isAwaited), signals.second])
}

/** One after another, so that each has the link for itself; again and again. */
async function evacuate({ agent, signals }: EndingAgent, to: string): Promise<void> {
  const { table, log } = agent.context
  while (!signals.abort.aborted && table.live.length > 0) {
    let moved = 0
    for (const entry of table.live) {
      if (signals.abort.aborted || entry.state !== 'running') continue
      try {
        const departure = await agent.migrate(entry.name, evacuation(to), '/')
        const report = await departure.done
        if (exitCodeOf(report) === Exit.Done) moved++
      } catch (thrown) {
        log.warn({ guest: entry.name, error: String(thrown) }, 'not moved away yet')
      }
    }
    if (moved > 0) continue
    await wait(evacuateAgainMs, undefined, { signal: signals.abort }).catch(() => {})
  }
}

/** As `godwit migrate --to` would. */
function evacuation(to: string): MigrateSettings {
  return readLine<MigrateSettings>(addMigrateOptions, ['all', `--to=${to}`]).settings
}

/** What the next agent is to say of a guest. */
function stateAfterEnd(entry: GuestEntry): GuestState {
  const { state } = entry
  if (state === 'running' && goesOnAlone(entry)) return state
  if (state === 'kept' || state === 'stranded') return 'left'
  // Of those on their way the records know more.
  return state === 'in-doubt' || state === 'leaving' || state === 'arriving' ? state : 'lost'
}

/** Ends what is left: guests that are here end with the agent. */
export async function endAll({ agent, receiver }: EndingAgent): Promise<void> {
  const { table, log, hooks } = agent.context
  for (const departure of agent.departures.going) {
    if (departure.migration?.canCancel !== false) departure.cancel()
    else departure.migration.giveUp()
  }
  const last = new AbortController()
  const timeUp = wait(lastMs, undefined, { signal: last.signal }).catch(() => {})
  const gone = Promise.all(agent.departures.going.map(({ done }) => done))
  await Promise.race([gone, timeUp])
  await Promise.race([receiver.close(), timeUp.then(() => receiver.agent.abandon())])
  for (const entry of table.live) {
    const { name: guest, state, session, peer, vm, pid } = entry
    const isAlone = goesOnAlone(entry)
    if (isAlone) log.info({ guest, state, vm, pid }, 'a VM is left to itself')
    else if (vm !== undefined) log.warn({ guest, state, vm, peer }, 'a VM is left in its migration')
    else log.warn({ guest, state, session, peer }, 'a guest ends with the agent')
    const reason = isAlone ? undefined : 'the agent has ended'
    await goneFrom(agent.context, entry, stateAfterEnd(entry), { reason })
    if (state === 'running' && !isAlone) hooks.tell('ended', hookFactsOf(entry))
  }
  await Promise.race([hooks.settled(), timeUp])
  last.abort()
}
