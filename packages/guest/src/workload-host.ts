/**
 * Room for arriving workloads. Everything in an offer comes from a peer and is checked.
 *
 * @module
 */
import {
  type CreatePager,
  type DemandPager,
  type DirtyTracker,
  type FinalState,
  formatBytes,
  type GuestHost,
  type GuestIdentity,
  type GuestOffer,
  type IncomingGuest,
  isPageBytes,
  LimitError,
  MIB,
  ProtocolError,
  type Region,
  type RegionShape,
  type ZeroMemory,
} from '@godwit/core'
import { allocateRegion, REGION_BYTES_MAX } from '@godwit/memory'
import { completeGuest } from './guest-spec.ts'
import { memoryBytesOf } from './layout.ts'
import { Machine } from './machine.ts'
import { barrierTrackers, WorkloadGuest } from './workload-guest.ts'

/** Left to the rest of the process: staging, byte maps, fingerprints of both ends. */
const keptFreeBytes: number = 256 * MIB
/** Each region costs address space far beyond its size; 1024 of 4 GiB are 4 TiB of memory. */
const regionCountMax = 1024
const regionIdMax = 65535

/** What a host may use. */
export interface WorkloadHostOptions {
  /** Memory for all its guests together; default: what the system has left, less 256 MiB. */
  readonly memoryBytesMax?: number
  /** Pages guests that are offered for post-copy; by default they wait by themselves. */
  readonly createPager?: CreatePager | undefined
}

function refuse(text: string): never {
  throw new ProtocolError('PROTOCOL_STATE', `The offered guest is not right: ${text}`)
}

function checkRegions(regions: readonly RegionShape[]): void {
  if (regions.length === 0) refuse('it has no memory')
  if (regions.length > regionCountMax) {
    throw new LimitError(
      'LIMIT_EXCEEDED',
      `The offered guest has ${regions.length} regions; at most ${regionCountMax} are accepted`,
      { limit: 'regionCountMax', value: regions.length, maximum: regionCountMax },
    )
  }
  const ids = new Set<number>()
  for (const { id, byteLength } of regions) {
    if (!Number.isInteger(id) || id < 0 || id > regionIdMax) refuse(`a region has the id ${id}`)
    if (ids.has(id)) refuse(`two regions have the id ${id}`)
    ids.add(id)
    if (!Number.isInteger(byteLength) || byteLength < 1 || byteLength > REGION_BYTES_MAX) {
      refuse(`region ${id} has ${byteLength} bytes`)
    }
  }
}

function checkOffer(offer: GuestOffer): GuestIdentity {
  if (!isPageBytes(offer.pageBytes)) {
    throw new ProtocolError('PAGE_SIZE_MISMATCH', `${offer.pageBytes} is not a page size`)
  }
  checkRegions(offer.regions)
  return completeGuest(
    offer.identity,
    offer.regions.map((region) => region.byteLength),
  )
}

/** A workload that arrives: memory reserved, threads parked. */
export class IncomingWorkload implements IncomingGuest {
  readonly trackers: readonly DirtyTracker[]
  readonly #machine: Machine
  /** Settles when no checkpoint is being taken. */
  #checkpoint: Promise<unknown> = Promise.resolve()
  #isStopped = false

  constructor(machine: Machine) {
    this.#machine = machine
    this.trackers = barrierTrackers(machine)
  }

  /** Empty after {@link discard}. */
  get regions(): readonly Region[] {
    return this.#machine.regions
  }

  /** For a guest that was offered for post-copy. */
  get pager(): DemandPager | undefined {
    return this.#machine.pager
  }

  /** @throws {ProtocolError} `PROTOCOL_STATE`; then nothing was loaded */
  restoreState(state: Uint8Array): void {
    this.#machine.restore(state)
  }

  /** Starts the guest; resolves when its threads run. @throws {GodwitError} `GUEST_FAILED` */
  async run(): Promise<void> {
    this.#machine.run()
    await this.#machine.crew.obeyed()
  }

  async discard(): Promise<void> {
    await this.#machine.release()
  }

  checkpoint(copy: (state: Uint8Array) => void, signal: AbortSignal): Promise<boolean> {
    const taken = this.#takeCheckpoint(copy, signal)
    this.#checkpoint = taken.catch(() => {})
    return taken
  }

