/**
 * What one case works with: guests and hosts that end with it, and looks at them.
 *
 * @module
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  DirtyTracker,
  GuestHost,
  GuestOffer,
  Guest,
  IncomingGuest,
  Region,
  ZeroMemory,
} from '@godwit/core'
import { GodwitError, PAGE_BYTES_DEFAULT, PageBitmap, pagesCovering } from '@godwit/core'
import { zeroInThreads } from '../zero-memory.ts'
import type { AdapterUnderTest, SuiteGuest, SuiteHost } from './under-test.ts'

export type Cleanup = () => void | Promise<void>

/** How long the suite looks whether something happens that must not. */
const lookMs = 40
/** The same where a thread may have to start first. */
export const longLookMs = 150

/** One thing that is tried; resolves with why there was nothing to try. */
export interface Trial {
  readonly name: string
  readonly promise: string
  readonly play: (stand: Stand) => Promise<string | void>
}

/** A guest that runs, under the eyes of a case. */
export interface Runner extends SuiteGuest {
  readonly progress: () => number
}

/** A host, under the eyes of a case. */
export interface Room extends SuiteHost {
  readonly progress: (guest: IncomingGuest) => number
  /** Reserves as the engine does, and discards with the case. */
  reserve(offer: GuestOffer, zero?: ZeroMemory): Promise<Reserved>
}

export interface Reserved {
  readonly guest: IncomingGuest
  /** Once, now and not with the case. */
  discard(): Promise<void>
}

/** Of one case. */
export class Stand {
  readonly adapter: AdapterUnderTest
  readonly pageBytes: number
  readonly #cleanups: Cleanup[]
  readonly #timeoutMs: number

  constructor(adapter: AdapterUnderTest, cleanups: Cleanup[]) {
    this.adapter = adapter
    this.pageBytes = adapter.pageBytes ?? PAGE_BYTES_DEFAULT
    this.#timeoutMs = adapter.timeoutMs ?? 10_000
    this.#cleanups = cleanups
  }

  onEnd(cleanup: Cleanup): void {
    this.#cleanups.push(cleanup)
  }

  /** A guest that has been seen to run. */
  async start(): Promise<Runner> {
    const started = await this.adapter.startGuest()
    const { guest } = started
    this.onEnd(() => started.end())
    const progress = started.progress ?? guest.steps?.bind(guest)
    assert.ok(progress, 'neither `progress` nor `guest.steps`: the suite cannot see it compute')
    const runner = { guest, progress, end: () => started.end() }
    await this.goesOn(progress, 'it does not run when it was started')
    return runner
  }

  /** A guest that has run, and is paused now. */
  async startPaused(): Promise<Runner> {
    const runner = await this.start()
    await this.within(runner.guest.pause(), 'pause()')
    return runner
  }

  async open(): Promise<Room> {
    const opened = await this.adapter.createHost()
    this.onEnd(() => opened.end?.())
    const steps = (guest: IncomingGuest): number => {
      assert.ok(
        guest.steps !== undefined,
        'neither `progress` of the host nor `steps` of the guest',
      )
      return guest.steps()
    }
    return {
      host: opened.host,
      progress: opened.progress ?? steps,
      reserve: async (offer, zero = zeroInThreads()) => {
        const guest = await this.within(opened.host.reserve(offer, zero), 'reserve()')
        let isHeld = true
        const discard = async (): Promise<void> => {
          if (!isHeld) return
          isHeld = false
          await this.within(guest.discard(), 'discard()')
        }
        this.onEnd(discard)
        return { guest, discard }
      },
    }
  }

  /** @throws {AssertionError} when it takes longer than anything may */
  async within<T>(promise: T | Promise<T>, what: string): Promise<T> {
    const timeout = new AbortController()
    const late = sleep(this.#timeoutMs, 'late' as const, { signal: timeout.signal }).catch(
      () => 'ended' as const,
    )
    try {
      const first = await Promise.race([
        Promise.resolve(promise).then((value) => ({ value })),
        late,
      ])
      if (typeof first === 'object') return first.value
      return assert.fail(`${what} takes more than ${this.#timeoutMs} ms`)
    } finally {
      timeout.abort()
    }
  }

  /** Resolves when a number has grown: the guest has computed something. */
  async goesOn(progress: () => number, text: string, before: number = progress()): Promise<void> {
    const end = performance.now() + this.#timeoutMs
    while (progress() <= before) {
      assert.ok(performance.now() < end, `${text} (progress stays at ${before})`)
      await sleep(1)
    }
  }

