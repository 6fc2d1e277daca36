/**
 * The long-running agent: any number of guests, which are started here, come and go; both roles at
 * once. What it does is asked for by `agent/commands.ts`.
 *
 * @module
 */
import { formatRelease } from '@godwit/catalog'
import { GodwitError, toGodwitError } from '@godwit/core'
import type { WorkloadHost } from '@godwit/guest'
import type { Receiver } from 'godwit'
import { OwnerDirectory, recoverOwned } from 'godwit'
import type { MigrateSettings, RunSettings } from '../guest-options.ts'
import { absoluteGuest, parseGuest, placeOfVm, startGuest } from '../guests.ts'
import type { Arrivals } from './arrivals.ts'
import type { AgentContext } from './context.ts'
import { hookFactsOf, refuseWhileEnding } from './context.ts'
import type { Departure } from './departure.ts'
import type { Departures } from './departures.ts'
import type { GuestChange, GuestEntry } from './guest-table.ts'
import { goneFrom, placeRunning } from './guest-here.ts'
import { heldGuest } from './held-guest.ts'
import { errorFacts } from './log.ts'
import { provide } from './provisions.ts'
import { holdVm, isInQemu, takeUp } from './vms.ts'

export interface AgentParts {
  readonly context: AgentContext
  readonly departures: Departures
  readonly arrivals: Arrivals
  /** Counts the memory of all guests. */
  readonly host: WorkloadHost
  readonly takeRoom: WorkloadHost['takeRoom']
  /** Undefined until it listens. */
  readonly receiver: () => Receiver | undefined
}

export class Agent {
  readonly context: AgentContext
  readonly departures: Departures
  readonly arrivals: Arrivals
  readonly #parts: AgentParts

  constructor(parts: AgentParts) {
    this.context = parts.context
    this.departures = parts.departures
    this.arrivals = parts.arrivals
    this.#parts = parts
  }

  get freeBytes(): number {
    return this.#parts.host.freeBytes
  }

  get address(): string | undefined {
    return this.#parts.receiver()?.address
  }

  /**
   * Starts a guest here, or takes hold of a VM that runs.
   *
   * @param directory - where names of files begin
   * @throws {GodwitError} `TOO_LATE`, `USAGE`, `GUEST_UNKNOWN`, `GUEST_OPTION`, `GUEST_FAILED`,
   *   `FILE_UNREADABLE` {@link LimitError} `NO_ROOM`
   */
  async start(text: string, settings: RunSettings, directory: string): Promise<GuestEntry> {
    refuseWhileEnding(this.context)
    const { log, hooks } = this.context
    const parsed = parseGuest(absoluteGuest(text, directory), settings.memory)
    const place = placeOfVm(parsed)
    const { takeRoom } = this.#parts
    const entry =
      place === undefined
        ? await this.#startHere(parsed, settings)
        : await holdVm(this.context, place, { ...settings, takeRoom, known: releasesOf(settings) })
    const { name: guest, kind, memoryBytes, vm } = entry
    const what = vm === undefined ? 'a guest was started' : 'the agent has hold of a VM'
    log.info({ guest, kind, memoryBytes, vm }, what)
    hooks.tell('started', hookFactsOf(entry))
    return entry
  }

