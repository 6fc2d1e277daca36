/**
 * What the agent counts, for Prometheus.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { GuestEntry } from './guest-table.ts'
import { GUEST_STATES } from './guest-table.ts'

/** From a pause that nobody notices to one that everybody does. */
const pauseSeconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]
const totalSeconds = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000]

/** What is asked when somebody looks. */
export interface MetricsSources {
  readonly guests: () => readonly GuestEntry[]
  readonly freeBytes: () => number
  /** Migrations from here, by the guest's name. */
  readonly leaving: () => readonly (readonly [name: string, progress: LeavingProgress])[]
}

export interface LeavingProgress {
  readonly round: number
  readonly dirtyRate: number | undefined
  readonly bandwidth: number
}

export class Metrics {
  readonly registry: Registry = new Registry()
  readonly #migrations: Counter<'role' | 'outcome'>
  readonly #errors: Counter<'role' | 'code'>
  readonly #wireBytes: Counter<'role'>
  readonly #pages: Counter<'role' | 'encoding'>
  readonly #rounds: Counter<'role'>
  readonly #pause: Histogram
  readonly #total: Histogram
  readonly #hooks: Counter<'stage' | 'outcome'>

  constructor(sources: MetricsSources) {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry })
    const counter = <Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[],
    ): Counter<Label> => {
      return new Counter({ name: `godwit_${name}`, help, labelNames: [...labelNames], registers })
    }
    this.#migrations = counter('migrations_total', 'Migrations that are over', ['role', 'outcome'])
    this.#errors = counter('migration_errors_total', 'Their errors', ['role', 'code'])
    this.#wireBytes = counter('wire_bytes_total', 'Bytes sent and received by them', ['role'])
    this.#pages = counter('pages_total', 'Pages, by what went for them', ['role', 'encoding'])
    this.#rounds = counter('rounds_total', 'Rounds of pages', ['role'])
    this.#hooks = counter('hooks_total', 'Hooks that were run', ['stage', 'outcome'])
    this.#pause = new Histogram({
      name: 'godwit_downtime_seconds',
      help: 'How long guests that left stood still: pause request to running there',
      buckets: pauseSeconds,
      registers,
    })
    this.#total = new Histogram({
      name: 'godwit_migration_seconds',
      help: 'First round to running there, of guests that left',
      buckets: totalSeconds,
      registers,
    })
    addGauges(this.registry, sources)
  }

  /** A migration is over, here. */
  count({ role, outcome, error, wireBytes, pages, rounds, downtimeMs, totalMs }: Report): void {
    this.#migrations.inc({ role, outcome })
    if (error !== undefined) this.#errors.inc({ role, code: error.code })
    this.#wireBytes.inc({ role }, wireBytes)
    this.#rounds.inc({ role }, rounds.length)
    for (const [encoding, count] of Object.entries(pages ?? {})) {
      this.#pages.inc({ role, encoding }, count)
    }
    if (role !== 'source' || outcome !== 'completed') return
    if (downtimeMs !== undefined) this.#pause.observe(downtimeMs / 1e3)
    if (totalMs !== undefined) this.#total.observe(totalMs / 1e3)
  }

  hook(stage: string, isDone: boolean): void {
    this.#hooks.inc({ stage, outcome: isDone ? 'done' : 'failed' })
  }
}

function addGauges(registry: Registry, { guests, freeBytes, leaving }: MetricsSources): void {
  const registers = [registry]
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void => {
    const made: Gauge = new Gauge({
      name: `godwit_${name}`,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        made.reset()
        collect((labels, value) => made.set(labels, value))
      },
    })
  }
  gauge('guests', 'Guests that the agent knows', ['state'], (set) => {
    const states = guests().map((entry) => entry.state)
    for (const state of GUEST_STATES) {
      set({ state }, states.filter((one) => one === state).length)
    }
  })
  gauge('guest_memory_bytes', 'Memory of guests that are here', [], (set) => {
    const here = guests().filter((entry) => entry.here !== undefined)
    set(
      {},
      here.reduce((sum, entry) => sum + entry.memoryBytes, 0),
    )
  })
  gauge('free_memory_bytes', 'Room for more guests', [], (set) => set({}, freeBytes()))
  gauge('migration_round', 'Round of a migration that goes on', ['guest'], (set) => {
    for (const [guest, { round }] of leaving()) set({ guest }, round)
  })
  gauge('migration_dirty_bytes_per_second', 'Of its last round', ['guest'], (set) => {
    for (const [guest, { dirtyRate }] of leaving()) {
      if (dirtyRate !== undefined) set({ guest }, dirtyRate)
    }
  })
  gauge('migration_bytes_per_second', 'What its link carried then', ['guest'], (set) => {
    for (const [guest, { bandwidth }] of leaving()) set({ guest }, bandwidth)
  })
}
