/**
 * What the source has in writing of whose the guest is. Without a store nothing is written, and
 * the order of things is the same.
 *
 * @module
 */
import type { Owned, OwnerLog, OwnerStore } from '@godwit/core'
import { toGodwitError, toHex } from '@godwit/core'
import type { SourceEvent, SourceState } from '@godwit/session'
import { OWNER_EPOCH, TAKEOVER_EPOCH } from '@godwit/session'
import type { SourceOptions } from './options.ts'

const here: Owned = { state: 'owner', epoch: 0, postCopy: false }

/** Of one migration. */
export class Ownership {
  readonly #options: SourceOptions
  readonly #session: Uint8Array
  readonly #store: OwnerStore | undefined
  #log: OwnerLog | undefined

  constructor(options: SourceOptions, session: Uint8Array) {
    this.#options = options
    this.#session = session
    this.#store = options.owners
  }

  /** The guest is here, and is to be moved. Rejects as {@link OwnerStore.open}. */
  async open(): Promise<void> {
    const { guest, dialler } = this.#options
    this.#log = await this.#store?.open({
      session: toHex(this.#session),
      role: 'source',
      guest: guest.identity.kind,
      memoryBytes: guest.regions.reduce((sum, { bytes }) => sum + bytes.length, 0),
      peer: dialler.address,
    })
    await this.#log?.write(here)
  }

  /** The guest is let go: COMMIT may be sent when this says so. Never rejects. */
  async release(postCopy: boolean): Promise<SourceEvent> {
    try {
      await this.#log?.write({ state: 'released', epoch: OWNER_EPOCH, postCopy })
      return { type: 'recorded' }
    } catch (thrown) {
      return { type: 'unrecorded', error: toGodwitError(thrown) }
    }
  }

  /** The guest is here as before; nobody waits for this to be written. */
  keep(): void {
    void this.#log?.write(here).catch(() => {})
  }

  /** The guest is here again, whoever may say what. Rejects as {@link OwnerLog.write}. */
  async takeOver(): Promise<void> {
    await this.#log?.write({ ...here, epoch: TAKEOVER_EPOCH })
  }

  /** The migration is over. Never rejects. */
  async end({ name }: SourceState): Promise<void> {
    // Where it is in doubt what became of the guest, somebody may still want to ask.
    const isKnown = name === 'completed' || name === 'failed' || name === 'taken-over'
    await this.#log?.close(isKnown).catch(() => {})
  }
}
