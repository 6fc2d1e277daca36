/**
 * The guest of one migration at the destination: its room, its start, and the time it has here.
 *
 * @module
 */
import type { FinalState, GuestOffer, IncomingGuest, ZeroMemory } from '@godwit/core'
import { GodwitError, toGodwitError } from '@godwit/core'
import { GuestTime } from './guest-time.ts'
import type { DestinationOptions } from './options.ts'

/** Of one migration. */
export class Arrival {
  /** Reserved, and not given back. */
  guest: IncomingGuest | undefined
  readonly #options: DestinationOptions
  readonly #makeRoom: () => Promise<boolean>
  #time: GuestTime | undefined

  /** @param makeRoom - where there is none: resolves with whether there may be some now */
  constructor(options: DestinationOptions, makeRoom: () => Promise<boolean>) {
    this.#options = options
    this.#makeRoom = makeRoom
  }

  /** @throws {GodwitError} as {@link GuestHost.reserve}; `GUEST_OPTION`: its time has no limit */
  async reserve(offer: GuestOffer, zero: ZeroMemory, agreed: () => void): Promise<IncomingGuest> {
    const { host } = this.#options
    const guest = await host.reserve(offer, zero, agreed).catch(async (thrown: unknown) => {
      const isFull = thrown instanceof GodwitError && thrown.code === 'NO_ROOM'
      if (!isFull || !(await this.#makeRoom())) throw thrown
      return host.reserve(offer, zero, agreed)
    })
    this.guest = guest
    if (this.#options.runForMs !== undefined && guest.stop === undefined) {
      throw new GodwitError('GUEST_OPTION', 'This guest cannot be stopped: its time has no limit')
    }
    return guest
  }

  /**
   * Starts the guest, and its time where that is limited.
   *
   * @param isPostCopy - some of its pages are still to come
   */
  async run(isPostCopy: boolean): Promise<void> {
    const { pager } = this.guest!
    try {
      if (isPostCopy) pager?.arm()
      else pager?.close()
      await this.guest!.run()
    } catch (thrown) {
      // It is this side's, and another connection would not help.
      throw toGuestFailed(thrown)
    }
    const { clock, runForMs } = this.#options
    if (runForMs !== undefined) this.#time = new GuestTime(clock, this.guest!, runForMs)
  }

  /** Resolves when a guest whose time is limited has been stopped. */
  get stopped(): Promise<FinalState> | undefined {
    return this.#time?.stopped
  }

  /** Gives the memory back, whether the guest's time is over or not. */
  async release(): Promise<void> {
    this.#time?.cancel()
    await this.guest?.discard()
  }

  /** The same of a guest that never ran. */
  async discard(): Promise<void> {
    const { guest } = this
    this.guest = undefined
    await guest?.discard()
  }
}

function toGuestFailed(thrown: unknown): GodwitError {
  const { code, message } = toGodwitError(thrown)
  if (code === 'GUEST_FAILED' && thrown instanceof GodwitError) return thrown
  return new GodwitError('GUEST_FAILED', message, { cause: thrown })
}
