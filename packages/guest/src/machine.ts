/**
 * A workload with its memory, registers and threads: what the guest at the source and the guest
 * that arrives have in common.
 *
 * @module
 */
import type { CreatePager, DemandPager, GuestIdentity, Region } from '@godwit/core'
import { pagesCovering } from '@godwit/core'
import { GatePager } from '@godwit/memory'
import {
  allocateControlBlock,
  allRegisters,
  Command,
  type Registers,
  seedRegisters,
  STEPS,
} from './control-block.ts'
import { Crew } from './crew.ts'
import type { Drop } from './cache-classes.ts'
import { NetworkCard } from './network-card.ts'
import { decodeState, encodeState } from './state-package.ts'
import { cursorLimitOf, threadCountOf } from './workload.ts'
import type { MemoryPreparation } from './worker-job.ts'
import type { WorkloadMemory } from './workload-memory.ts'

/** What to build a machine from. */
export interface MachineParts {
  /** Complete: see `completeGuest`. */
  readonly identity: GuestIdentity
  /** Shared memory, starting at a multiple of 4 bytes; in order. */
  readonly regions: readonly Region[]
  readonly pageBytes: number
  /** Whether stores are marked in byte maps. */
  readonly barrier: boolean
  /** Whether threads wait for pages that are still to come; see {@link Machine.pager}. */
  readonly pager?: 'gate' | CreatePager | undefined
  /** What the first thread does with memory before it parks. */
  readonly prepare: MemoryPreparation
  /** See {@link WorkerJob.replay}; then only one thread is started. */
  readonly replay?: readonly number[]
  /** See {@link WorkerJob.drops}. */
  readonly drops?: readonly Drop[]
}

/** A guest's memory, registers and threads. Starts parked; see {@link ready}. */
export class Machine {
  readonly identity: GuestIdentity
  readonly pageBytes: number
  /** Emptied by {@link release}. */
  regions: readonly Region[]
  /** Byte maps, one per region, in order; undefined without a barrier. */
  readonly maps: readonly Uint8Array[] | undefined
  /** All pages are there at first. */
  readonly pager: DemandPager | undefined
  readonly crew: Crew
  /** As threads see it. */
  readonly memory: WorkloadMemory
  readonly #registers: readonly Registers[]
  readonly #cursorLimits: readonly number[]
  readonly #card: NetworkCard | undefined
  #parked = true

  constructor(parts: MachineParts) {
    const { identity, pageBytes, regions } = parts
    const threadCount = threadCountOf(identity)
    const control = allocateControlBlock(threadCount)
    this.identity = identity
    this.pageBytes = pageBytes
    this.regions = regions
    this.#registers = allRegisters(control)
    this.#registers.forEach((registers, thread) => {
      seedRegisters(registers, Number(identity.options['seed'] ?? 1), thread)
    })
    const bytes = regions.map((region) => region.bytes)
    const regionBytes = bytes.map((region) => region.byteLength)
    this.#cursorLimits = this.#registers.map((_, thread) =>
      cursorLimitOf(identity, regionBytes, thread),
    )
    this.maps = parts.barrier ? allocateMaps(regionBytes, pageBytes) : undefined
    const pageCounts = regionBytes.map((length) => pagesCovering(length, pageBytes))
    const gated = parts.pager === 'gate' ? new GatePager(pageCounts) : undefined
    this.pager = typeof parts.pager === 'function' ? parts.pager(regions, pageBytes) : gated
    const gate = gated?.memory
    const { prepare, replay, drops = [] } = parts
    // A replay makes its stream itself: it tells what must have come.
    const hasCard = identity.kind === 'network' && replay === undefined
    this.#card = hasCard ? new NetworkCard(identity) : undefined
    const receive = this.#card?.queue.memory
    const memory = { regions: bytes, maps: this.maps, pageBytes, gate, receive }
    this.memory = memory
    const started = replay === undefined ? threadCount : 1
    this.crew = new Crew(
      Array.from({ length: started }, (_, thread) => ({
        identity,
        memory,
        control,
        thread,
        prepare: thread === 0 ? prepare : ('none' as const),
        ...(replay === undefined ? {} : { replay, drops }),
      })),
    )
    // Threads that wait for pages see no command: they are not to wait for a guest that is dead.
    void this.crew.failed.then(() => this.pager?.abandon())
    void this.#card?.failed.then((error) => this.crew.fail(error))
  }

  /** Resolves when memory is prepared and every thread is parked; ends them when that fails. */
  async ready(): Promise<void> {
    try {
      await Promise.all([this.crew.obeyed(), this.#card?.ready])
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Steps of all threads together; while they run, at some moment just past. */
  get steps(): number {
    return this.#registers.reduce((sum, registers) => sum + registers.counts[STEPS]!, 0)
  }

  /** Stops all stores; resolved once that is true. */
  async pause(): Promise<void> {
    this.crew.command(Command.Park)
    await this.crew.obeyed()
    this.#parked = true
  }

  /** Lets the threads go on; they do so a moment later. */
  run(): void {
    this.#parked = false
    this.#card?.begin(this.steps)
    this.crew.command(Command.Run)
  }

  /** The registers as a package of its own memory. Only while parked. */
  capture(): Uint8Array {
    if (!this.#parked) throw new Error('a running guest has no state to capture')
    return encodeState(this.#registers)
  }

  /** Loads a package. Only while parked. @throws {ProtocolError} `PROTOCOL_STATE` */
  restore(state: Uint8Array): void {
    if (!this.#parked) throw new Error('a running guest cannot be restored')
    decodeState(state, this.#registers, this.#cursorLimits)
    this.#card?.reset()
  }

  /** Ends the threads, those that wait for pages, too; resolved once they are gone. */
  async stop(): Promise<void> {
    this.pager?.abandon()
    await Promise.all([this.crew.stop(), this.#card?.stop()])
  }

  /** Ends the threads and lets go of the memory. */
  async release(): Promise<void> {
    await this.stop()
    this.regions = []
  }
}

function allocateMaps(regionBytes: readonly number[], pageBytes: number): Uint8Array[] {
  return regionBytes.map(
    (bytes) => new Uint8Array(new SharedArrayBuffer(pagesCovering(bytes, pageBytes))),
  )
}
