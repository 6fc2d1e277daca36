/**
 * Guests that arrive, in the catalog: from when they run here until they end.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import type { IncomingMigration } from '@godwit/destination'
import type { AgentRegistration, RegisteredGuest } from './agent-registration.ts'

export class Arrivals {
  readonly #registration: () => AgentRegistration | undefined
  /** Sessions that go on, with their guests where these run here already. */
  readonly #sessions = new Map<IncomingMigration, RegisteredGuest | undefined>()
  readonly #entries = new WeakMap<IncomingMigration, RegisteredGuest>()

  constructor(registration: () => AgentRegistration | undefined) {
    this.#registration = registration
  }

  began(migration: IncomingMigration): void {
    this.#sessions.set(migration, undefined)
  }

  /** Registers guests that run here now; asked at every stage of any session. */
  look(): void {
    for (const [migration, entry] of this.#sessions) {
      if (entry === undefined && migration.ownsGuest) this.#register(migration)
    }
  }

  ended(migration: IncomingMigration, { outcome }: Report): void {
    this.look()
    const entry = this.#sessions.get(migration)
    this.#sessions.delete(migration)
    if (outcome === 'failed') entry?.ends()
    void migration.guestStopped?.catch(() => {}).then(() => entry?.ends())
  }

  /** Of a guest that has come. */
  entryOf(migration: IncomingMigration): RegisteredGuest | undefined {
    return this.#entries.get(migration)
  }

  #register(migration: IncomingMigration): void {
    const { report, sessionId: arrival } = migration
    const { guestKind: kind, memoryBytes, pageBytes } = report
    // All of it is known of a guest that runs.
    if (kind === undefined || pageBytes === undefined) return
    const entry = this.#registration()?.guest({ kind, memoryBytes, pageBytes, arrival })
    this.#sessions.set(migration, entry)
    if (entry !== undefined) this.#entries.set(migration, entry)
  }
}