  /** Looks for a while whether a guest that must stand still does. */
  async stands(
    regions: readonly Region[],
    progress: (() => number) | undefined,
    text: string,
    ms: number = lookMs,
  ): Promise<void> {
    const memory = copyOf(regions)
    const before = progress?.()
    await sleep(ms)
    assert.equal(progress?.(), before, `${text}: it goes on computing`)
    this.sameMemory(regions, memory, `${text}: its memory changes`)
  }

  sameMemory(regions: readonly Region[], expected: readonly Uint8Array[], text: string): void {
    for (const [region, pages] of this.differences(regions, expected).entries()) {
      if (pages.length === 0) continue
      const where = `page ${pages[0]} of region ${region}`
      assert.fail(`${text}: ${pages.length} pages differ, the first is ${where}`)
    }
  }

  /** Per region, the pages whose bytes are others. */
  differences(regions: readonly Region[], expected: readonly Uint8Array[]): readonly number[][] {
    const { pageBytes } = this
    return regions.map(({ bytes }, index) => {
      const pages: number[] = []
      const count = pagesCovering(bytes.length, pageBytes)
      for (let page = 0; page < count; page++) {
        const [start, end] = [page * pageBytes, Math.min(bytes.length, (page + 1) * pageBytes)]
        const [now, then] = [bytes, expected[index]!].map((all) => all.subarray(start, end))
        if (Buffer.compare(now!, then!) !== 0) pages.push(page)
      }
      return pages
    })
  }
}

export function copyOf(regions: readonly Region[]): readonly Uint8Array[] {
  return regions.map(({ bytes }) => Uint8Array.from(bytes))
}

/** In ranges that the tracker takes. @returns how many the tracker says it added */
export function collect(tracker: DirtyTracker, into: PageBitmap, from: number, to: number): number {
  let count = 0
  for (let page = from; page < to; page += tracker.collectPagesMax) {
    count += tracker.collect(page, Math.min(tracker.collectPagesMax, to - page), into)
  }
  return count
}

/** @param beyond - pages behind the end of each region that are asked for, too */
export function collectAll(stand: Stand, guest: Guest, beyond = 0): readonly PageBitmap[] {
  return (guest.trackers ?? []).map((tracker, region) => {
    const { bytes } = guest.regions[region]!
    const pageCount = pagesCovering(bytes.length, stand.pageBytes)
    const found = new PageBitmap(pageCount + beyond)
    collect(tracker, found, 0, pageCount + beyond)
    const last = found.lastSet(found.pageCount)
    assert.ok(last < pageCount, `region ${region} has ${pageCount} pages, ${last} is reported`)
    return found
  })
}

/** What arrives of a guest's identity and shapes when they have travelled. */
export function offerOf(guest: Guest, pageBytes: number, isPostCopy = false): GuestOffer {
  const identity = structuredClone(guest.identity)
  const regions = guest.regions.map(({ id, name, bytes }) => {
    return { id, name, byteLength: bytes.length }
  })
  return { identity, pageBytes, regions, isPostCopy }
}

/** Regions of a guest whose bytes are views of each other's are no regions. */
export function assertDisjoint(regions: readonly Region[]): void {
  for (const [index, { bytes: a }] of regions.entries()) {
    for (const { bytes: b } of regions.slice(0, index)) {
      const isApart =
        a.buffer !== b.buffer ||
        a.byteOffset >= b.byteOffset + b.length ||
        b.byteOffset >= a.byteOffset + a.length
      assert.ok(isApart, `region ${index} shares bytes with one before it`)
    }
  }
}

/** @throws {AssertionError} unless it fails with a typed error, of one of these codes if given */
export async function refuses(
  act: () => unknown,
  text: string,
  ...codes: readonly string[]
): Promise<void> {
  let thrown: unknown
  try {
    await act()
  } catch (error) {
    thrown = error
  }
  assert.ok(thrown !== undefined, `${text}: it is taken`)
  assert.ok(thrown instanceof GodwitError, `${text}: refused by what is no GodwitError`)
  if (codes.length === 0) return
  assert.ok(codes.includes(thrown.code), `${text}: ${thrown.code}, not ${codes.join(' or ')}`)
}

/** The host with something done otherwise. */
export function hostWith(
  host: GuestHost,
  change: (guest: IncomingGuest, offer: GuestOffer) => IncomingGuest,
): GuestHost {
  return {
    reserve: async (offer, zero) => change(await host.reserve(offer, zero), offer),
  }
}
