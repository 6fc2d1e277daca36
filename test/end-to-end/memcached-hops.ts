/**
 * A memcached service behind a relay, which moves from host to host within this process.
 *
 * @module
 */
import type { Report } from '@godwit/core'
import {
  type Held,
  type IncomingMemcached,
  LOOPBACK,
  MemcachedGuest,
  MemcachedHost,
  type Place,
  parseMemcached,
  Relay,
  RelayedGuest,
} from '@godwit/memcached'
import { expect } from 'vitest'
import { createRig, type SourceSettings } from './rig.ts'

const cleanups: (() => unknown)[] = []

/** What follows a guest: a relay, or several. */
export interface Follower {
  hold(): Promise<Held>
  release(to: Place): void
}

/** A host that says which guests it made room for. */
export class Host extends MemcachedHost {
  readonly guests: IncomingMemcached[] = []

  override async reserve(
    ...parts: Parameters<MemcachedHost['reserve']>
  ): Promise<IncomingMemcached> {
    const guest = await super.reserve(...parts)
    this.guests.push(guest)
    cleanups.push(() => guest.discard())
    return guest
  }
}

/** A service of so much memory. */
export async function startGuest(memoryBytes: number, threads = 1): Promise<MemcachedGuest> {
  const { identity } = parseMemcached(`memcached,port=0,next=0,threads=${threads}`)
  const guest = await MemcachedGuest.start(identity, memoryBytes)
  cleanups.push(() => guest.stop())
  return guest
}

/** A service of so much memory, and a relay to it. */
export async function startRelayed(
  memoryBytes: number,
  threads = 1,
): Promise<{ guest: MemcachedGuest; relay: Relay }> {
  const guest = await startGuest(memoryBytes, threads)
  const relay = await Relay.listen({ host: LOOPBACK, port: 0 }, { to: guest.place })
  cleanups.push(() => relay.close())
  return { guest, relay }
}

/** Ends all services and relays. */
export async function endRelayed(): Promise<void> {
  for (const cleanup of cleanups.splice(0)) await cleanup()
}

/** A guest whose relay drops no client when it holds. */
export function behind(relay: Follower, guest: MemcachedGuest): RelayedGuest {
  const strict = {
    hold: async () => expect(await relay.hold()).toEqual({ dropped: 0 }),
    release: relay.release.bind(relay),
  }
  // Where it went is known only when it is there: all ports are any port.
  return new RelayedGuest(guest, strict, { host: LOOPBACK, port: 0 })
}

/** Moves the service to a host of its own, the relay with it. @returns it, there */
export async function hop(
  guest: MemcachedGuest,
  relay: Follower,
  settings: SourceSettings = {},
): Promise<MemcachedGuest> {
  const host = new Host()
  const rig = await createRig(host)
  const migration = await rig.source(behind(relay, guest), {
    ...settings,
    onStage({ name }) {
      if (name === 'activation') relay.release(host.guests[0]!.place)
    },
  })
  const report: Report = await migration.run()
  expect(report.error).toBeUndefined()
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  await guest.stop()
  return host.guests[0]!.asGuest()
}
