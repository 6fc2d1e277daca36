/**
 * Guests on their way out of an agent, and how their migrations ended.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { GodwitError } from '@godwit/core'
import { checkDestination, checkRules } from 'godwit'
import { ExitCode as Exit, exitCodeOf } from '../exit-code.ts'
import type { AgentContext } from './context.ts'
import { hookFactsOf } from './context.ts'
import type { DepartureSettings } from './departure.ts'
import { Departure } from './departure.ts'
import type { GuestEntry, GuestState } from './guest-table.ts'
import { goneFrom, nowhere } from './guest-here.ts'
import { staticFacts } from './log.ts'

/** Reports are kept for clients that wait for them. */
const endedMax = 32

/** What becomes of a guest here, by how its migration ended. */
const stateAfter: Readonly<Record<number, GuestState>> = {
  [Exit.Done]: 'left',
  [Exit.Unverified]: 'kept',
  [Exit.InDoubt]: 'in-doubt',
  [Exit.Stranded]: 'stranded',
  [Exit.LostWithHost]: 'lost',
}

export class Departures {
  readonly #context: AgentContext
  readonly #going = new Map<GuestEntry, Departure>()
  readonly #ended = new Map<string, Departure>()
  #count = 0

  constructor(context: AgentContext) {
    this.#context = context
  }

  /** Those that go on. */
  get going(): readonly Departure[] {
    return [...this.#going.values()]
  }

  /** That of a guest which is on its way, or undefined. */
  of(entry: GuestEntry): Departure | undefined {
    return this.#going.get(entry)
  }

  /** One that goes on, or has ended not long ago. @throws {GodwitError} `USAGE` */
  find(id: string | undefined): Departure {
    const going = this.going.find((one) => one.id === id)
    const found = going ?? this.#ended.get(id ?? '')
    if (found !== undefined) return found
    throw new GodwitError('USAGE', `No migration "${id}" is known here any more`)
  }

  /**
   * Looks whether a guest can be sent on its way.
   *
   * @throws {GodwitError} `USAGE`, `TOO_LATE`, `ADDRESS_INVALID`, `INSECURE_ADDRESS`
   */
  check(entry: GuestEntry, { to }: Pick<DepartureSettings, 'to'>): void {
    const { security, insecure } = this.#context
    if (entry.state !== 'running' || entry.here?.guest === undefined) throw notToGo(entry)
    checkDestination(to, { security, insecure })
  }

  /**
   * Sends a guest on its way.
   *
   * @throws {GodwitError} as {@link check}; `FILE_UNWRITABLE`
   */
  begin(entry: GuestEntry, settings: DepartureSettings): Departure {
    const { table } = this.#context
    this.check(entry, settings)
    checkRules(settings)
    const { guest, pageBytes } = entry.here!
    // Now, when nothing is wrong that would leave it empty.
    const capture = settings.openCapture?.()
    const departure = new Departure(this.#context, `${++this.#count}`, entry, settings, capture)
    this.#going.set(entry, departure)
    const fresh = { peer: settings.to, session: undefined, role: 'source' } as const
    table.change(entry, 'leaving', fresh)
    void departure.run(guest!, pageBytes).then((report) => this.#end(departure, report))
    return departure
  }

  async #end(departure: Departure, report: Report): Promise<void> {
    const { table, log, hooks, metrics } = this.#context
    const { entry, id } = departure
    const { outcome, error, downtimeMs, totalMs, wireBytes } = report
    metrics.count(report)
    const state = await this.#stateAfter(entry, report)
    const reason = error === undefined ? undefined : `${error.code}: ${error.text}`
    const facts = { guest: entry.name, session: entry.session, peer: entry.peer, state }
    const why = error === undefined ? {} : { code: error.code, error: error.text }
    const times = { downtimeMs: rounded(downtimeMs), totalMs: rounded(totalMs) }
    const line = { ...facts, outcome, ...why, ...times, wireBytes, ...staticFacts(report) }
    log[error === undefined ? 'info' : 'warn'](line, 'migration ended')
    this.#going.delete(entry)
    this.#ended.set(id, departure)
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > endedMax) this.#ended.delete(oldest!)
    if (state === 'running') hooks.tell('failed', hookFactsOf(entry, error?.code))
    // What is in doubt, or may be wanted, stays until somebody says otherwise.
    const isGone = state === 'left' || state === 'failed'
    if (isGone) await goneFrom(this.#context, entry, state, { reason, ...nowhere })
    else table.change(entry, state, { reason })
    if (state === 'left') hooks.tell('left', hookFactsOf(entry))
    departure.end(report)
  }

  /** What becomes of the guest here, which is told that its migration is over. */
  async #stateAfter(entry: GuestEntry, report: Report): Promise<GuestState> {
    const state = stateAfter[exitCodeOf(report)]
    if (state === 'left') await entry.here?.guest?.moved()
    if (state !== undefined) return state
    await entry.here?.guest?.goesOn()
    return entry.here?.died === undefined ? 'running' : 'failed'
  }
}

/** To microseconds: a log is for people, too. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1e3) / 1e3
}

function notToGo({ name, state, here }: GuestEntry): GodwitError {
  if (state === 'running' && here?.guest === undefined) {
    return new GodwitError('TOO_LATE', `Guest "${name}" is not whole here yet; try again soon`)
  }
  const text = `Guest "${name}" is not running here (${state})`
  return new GodwitError(state === 'leaving' ? 'TOO_LATE' : 'USAGE', text)
}
