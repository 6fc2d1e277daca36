/**
 * One guest on its way out of an agent.
 *
 * @module
 */
import type { GodwitError, Report } from '@godwit/core'
import { CancelledError, REPORT_SCHEMA, toGodwitError } from '@godwit/core'
import type { CaptureFile, Migration, SendOptions, SendStatic, Traffic } from 'godwit'
import { createMigration } from 'godwit'
import { attempt } from '../attempts.ts'
import { CompetingMeter } from '../competing-meter.ts'
import { startCompeting } from '../competing-option.ts'
import type { StartedGuest } from '../guests.ts'
import { proofOf } from '../proof.ts'
import type { TransferSettings } from '../settings.ts'
import type { AgentContext } from './context.ts'
import { hookFactsOf } from './context.ts'
import type { GuestEntry } from './guest-table.ts'
import type { HeldGuest } from './held-guest.ts'
import { hookedGuest } from './hooked-guest.ts'
import { errorFacts } from './log.ts'
import type { Provisions } from './provisions.ts'

/** How a guest is to go. */
export interface DepartureSettings extends TransferSettings, Provisions {
  readonly to: string
  readonly retry: number
}

/** What every attempt has. */
interface Moved {
  readonly guest: StartedGuest
  readonly pageBytes: number
  readonly traffic: Traffic | undefined
  readonly known: SendStatic
}

/** Use once. */
export class Departure {
  readonly id: string
  readonly entry: GuestEntry
  readonly settings: DepartureSettings
  readonly #context: AgentContext
  readonly #capture: CaptureFile | undefined
  readonly #abort = new AbortController()
  /** Of the attempt that goes on. */
  migration: Migration | undefined
  report: Report | undefined
  /** Resolves once all that follows from the report is done, too. */
  readonly done: Promise<Report>
  isOver = false
  readonly #resolveDone: (report: Report) => void

  /** @param capture - of all attempts; closed at the end */
  constructor(
    context: AgentContext,
    id: string,
    entry: GuestEntry,
    settings: DepartureSettings,
    capture: CaptureFile | undefined,
  ) {
    this.#capture = capture
    this.id = id
    this.entry = entry
    this.settings = settings
    this.#context = context
    const { promise, resolve } = Promise.withResolvers<Report>()
    this.done = promise
    this.#resolveDone = resolve
  }

  /** All of it is over. */
  end(report: Report): void {
    this.isOver = true
    this.#resolveDone(report)
  }

  /**
   * The guest goes on here.
   *
   * @throws {GodwitError} `TOO_LATE`
   */
  cancel(): void {
    if (this.migration?.canCancel === false) this.migration.cancel()
    this.#abort.abort()
  }

  /** Resolves with the report, whatever the outcome. */
  async run(held: HeldGuest, pageBytes: number): Promise<Report> {
    const { hooks } = this.#context
    const { signal } = this.#abort
    const { readStatic, retry } = this.settings
    let traffic: Traffic | undefined
    try {
      await hooks.run('before-migrate', hookFactsOf(this.entry))
      if (signal.aborted) throw new CancelledError()
      traffic = await this.#startTraffic()
      const known = (await readStatic?.()) ?? {}
      const guest = await held.take()
      this.report = await attempt(this.settings, {
        retry,
        signal,
        run: (asked) => this.#attempt({ guest, pageBytes, traffic, known }, asked),
        again: (report, isPlain) => this.#again(report, isPlain),
      })
    } catch (thrown) {
      // Nothing was begun.
      this.report = reportOf(toGodwitError(thrown, 'preparation'))
    } finally {
      traffic?.stop()
      this.#capture?.close()
    }
    return this.report
  }

  #startTraffic(): Promise<Traffic | undefined> {
    const { log } = this.#context
    const { name: guest } = this.entry
    return startCompeting(this.settings.traffic, (text) => log.warn({ guest }, text))
  }

  async #attempt(
    { guest, pageBytes, traffic, known }: Moved,
    asked: DepartureSettings,
  ): Promise<Report> {
    const { table, hooks, security, insecure, stateDir, log } = this.#context
    const { entry } = this
    const { signal } = this.#abort
    const { recoverFor } = asked
    const moved = hooks.has('paused')
      ? hookedGuest(guest, () => hooks.run('paused', hookFactsOf(entry)))
      : guest
    const beside = traffic && new CompetingMeter(traffic)
    this.migration = await createMigration(moved, {
      ...asked,
      static: known,
      ...(this.#capture === undefined ? {} : { capture: this.#capture }),
      pageBytes,
      guestName: entry.name,
      security,
      insecure,
      stateDir,
      signal,
      ...(recoverFor === undefined ? {} : { recoverMs: recoverFor }),
      ...this.#listeners(guest, beside),
      ...proofOf(guest),
    })
    const { sessionId: session, trackerReason } = this.migration
    table.change(entry, 'leaving', { peer: asked.to, session, role: 'source' })
    const facts = { guest: entry.name, session, peer: asked.to }
    log.info({ ...facts, mode: asked.mode, preset: asked.preset }, 'migration began')
    if (trackerReason !== undefined) log.debug(facts, trackerReason)
    try {
      const report = await this.migration.run(signal)
      const competing = beside?.read()
      if (competing !== undefined) report.competing = competing
      return report
    } finally {
      this.migration = undefined
    }
  }

  #listeners(
    guest: StartedGuest,
    beside: CompetingMeter | undefined,
  ): Pick<SendOptions, 'onStage' | 'onDecision' | 'onSuspended'> {
    const { hooks, log } = this.#context
    const { entry } = this
    const facts = (): object => ({ guest: entry.name, session: entry.session, peer: entry.peer })
    let last: string | undefined
    return {
      onStage: ({ name, atMs }) => {
        log.debug({ ...facts(), stage: name, ms: Math.round(atMs) }, 'stage')
        beside?.reached(name)
        if (name !== 'activation') return
        guest.handedOver?.()
        hooks.tell('handed-over', hookFactsOf(entry))
      },
      onDecision: ({ round, text }) => log.info({ ...facts(), round }, text),
      onSuspended: (error, loss) => {
        // Once for each reason: there is an attempt every second.
        if (error.code !== last) log.warn({ ...facts(), loss, ...errorFacts(error) }, 'lost')
        last = error.code
      },
    }
  }

  #again({ error }: Report, isPlain: boolean): void {
    const { log } = this.#context
    const { name: guest, session, peer } = this.entry
    const why = error === undefined ? {} : { code: error.code, error: error.text }
    const text = isPlain ? 'the destination cannot do post-copy: without it' : 'trying again'
    log.warn({ guest, session, peer, ...why }, text)
  }
}

/** Of a migration that ended before it began. */
function reportOf({ code, message: text, phase = 'preparation' }: GodwitError): Report {
  return {
    schema: REPORT_SCHEMA,
    role: 'source',
    outcome: code === 'CANCELLED' ? 'cancelled' : 'failed',
    error: { code, text, phase },
    stages: [],
    wireBytes: 0,
    rounds: [],
  }
}
