/**
 * The library case: a program's own memory as a guest, and memory for one that arrives.
 *
 * @module
 */
import type {
  CreatePager,
  DemandPager,
  Guest,
  GuestHost,
  GuestOffer,
  IncomingGuest,
  PageClasses,
  Region,
  ZeroMemory,
} from '@godwit/core'
import { GodwitError, LimitError, formatBytes } from '@godwit/core'
import type { GateMemory, WasmMemory } from '@godwit/memory'
import { GatePager, allocateRegion, regionOf } from '@godwit/memory'

/** `WebAssembly.Memory`, `SharedArrayBuffer`, `ArrayBuffer` or a view; up to 4 GiB each. */
export type MemorySource = WasmMemory | ArrayBufferLike | Uint8Array

/** Kind of a guest that is nothing but memory and a state package. */
export const MEMORY_GUEST = 'memory'

/** What a program says about memory that shall move. */
export interface MemoryGuest {
  /** One or several; they arrive in the same order. */
  readonly memory: MemorySource | readonly MemorySource[]
  /**
   * Stops all stores to the memory; resolved once that is true. Called once, then {@link resume}
   * or nothing.
   */
  pause(): void | Promise<void>
  /** Goes on after a migration that did not happen, also where {@link pause} has rejected. */
  resume(): void
  /** See `Guest.throttle`: takes a share of the time of whoever stores, 0 (none) to below 1. */
  throttle?(share: number): void
  /**
   * Whatever the other side needs beside the memory, 64 MiB at most; taken while paused. It is
   * Godwit's afterwards.
   */
  state?(): Uint8Array | Promise<Uint8Array>
  /** Pages that can be done without; for `select: 'classes'`. */
  readonly classes?: PageClasses
}

/** What a program does with memory that arrives. */
export interface MemoryArrival {
  /** Memory to receive into; allocated (shared `WebAssembly.Memory`) where absent. */
  readonly memory?: MemorySource | readonly MemorySource[]
  /**
   * State has come: prepare, but do not run. It comes from a peer, so check it; throwing refuses
   * the guest, which goes on where it was. Copy what is needed of it later.
   */
  prepare?(state: Uint8Array, regions: readonly Region[]): void | Promise<void>
  /**
   * The guest is yours: run it.
   *
   * @param gate - with `pager: 'gate'`, where a source moves it by post-copy: every thread opens
   *   it (`openGate`) and enters a page before it touches it. Plain values and shared memory
   */
  run?(regions: readonly Region[], gate?: GateMemory): void | Promise<void>
  /**
   * A guest that ran here is to go (`release` of its migration): resolved once nobody stores to its
   * memory any more, which may hold another one then.
   */
  end?(regions: readonly Region[]): void | Promise<void>
}

function regionsOf(memory: MemorySource | readonly MemorySource[]): readonly Region[] {
  const sources: readonly MemorySource[] = Array.isArray(memory) ? memory : [memory]
  return sources.map((source, id) => regionOf(source, { id, name: `memory${id}` }))
}

/** Wraps a program's memory as a guest. Its stores are found by scanning. */
export function memoryGuest(owner: MemoryGuest): Guest {
  let pausing: Promise<void> | undefined
  let isPaused = false
  const pause = async (): Promise<void> => {
    await owner.pause()
    isPaused = true
  }
  return {
    identity: { kind: MEMORY_GUEST, options: {} },
    regions: regionsOf(owner.memory),
    // Programs are asked once: many of them answer only once.
    pause: () => (pausing ??= pause()),
    resume() {
      if (pausing === undefined) return
      pausing = undefined
      isPaused = false
      owner.resume()
    },
    ...(owner.throttle === undefined ? {} : { throttle: (share) => owner.throttle!(share) }),
    async captureState() {
      if (!isPaused) throw new Error('a running guest has no state to capture')
      return (await owner.state?.()) ?? new Uint8Array(0)
    },
    ...(owner.classes === undefined ? {} : { classes: owner.classes }),
  }
}

