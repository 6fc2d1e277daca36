/**
 * Owner records for as long as the process lives: sources that lost an agent which goes on are
 * answered.
 *
 * @module
 */
import type { OwnerFacts, OwnerLog, OwnerRecord, OwnerStore } from '@godwit/core'
import { LimitError } from '@godwit/core'

/** Each is small; a source that does not come back to ask leaves one. */
const recordsMax = 4096

/** Of one agent. */
export class MemoryOwners implements OwnerStore {
  readonly #records = new Map<string, OwnerRecord>()
  readonly #open = new Set<string>()

  async open(facts: OwnerFacts): Promise<OwnerLog> {
    const { session } = facts
    this.#makeRoom()
    this.#open.add(session)
    return {
      write: async (owned) => {
        this.#records.set(session, { ...facts, ...owned, writtenMs: Date.now() })
      },
      close: async (forget) => {
        this.#open.delete(session)
        if (forget) this.#records.delete(session)
      },
    }
  }

  find(session: string): OwnerRecord | undefined {
    return this.#records.get(session)
  }

  async refuse(session: string): Promise<void> {
    const record = this.#records.get(session)
    if (record !== undefined) this.#records.set(session, { ...record, state: 'refused' })
  }

  /** The oldest of sessions that are over goes: nobody has asked for it. */
  #makeRoom(): void {
    if (this.#records.size < recordsMax) return
    for (const session of this.#records.keys()) {
      if (this.#open.has(session)) continue
      this.#records.delete(session)
      return
    }
    const facts = { limit: 'recordsMax', value: recordsMax + 1, maximum: recordsMax }
    throw new LimitError('LIMIT_EXCEEDED', `There are ${recordsMax} owner records`, facts)
  }
}
