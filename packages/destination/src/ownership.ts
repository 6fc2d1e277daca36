/**
 * What the destination has in writing of whose the guest is, of one migration.
 *
 * @module
 */
import type { DestinationOwnership, OwnerLog, OwnerStore } from '@godwit/core'
import { toGodwitError } from '@godwit/core'
import type { DestinationEvent } from '@godwit/session'
import { OWNER_EPOCH } from '@godwit/session'

/** Of one migration. */
export class Ownership {
  readonly #store: OwnerStore
  readonly #session: string
  #log: OwnerLog | undefined
  #postCopy = false
  #mayBeAsked = false

  constructor(store: OwnerStore, session: string) {
    this.#store = store
    this.#session = session
  }

  /**
   * Room is to be made for a guest: so it is for all that may be written of it. Rejects as
   * {@link OwnerStore.open}.
   */
  async open(guest: string, memoryBytes: number, peer: string): Promise<void> {
    const session = this.#session
    this.#log = await this.#store.open({ session, role: 'destination', guest, memoryBytes, peer })
    await this.#write('reserved')
  }

  /** @returns what became of it. Never rejects */
  async record(
    state: 'prepared' | 'owner' | 'refused',
    postCopy: boolean,
  ): Promise<DestinationEvent> {
    if (state === 'prepared') this.#postCopy = postCopy
    try {
      await this.#write(state)
      return { type: 'recorded' }
    } catch (thrown) {
      return { type: 'unrecorded', error: toGodwitError(thrown) }
    }
  }

  /** A guest that was this side's is not here any more. Never rejects. @param isKnown - by both */
  async ended(isKnown: boolean): Promise<void> {
    await this.#write('ended').catch(() => {})
    await this.close(isKnown)
  }

  /** The session is over. Never rejects. @param forget - nobody will ask */
  async close(forget: boolean = !this.#mayBeAsked): Promise<void> {
    const log = this.#log
    this.#log = undefined
    await log?.close(forget).catch(() => {})
  }

  async #write(state: DestinationOwnership): Promise<void> {
    const epoch = state === 'reserved' ? 0 : OWNER_EPOCH
    // It may be durable even where this is told to have failed.
    if (state !== 'reserved') this.#mayBeAsked = true
    await this.#log?.write({ state, epoch, postCopy: this.#postCopy })
  }
}