/** Takes in guests of {@link memoryGuest}, up to `bytesMax` in all; memory it was given, once. */
export class MemoryHost implements GuestHost {
  readonly #arrival: MemoryArrival
  readonly #bytesMax: number
  readonly #createPager: CreatePager | undefined
  #heldBytes = 0
  /** The program's own memory holds a guest, or one is arriving in it. */
  #isTaken = false

  /** @param createPager - for guests that are to run before all of their pages are here */
  constructor(arrival: MemoryArrival, bytesMax: number, createPager?: CreatePager) {
    this.#createPager = createPager
    this.#arrival = arrival
    this.#bytesMax = bytesMax
  }

  async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingGuest> {
    const { kind, options } = offer.identity
    if (kind !== MEMORY_GUEST) {
      throw new GodwitError(
        'GUEST_UNKNOWN',
        `This program takes plain memory, not "${kind}" guests`,
      )
    }
    const [option] = Object.keys(options)
    if (option !== undefined) {
      throw new GodwitError('GUEST_OPTION', `Plain memory has no option "${option}"`)
    }
    const arrival = this.#arrival
    const isOwn = arrival.memory !== undefined
    const regions = isOwn ? this.#take(offer) : this.#allocate(offer)
    let pager: DemandPager | undefined
    let isRunning = false
    const discard = async (): Promise<void> => {
      pager?.abandon()
      if (isRunning) await arrival.end?.(regions)
      if (isOwn) this.#isTaken = false
      else this.#heldBytes -= bytesOf(offer)
    }
    try {
      if (offer.isPostCopy === true) pager = this.#createPager?.(regions, offer.pageBytes)
      // What a pager is to watch is given back to the kernel again, in the pause.
      await zero(isOwn || pager?.forgets !== true ? regions : [], !isOwn)
    } catch (thrown) {
      await discard()
      throw thrown
    }
    return {
      regions,
      pager,
      restoreState: (state) => arrival.prepare?.(state, regions),
      run() {
        isRunning = true
        return arrival.run?.(regions, pager instanceof GatePager ? pager.memory : undefined)
      },
      discard,
    }
  }

  #allocate(offer: GuestOffer): readonly Region[] {
    const bytes = bytesOf(offer)
    const free = this.#bytesMax - this.#heldBytes
    if (bytes > free) throw noRoom(bytes, free)
    const regions = offer.regions.map((region) => allocateRegion(region))
    this.#heldBytes += bytes
    return regions
  }

  /** Memory that the program brought must have exactly the shape that is offered. */
  #take(offer: GuestOffer): readonly Region[] {
    const regions = regionsOf(this.#arrival.memory!)
    const offered = offer.regions.map((region) => region.byteLength)
    const own = regions.map((region) => region.bytes.length)
    if (offered.join() !== own.join()) {
      const text = `Offered: regions of ${offered.join(', ')} bytes; here: ${own.join(', ')}`
      throw new GodwitError('GUEST_OPTION', text)
    }
    if (this.#isTaken) {
      const facts = { limit: 'guests', value: 2, maximum: 1 }
      throw new LimitError('NO_ROOM', 'The memory of this program holds a guest already', facts)
    }
    this.#isTaken = true
    return regions.map((region, index) => ({ ...region, id: offer.regions[index]!.id }))
  }
}

function bytesOf(offer: GuestOffer): number {
  return offer.regions.reduce((sum, region) => sum + region.byteLength, 0)
}

function noRoom(bytes: number, bytesMax: number): LimitError {
  const lacking = formatBytes(bytes - bytesMax)
  const text = `${formatBytes(bytes)} asked, ${formatBytes(bytesMax)} free: ${lacking} are lacking`
  return new LimitError('NO_ROOM', text, {
    limit: 'memoryBytesMax',
    value: bytes,
    maximum: bytesMax,
  })
}
