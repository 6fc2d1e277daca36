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
import type { Seals } from './seals.ts'

const here: Owned = { state: 'owner', epoch: 0, postCopy: false }

/** Of one migration. */
export class Ownership {
  readonly #options: SourceOptions
  readonly #session: Uint8Array
  readonly #seals: Seals | undefined
  readonly #store: OwnerStore | undefined
  #log: OwnerLog | undefined
  #isMoved = false

  /** @param seals - undefined where channels are plain */
  constructor(options: SourceOptions, session: Uint8Array, seals: Seals | undefined) {
    this.#options = options
    this.#session = session
    this.#seals = seals
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
      const root = this.#seals?.root
      const binding = root && { secret: toHex(root) }
      await this.#log?.write({ state: 'released', epoch: OWNER_EPOCH, postCopy, binding })
      return { type: 'recorded' }
    } catch (thrown) {
      return { type: 'unrecorded', error: toGodwitError(thrown) }
    }
  }

  /** The guest is here as before, and goes on whether that can be written or not. Never rejects. */
  async keep(): Promise<SourceEvent> {
    await this.#log?.write(here).catch(() => {})
    return { type: 'kept' }
  }

  /** Once the destination has all of the guest for sure, nobody need ask. Nothing waits for it. */
  heard({ name }: SourceState): void {
    const isThere = name === 'verifying' || name === 'awaiting-final' || name === 'ending'
    if (!isThere || this.#isMoved) return
    this.#isMoved = true
    void this.#log?.write({ state: 'moved', epoch: OWNER_EPOCH, postCopy: false }).catch(() => {})
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
