/**
 * A workload as a guest that can be moved away.
 *
 * @module
 */
import {
  checkPageBytes,
  type DirtyTracker,
  type Guest,
  type GodwitError,
  type GuestIdentity,
  PAGE_BYTES_DEFAULT,
  type PageClasses,
  pagesCovering,
  type Region,
} from '@godwit/core'
import { allocateRegion, ByteMapTracker } from '@godwit/memory'
import { CacheClasses } from './cache-classes.ts'
import { completeGuest } from './guest-spec.ts'
import { splitMemory } from './layout.ts'
import { Machine } from './machine.ts'

/** How to start a guest. */
export interface WorkloadGuestOptions {
  /** Default 4096. */
  readonly pageBytes?: number
  /** For tests that want several regions: cuts memory smaller than 4 GiB. */
  readonly regionBytesMax?: number
}

/** Of a machine with byte maps: one per region. */
export function barrierTrackers(machine: Machine): DirtyTracker[] {
  const maps = machine.maps!
  return machine.regions.map((region, i) => {
    const pageCount = pagesCovering(region.bytes.byteLength, machine.pageBytes)
    return new ByteMapTracker({ map: maps[i]!, pageCount })
  })
}

/** A running workload. */
export class WorkloadGuest implements Guest {
  readonly identity: GuestIdentity
  readonly regions: readonly Region[]
  readonly trackers: readonly DirtyTracker[]
  /** Of a `cache` guest. */
  readonly classes?: PageClasses
  /** Resolves, with the reason, when the guest dies; else never. */
  readonly failed: Promise<GodwitError>
  readonly #machine: Machine

  /** @param machine - becomes the guest's; one with byte maps */
  constructor(machine: Machine) {
    this.#machine = machine
    this.identity = machine.identity
    this.regions = machine.regions
    this.failed = machine.crew.failed
    this.trackers = barrierTrackers(machine)
    if (this.identity.kind !== 'cache') return
    this.classes = new CacheClasses(this.identity, machine.memory, () => machine.steps)
  }

  /**
   * Allocates and fills memory (in the guest's thread) and starts the guest.
   *
   * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, `FILE_UNREADABLE`, `GUEST_FAILED`,
   *   `USAGE`
   * @throws {LimitError} `NO_ROOM`
   */
  static async start(
    identity: GuestIdentity,
    memoryBytes: number,
    options: WorkloadGuestOptions = {},
  ): Promise<WorkloadGuest> {
    const pageBytes = checkPageBytes(options.pageBytes ?? PAGE_BYTES_DEFAULT)
    const shapes = splitMemory(memoryBytes, options.regionBytesMax)
    const complete = completeGuest(
      identity,
      shapes.map((shape) => shape.byteLength),
    )
    const regions = shapes.map((shape) => allocateRegion(shape))
    const parts = { identity: complete, regions, pageBytes, barrier: true }
    const machine = new Machine({ ...parts, prepare: 'fill' })
    await machine.ready()
    const guest = new WorkloadGuest(machine)
    guest.resume()
    return guest
  }

  /** Resolves once no thread stores to memory any more. @throws {GodwitError} `GUEST_FAILED` */
  pause(): Promise<void> {
    return this.#machine.pause()
  }

  /** @throws {GodwitError} `GUEST_FAILED` */
  resume(): void {
    this.#machine.run()
  }

  throttle(share: number): void {
    if (!(share >= 0 && share < 1)) throw new Error(`a throttle of ${share}`)
    this.#machine.crew.throttle(share)
  }

  /** The registers of every thread; see `state-package.ts`. Only while paused. */
  captureState(): Uint8Array {
    return this.#machine.capture()
  }

  /** Only while paused. @throws {ProtocolError} `PROTOCOL_STATE`; then nothing was loaded */
  restoreState(state: Uint8Array): void {
    this.#machine.restore(state)
  }

  steps(): number {
    return this.#machine.steps
  }

  /** Ends the guest's threads; its memory stays readable for whoever holds it. */
  stop(): Promise<void> {
    return this.#machine.stop()
  }
}