  async #takeCheckpoint(copy: (state: Uint8Array) => void, signal: AbortSignal): Promise<boolean> {
    if (this.#isStopped || signal.aborted) return false
    const machine = this.#machine
    // Some threads may wait for pages for ever: they are not to hold up the others.
    const goOn = (): void => machine.run()
    signal.addEventListener('abort', goOn, { once: true })
    try {
      await machine.pause()
      if (signal.aborted) return false
      copy(machine.capture())
      return true
    } finally {
      signal.removeEventListener('abort', goOn)
      machine.run()
    }
  }

  /** Stops all steps; `registers` is the same package that a source captures. */
  async stop(): Promise<FinalState> {
    this.#isStopped = true
    await this.#checkpoint
    await this.#machine.pause()
    return { steps: this.#machine.steps, registers: this.#machine.capture() }
  }

  steps(): number {
    return this.#machine.steps
  }

  /** The same guest, to be moved on from here. Whoever has it decides when it stops. */
  asGuest(): WorkloadGuest {
    return new WorkloadGuest(this.#machine)
  }
}

/** Makes room for workloads. */
export class WorkloadHost implements GuestHost {
  readonly #memoryBytesMax: number | undefined
  readonly #createPager: CreatePager | undefined
  /** Bytes of guests that are not gone, and the part of them whose memory is not touched yet. */
  #heldBytes = 0
  #untouchedBytes = 0

  constructor(options: WorkloadHostOptions = {}) {
    this.#memoryBytesMax = options.memoryBytesMax
    this.#createPager = options.createPager
  }

  /** Room for guests that are still to come. */
  get freeBytes(): number {
    const limit = this.#memoryBytesMax
    if (limit !== undefined) return Math.max(0, limit - this.#heldBytes)
    // The system counts memory only once it was touched.
    return Math.max(0, process.availableMemory() - keptFreeBytes - this.#untouchedBytes)
  }

  /**
   * Counts the memory of a guest of another kind among that of workloads: until it is released,
   * and as untouched until it is said to be touched.
   *
   * @throws {LimitError} `NO_ROOM`
   */
  takeRoom(bytes: number): { touched(): void; release(): void } {
    this.#checkRoom(bytes)
    this.#heldBytes += bytes
    this.#untouchedBytes += bytes
    let untouchedBytes = bytes
    const touched = (): void => {
      this.#untouchedBytes -= untouchedBytes
      untouchedBytes = 0
    }
    return {
      touched,
      release: () => {
        touched()
        this.#heldBytes -= bytes
      },
    }
  }

  #checkRoom(bytes: number): void {
    const free = this.freeBytes
    if (bytes <= free) return
    throw new LimitError(
      'NO_ROOM',
      `The guest needs ${formatBytes(bytes)} of memory and ${formatBytes(free)} are free here: ` +
        `${formatBytes(bytes - free)} are lacking`,
      { limit: 'memoryBytesMax', value: bytes, maximum: free },
    )
  }

  /**
   * Allocates the guest's memory and makes it resident, while the guest's threads start and park.
   *
   * @throws {LimitError} `NO_ROOM`, `LIMIT_EXCEEDED`
   * @throws {ProtocolError} `PROTOCOL_STATE`, `PAGE_SIZE_MISMATCH`
   * @throws {GodwitError} `GUEST_UNKNOWN`, `GUEST_OPTION`, and whatever `zero` rejects with
   */
  async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingWorkload> {
    const identity = checkOffer(offer)
    const bytes = memoryBytesOf(offer.regions)
    this.#checkRoom(bytes)
    const regions = offer.regions.map((shape) => allocateRegion(shape))
    const { pageBytes, isPostCopy = false } = offer
    const createPager = isPostCopy ? this.#createPager : undefined
    const pager = createPager ?? (isPostCopy ? ('gate' as const) : undefined)
    const parts = { identity, regions, pageBytes, pager, barrier: true }
    const machine = new Machine({ ...parts, prepare: 'none' })
    this.#heldBytes += bytes
    this.#untouchedBytes += bytes
    // What such a pager is to watch is given back to the kernel again, in the pause.
    const zeroing = zero(createPager === undefined ? regions : [], true)
    const isZeroed = zeroing
      .catch(() => {})
      .then(() => {
        this.#untouchedBytes -= bytes
      })
    // A guest that lost a thread has its memory until nobody stores to it any more.
    void Promise.all([isZeroed, machine.crew.ended]).then(() => {
      this.#heldBytes -= bytes
    })
    try {
      await Promise.all([zeroing, machine.ready()])
    } catch (error) {
      await Promise.all([isZeroed, machine.release()])
      throw error
    }
    return new IncomingWorkload(machine)
  }
}