  async #startHere(
    parsed: ReturnType<typeof parseGuest>,
    settings: RunSettings,
  ): Promise<GuestEntry> {
    const { table, log } = this.context
    const { identity, memoryBytes } = parsed
    const { kind } = identity
    const name = settings.name ?? table.freeName(undefined, kind)
    const entry = table.add({ name, kind, memoryBytes }, 'starting', releasesOf(settings))
    try {
      const room = this.#parts.takeRoom(memoryBytes)
      const tell = (text: string): void => log.info({ guest: name }, text)
      const guest = await startGuest(parsed, settings, tell).catch((thrown: unknown) => {
        room.release()
        throw thrown
      })
      room.touched()
      const { pageBytes } = settings
      let isHere = true
      placeRunning(this.context, entry, {
        guest: heldGuest(guest),
        pageBytes,
        steps: () => guest.steps?.(),
        async release() {
          await guest.stop()
          if (isHere) room.release()
          isHere = false
        },
      })
    } catch (thrown) {
      table.remove(entry)
      log.warn({ guest: name, ...errorFacts(toGodwitError(thrown)) }, 'a guest was not started')
      throw thrown
    }
    return entry
  }

  /**
   * Sends a guest on its way. @param directory - where names of files begin
   *
   * @throws {GodwitError} `USAGE`, `TOO_LATE`, `ADDRESS_INVALID`, `INSECURE_ADDRESS`,
   *   `FILE_UNREADABLE`, `FILE_UNWRITABLE`
   */
  async migrate(name: string, asked: MigrateSettings, directory: string): Promise<Departure> {
    const { table, log } = this.context
    const entry = table.find(name)
    this.departures.check(entry, asked)
    const { policy: _policy, static: _static, capture: _capture, ...settings } = asked
    const provisions = await provide(asked, {
      directory,
      entry,
      context: this.context,
      tell: (text) => log.warn({ guest: name }, text),
      onCaptureFailed: (error) => {
        log.warn({ guest: name, ...errorFacts(error) }, 'the capture ends here')
      },
    })
    return this.departures.begin(entry, { ...settings, ...provisions })
  }

  /**
   * Ends a guest that runs here, or drops the copy of one that does not. A VM that was not moved is
   * let go of: it goes on, or stands, without the agent.
   *
   * @returns where that VM is
   * @throws {GodwitError} `TOO_LATE`: it is on its way
   */
  async stop(entry: GuestEntry): Promise<string | undefined> {
    const { table, log, hooks } = this.context
    const { name: guest, state } = entry
    const isOnItsWay = state === 'starting' || state === 'leaving' || state === 'arriving'
    if (isOnItsWay || this.arrivals.of(entry) !== undefined) {
      throw new GodwitError('TOO_LATE', `Guest "${guest}" is on its way; cancel that first`)
    }
    const { here, vm } = entry
    // It runs at its destination: this QEMU is of no use any more.
    if (state === 'kept' && vm !== undefined) await here?.guest?.moved()
    const isLetGo = isInQemu(entry)
    log.info({ guest, state, vm }, isLetGo ? 'a VM is let go of' : 'a guest is stopped')
    await goneFrom(this.context, entry, 'left', {})
    table.remove(entry)
    if (isLetGo) return vm
    if (here !== undefined) hooks.tell('ended', hookFactsOf(entry))
    return undefined
  }

  /** Gives a migration up. @throws {GodwitError} `TOO_LATE` */
  cancel(entry: GuestEntry): void {
    const { name: guest, session, state } = entry
    const departure = this.departures.of(entry)
    if (departure !== undefined) departure.cancel()
    else if (state !== 'arriving' || session === undefined) {
      throw new GodwitError('TOO_LATE', `No migration of guest "${guest}" is going on`)
    } else if (this.#parts.receiver()?.agent.cancel(session) !== 1) {
      throw new GodwitError('TOO_LATE', 'The guest was handed over already; nothing to cancel')
    }
    this.context.log.info({ guest, session }, 'a migration is cancelled')
  }

  /**
   * Asks whose a guest is that an agent before this one had let go.
   *
   * @throws {GodwitError} `TOO_LATE`, and why nobody can tell
   */
  async settle(entry: GuestEntry): Promise<object> {
    const { table, stateDir, security, insecure, log } = this.context
    const { session, name: guest } = entry
    if (entry.state !== 'in-doubt' || entry.here !== undefined || session === undefined) {
      throw new GodwitError('TOO_LATE', `Whose guest "${guest}" is, is not in doubt here`)
    }
    const [found] = await recoverOwned({ stateDir, session, security, insecure })
    if (found === undefined) {
      const { state } = new OwnerDirectory(stateDir).find(session, 'source') ?? {}
      throw new GodwitError('TOO_LATE', `There is no record of it to ask by (${state ?? 'none'})`)
    }
    if (found.answer === undefined) throw found.error ?? new GodwitError('INTERNAL', 'no answer')
    const isThere = found.answer === 'running' || found.answer === 'ended'
    const reason = `the destination said: ${found.answer}`
    // A VM did not die with the agent that had it.
    if (!isThere && entry.vm !== undefined) await takeUp(this.context, entry, this.#parts.takeRoom)
    else table.change(entry, isThere ? 'left' : 'lost', { reason })
    log.info({ guest, session, peer: entry.peer, answer: found.answer }, 'settled')
    return { guest, answer: found.answer, state: entry.state }
  }
}

/** As the table has them. */
function releasesOf({ os, hypervisor }: RunSettings): Pick<GuestChange, 'os' | 'hypervisor'> {
  return {
    ...(os === undefined ? {} : { os: formatRelease(os) }),
    ...(hypervisor === undefined ? {} : { hypervisor: formatRelease(hypervisor) }),
  }
}
