/**
 * How an adapter becomes another one: members of its guests, trackers or hosts are replaced.
 *
 * @module
 */
import type { DirtyTracker, Guest, GuestHost, IncomingGuest, StoreMarks } from '@godwit/core'
import { PAGE_BYTES_DEFAULT as pageBytes, PageBitmap, pagesCovering } from '@godwit/core'
import type { AdapterUnderTest } from 'godwit/adapter-suite'

/** The same, with other members. */
export function otherwise<T extends object>(target: T, parts: Partial<T>): T {
  return new Proxy(target, {
    get(from, name) {
      if (Object.hasOwn(parts, name)) return Reflect.get(parts, name) as unknown
      const value = Reflect.get(from, name, from) as unknown
      return typeof value === 'function' ? (value.bind(from) as unknown) : value
    },
  })
}

export type Guests = (guest: Guest) => Partial<Guest>
export type Trackers = (tracker: DirtyTracker, guest: Guest) => Partial<DirtyTracker>
export type Hosts = (host: GuestHost) => Partial<GuestHost>
export type Arrivals = (guest: IncomingGuest) => Partial<IncomingGuest>

/** @param change - for each guest that is started */
export function withGuest(base: AdapterUnderTest, change: Guests): AdapterUnderTest {
  return {
    ...base,
    async startGuest() {
      const started = await base.startGuest()
      return { ...started, guest: otherwise(started.guest, change(started.guest)) }
    },
  }
}

export function withTracker(base: AdapterUnderTest, change: Trackers): AdapterUnderTest {
  return withGuest(base, (guest) => {
    const trackers = guest.trackers!.map((one) => otherwise(one, change(one, guest)))
    return { trackers }
  })
}

export function withHost(base: AdapterUnderTest, change: Hosts): AdapterUnderTest {
  return {
    ...base,
    async createHost() {
      const opened = await base.createHost()
      return { ...opened, host: otherwise(opened.host, change(opened.host)) }
    },
  }
}

export function withArrival(base: AdapterUnderTest, change: Arrivals): AdapterUnderTest {
  return withHost(base, (host) => ({
    async reserve(offer, zero) {
      const guest = await host.reserve(offer, zero)
      return otherwise(guest, change(guest))
    },
  }))
}

/** A collect that leaves out what `isLost` says. */
export const losing =
  (isLost: (page: number) => boolean): Trackers =>
  (tracker) => ({
    collect(first, count, into) {
      const found = new PageBitmap(into.pageCount)
      tracker.collect(first, count, found)
      let added = 0
      for (let page = found.nextSet(0); page < found.pageCount; page = found.nextSet(page + 1)) {
        if (isLost(page) || into.has(page)) continue
        into.add(page)
        added++
      }
      return added
    },
  })

/** Marks as a kernel has them for another process, of what the guest's trackers see. */
export function marksOf({ trackers, regions }: Guest): StoreMarks {
  const marked = regions.map(({ bytes }) => new PageBitmap(pagesCovering(bytes.length, pageBytes)))
  return {
    name: 'made-up',
    lacking: undefined,
    lost: undefined,
    begin() {
      for (const tracker of trackers!) tracker.reset()
      for (const bitmap of marked) bitmap.clear()
    },
    findUnmarked: () =>
      marked.map((bitmap, region) => {
        trackers![region]!.collect(0, bitmap.pageCount, bitmap)
        const unmarked = new PageBitmap(bitmap.pageCount)
        unmarked.addAll()
        unmarked.removeAll(bitmap)
        return unmarked
      }),
  }
}

export type Change = (base: AdapterUnderTest) => AdapterUnderTest

export const guests =
  (change: Guests): Change =>
  (base) =>
    withGuest(base, change)
export const trackers =
  (change: Trackers): Change =>
  (base) =>
    withTracker(base, change)
export const hosts =
  (change: Hosts): Change =>
  (base) =>
    withHost(base, change)
export const arrivals =
  (change: Arrivals): Change =>
  (base) =>
    withArrival(base, change)

/** The case that must find it, what is wrong, and how that is done. */
export type WrongAdapter = readonly [name: string, text: string, change: Change]
