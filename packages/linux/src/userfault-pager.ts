/**
 * The pager of Linux: threads of a guest touch memory as they like, and the kernel makes them wait
 * for pages that are still to come.
 *
 * @module
 */
import type { DemandPager, FaultReport, FaultSource, PlacingParts, Region } from '@godwit/core'
import { FaultLog, GodwitError, PageStates, allocateShared } from '@godwit/core'
import { checkPageBytes, pagesCovering } from '@godwit/core'
import type { SystemCalls } from './system-calls.ts'
import { Userfault } from './userfault.ts'
import { createPlacers, type UserfaultPlacer } from './userfault-placer.ts'
import { UserfaultReader } from './userfault-reader.ts'

/** What to page, and with what. */
export interface UserfaultPagerOptions {
  readonly calls: SystemCalls
  /** Shared memory that starts at the border of a kernel page, as that of a trackable region. */
  readonly regions: readonly Region[]
  /** A migration's pages: a multiple of the kernel's. */
  readonly pageBytes: number
  /**
   * Ends the process, by {@link SystemCalls.exit} or a signal, when pages will never come: nothing
   * else ends a thread that waits for one.
   */
  readonly endProcess: () => void
}

/**
 * Whoever hears of faults is on a thread that never touches the guest's memory and waits for nobody
 * who does: no `Atomics.wait`, no console, no message that must be answered. `drain` is called
 * there when {@link UserfaultPager.descriptor} can be read; or there is a `UserfaultReader` on
 * another thread.
 *
 * `faults` counts pages, not threads, and begins when a fault was read: the kernel does not tell
 * when its thread began to wait, nor when it went on.
 */
export class UserfaultPager implements DemandPager {
  readonly name = 'uffd'
  readonly forgets = true
  readonly states: readonly PageStates[]
  readonly placing: PlacingParts
  readonly placers: readonly UserfaultPlacer[]
  readonly #userfault: Userfault
  readonly #reader: UserfaultReader
  readonly #pageBytes: number
  readonly #log = new FaultLog()
  readonly #endProcess: () => void
  #onFault: ((region: number, page: number) => void) | undefined
  #isEnded = false

  /**
   * @throws {GodwitError} `USAGE` with a reason when a region or the page size does not fit,
   *   `INTERNAL` when the kernel refuses
   */
  constructor({ calls, regions, pageBytes, endProcess }: UserfaultPagerOptions) {
    if (checkPageBytes(pageBytes) % calls.kernelPageBytes !== 0) {
      throw new GodwitError(
        'USAGE',
        `pages of ${pageBytes} bytes are smaller than the kernel's, of ${calls.kernelPageBytes}`,
      )
    }
    this.#pageBytes = pageBytes
    this.#endProcess = endProcess
    this.#userfault = new Userfault(calls, regions)
    const { descriptor, ranges } = this.#userfault
    this.states = regions.map(({ bytes }) => {
      return PageStates.shared(pagesCovering(bytes.length, pageBytes))
    })
    const parts = ranges.map(({ region, start, tail }, index) => {
      const { words: states } = this.states[index]!
      const since = new Int32Array(allocateShared(states.byteLength).buffer)
      return { start, byteLength: region.bytes.length, states, since, tail }
    })
    this.placing = { descriptor, pageBytes, log: this.#log.words, regions: parts }
    this.placers = createPlacers(calls, this.placing)
    this.#reader = new UserfaultReader(calls, this.placing)
  }

  /** For `poll`: it can be read when threads wait for pages. */
  get descriptor(): number {
    return this.#userfault.descriptor
  }

  /** See {@link Userfault.servesSystemCalls}. */
  get servesSystemCalls(): boolean {
    return this.#userfault.servesSystemCalls
  }

  get source(): FaultSource {
    return { pager: 'uffd', placing: this.placing }
  }

  get faults(): FaultReport {
    return this.#log.report
  }

  get isComplete(): boolean {
    return this.states.every(({ words }) => words.every((state) => state === 0))
  }

  /** What is discarded before {@link arm} keeps its content until then. */
  discard(region: number, firstPage: number, endPage: number): void {
    this.states[region]!.discard(firstPage, endPage)
    if (this.#userfault.isRegistered) this.#drop(region, firstPage, endPage)
  }

  arm(): void {
    this.#userfault.register()
    this.states.forEach(({ words }, region) => {
      for (let page = 0; page < words.length; page++) {
        if (words[page] === 0) continue
        const first = page
        while (page < words.length && words[page] !== 0) page++
        this.#drop(region, first, page)
      }
    })
  }

  #drop(region: number, firstPage: number, endPage: number): void {
    this.#userfault.drop(region, firstPage * this.#pageBytes, endPage * this.#pageBytes)
  }

  listen(onFault: (region: number, page: number) => void): void {
    this.#onFault = onFault
  }

  /** Tells of all faults there are; those that nobody listens to stay where they are. */
  drain(): void {
    if (this.#onFault !== undefined && !this.#isEnded) this.#reader.drain(this.#onFault)
  }

  /** Whoever places pages or reads faults on another thread must be through. */
  close(): void {
    if (this.#isEnded) return
    if (!this.isComplete) {
      const text = 'Pages are missing: threads that wait for them would go on with zeros'
      throw new GodwitError('INTERNAL', text)
    }
    this.#isEnded = true
    this.#userfault.close()
  }

  /**
   * Ends the process where the guest may be running and pages are missing. There is nothing better:
   * closing would hand zeros to threads that wait, and nothing else can end them.
   */
  abandon(): void {
    if (this.#isEnded) return
    const isHarmless = !this.#userfault.isRegistered || this.isComplete
    this.#isEnded = true
    if (isHarmless) this.#userfault.close()
    else this.#endProcess()
  }
}
