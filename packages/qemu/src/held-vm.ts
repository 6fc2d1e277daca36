/**
 * A VM that somebody has hold of for long, between migrations: by its QMP socket alone, so that its
 * end is heard. Nothing of it is mapped and no setting of its QEMU is changed until it is to move.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import { loadFileMemory } from '@godwit/linux'
import { askFacts, ramBytes } from './machine-facts.ts'
import { checkRunning, openRam, QemuFileGuest } from './qemu-guest.ts'
import type { QemuPlace, VmPlace } from './qemu-spec.ts'
import { QmpClient } from './qmp.ts'
import { QemuStreamGuest } from './stream-guest.ts'

/** A VM that is ready to be moved. */
export type AttachedVm = QemuFileGuest | QemuStreamGuest

/** An end that is in no order. */
const panic = 'guest-panic'

/** It goes on when this object is gone. One call after the other. */
export class HeldVm {
  readonly place: VmPlace
  readonly memoryBytes: number
  /** Resolves, with the reason, when its QEMU ends, or cannot be reached any more; else never. */
  readonly failed: Promise<GodwitError>
  readonly #end = Promise.withResolvers<GodwitError>()
  #qmp: Promise<QmpClient> | undefined
  #attached: AttachedVm | undefined
  #shutDownBy: string | undefined

  /**
   * Takes hold of a VM, whether it runs or stands.
   *
   * @throws {GodwitError} `GUEST_FAILED`; `GUEST_OPTION`: no QEMU, or it has another client
   */
  static async hold(place: VmPlace): Promise<HeldVm> {
    const qmp = await QmpClient.connect(place.qmp)
    try {
      return new HeldVm(place, ramBytes(await askFacts(qmp)), Promise.resolve(qmp))
    } catch (thrown) {
      qmp.close()
      throw thrown
    }
  }

  /** Takes hold of a VM that is known to be there; where it is not, it has {@link failed}. */
  static follow(place: VmPlace, memoryBytes: number): HeldVm {
    return new HeldVm(place, memoryBytes, QmpClient.connect(place.qmp))
  }

  private constructor(place: VmPlace, memoryBytes: number, qmp: Promise<QmpClient>) {
    this.place = place
    this.memoryBytes = memoryBytes
    this.failed = this.#end.promise
    this.#watch(qmp)
  }

  /**
   * Of one that has {@link failed}: what QEMU ended for, where it did so in order, by its guest or
   * as it was told to (`guest-shutdown`, `host-qmp-quit`).
   */
  get shutDownBy(): string | undefined {
    return this.#shutDownBy
  }

  /** Whether QEMU streams its memory, which is kept here once more while it moves. */
  get isStreamed(): boolean {
    return !hasFile(this.place)
  }

  /** As QMP says it: `running`, `paused`, `postmigrate`. @throws {GodwitError} `GUEST_FAILED` */
  async status(): Promise<string> {
    const qmp = await this.#qmp
    const { status = '' } = (await qmp?.execute<{ status?: string }>('query-status')) ?? {}
    return status
  }

  /**
   * Looks whether it can be moved, as far as that can be told without QEMU's doing anything.
   *
   * @throws {GodwitError} `GUEST_OPTION`, `GUEST_FAILED`, `FILE_UNREADABLE`, `USAGE`
   */
  async check(): Promise<void> {
    const qmp = await this.#qmp
    if (qmp === undefined) return
    await checkRunning(qmp)
    const { place } = this
    if (!hasFile(place)) return
    const { ram } = await openRam(await loadFileMemory(), qmp, place.ram)
    ram.close()
  }

  /**
   * Makes ready for a migration; {@link giveBack}, {@link moved} or {@link letGo} follows.
   *
   * @throws {GodwitError} why it cannot be moved; then it is held as before
   */
  async take(): Promise<AttachedVm> {
    // QEMU serves one client at a time.
    await this.#disconnect()
    try {
      const guest = await attach(this.place)
      this.#attached = guest
      void guest.failed.then((error) => this.#end.resolve(error))
      return guest
    } catch (thrown) {
      await this.#connect()
      throw thrown
    }
  }

  /** It goes on here. Never rejects: what is wrong then, {@link failed} tells. */
  async giveBack(): Promise<void> {
    if (this.#attached === undefined) return
    await this.#detach()
    await this.#connect()
  }

  /** It is the other side's for good: its QEMU here ends, unless it is to be kept. */
  async moved(): Promise<void> {
    await this.#attached?.moved()
    await this.letGo()
  }

  /** Lets it alone: it goes on, or stands where it has moved. Idempotent. */
  async letGo(): Promise<void> {
    await this.#disconnect()
    await this.#detach()
  }

  async #connect(): Promise<void> {
    this.#watch(QmpClient.connect(this.place.qmp))
    await this.#qmp?.catch(() => {})
  }

  async #disconnect(): Promise<void> {
    const qmp = this.#qmp
    this.#qmp = undefined
    await qmp?.then(
      (client) => client.close(),
      () => {},
    )
  }

  async #detach(): Promise<void> {
    const guest = this.#attached
    this.#attached = undefined
    await guest?.stop()
  }

  /** Hears of its end, as long as the connection is wanted. */
  #watch(qmp: Promise<QmpClient>): void {
    this.#qmp = qmp
    const ended = (error: GodwitError): void => {
      if (this.#qmp === qmp) this.#end.resolve(error)
    }
    void qmp.then((client) => {
      void client.closed.then((error) => {
        if (client.shutDownBy !== panic) this.#shutDownBy = client.shutDownBy
        ended(error)
      })
    }, ended)
  }
}

function hasFile(place: VmPlace): place is QemuPlace {
  return 'ram' in place
}

function attach(place: VmPlace): Promise<AttachedVm> {
  return hasFile(place) ? QemuFileGuest.attach(place) : QemuStreamGuest.attach(place)
}
