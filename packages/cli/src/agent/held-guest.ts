/**
 * A guest as an agent has it between its migrations.
 *
 * @module
 */
import type { GodwitError, Region } from '@godwit/core'
import type { HeldVm } from '@godwit/qemu'
import type { StartedGuest } from '../guests.ts'

export interface HeldGuest {
  /** Resolves, with the reason, when it dies; else never. */
  readonly failed: Promise<GodwitError>
  /** Its memory, where that is in this process. */
  readonly regions: readonly Region[]
  /** Of one that has {@link failed}: who ended it, where that was in order. */
  readonly shutDownBy?: string | undefined
  /** Makes it ready to be moved. @throws why it cannot be: it goes on as before */
  take(): Promise<StartedGuest>
  /** Its migration is over, and it goes on here. */
  goesOn(): Promise<void>
  /** It is the other side's for good; its release follows. */
  moved(): Promise<void>
}

/** One that is in this process. */
export function heldGuest(guest: StartedGuest): HeldGuest {
  return {
    failed: guest.failed,
    regions: guest.regions,
    take: () => Promise.resolve(guest),
    goesOn: () => Promise.resolve(),
    moved: async () => guest.moved?.(),
  }
}

/** Counts memory; throws `NO_ROOM` where there is not as much. */
export type TakeRoom = (bytes: number) => { release(): void }

/** A VM of QEMU: it is in no process of the agent's. */
export class HeldVmGuest implements HeldGuest {
  readonly failed: Promise<GodwitError>
  readonly regions: readonly Region[] = []
  readonly #vm: HeldVm
  readonly #takeRoom: TakeRoom
  #room: { release(): void } | undefined
  #isEnded = false

  constructor(vm: HeldVm, takeRoom: TakeRoom) {
    this.#vm = vm
    this.#takeRoom = takeRoom
    this.failed = vm.failed
    void vm.failed.then(() => {
      this.#isEnded = true
    })
  }

  /** Whether its QEMU has ended, or is told to. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  get shutDownBy(): string | undefined {
    return this.#vm.shutDownBy
  }

  /** What is streamed is kept in this process as long as it moves. */
  async take(): Promise<StartedGuest> {
    if (this.#vm.isStreamed) this.#room = this.#takeRoom(this.#vm.memoryBytes)
    try {
      return await this.#vm.take()
    } catch (thrown) {
      this.#giveRoom()
      throw thrown
    }
  }

  async goesOn(): Promise<void> {
    await this.#vm.giveBack()
    this.#giveRoom()
  }

  async moved(): Promise<void> {
    this.#isEnded = !this.#vm.place.keeps
    await this.#vm.moved()
    this.#giveRoom()
  }

  /** It goes on, or stands, without this process. Idempotent. */
  async letGo(): Promise<void> {
    await this.#vm.letGo()
    this.#giveRoom()
  }

  #giveRoom(): void {
    this.#room?.release()
    this.#room = undefined
  }
}
