/**
 * Owner records of sessions whose channels are sealed: whoever asks later must prove that he is of
 * the session, to a process that was started since, too.
 *
 * @module
 */
import type { OwnerFacts, OwnerLog, OwnerRecord, OwnerStore } from '@godwit/core'
import type { Seals } from './seals.ts'

/** Of one agent. */
export class SealedOwners implements OwnerStore {
  readonly #inner: OwnerStore
  readonly #seals: Seals

  constructor(inner: OwnerStore, seals: Seals) {
    this.#inner = inner
    this.#seals = seals
  }

  async open(facts: OwnerFacts): Promise<OwnerLog> {
    const log = await this.#inner.open(facts)
    const binding = this.#seals.bindingOf(facts.session)
    return {
      write: (owned) => log.write({ ...owned, binding }),
      close: (forget) => log.close(forget),
    }
  }

  find(session: string, role: OwnerFacts['role']): OwnerRecord | undefined {
    return this.#inner.find(session, role)
  }

  refuse(session: string): Promise<void> {
    return this.#inner.refuse(session)
  }
}
