import type { Guest } from '@godwit/core'
import {
  IncomingMemcached,
  MemcachedGuest,
  MemcachedHost,
  parseMemcached,
  Relay,
} from '@godwit/memcached'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { createRig } from './rig.ts'

const memoryBytes = 8 * 2 ** 20
const { identity } = parseMemcached('memcached,port=0,next=0')
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  closeClients()
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function start(): Promise<{ guest: MemcachedGuest; relay: Relay }> {
  const guest = await MemcachedGuest.start(identity, memoryBytes)
  const relay = await Relay.listen(0, guest.port)
  cleanups.push(
    () => relay.close(),
    () => guest.stop(),
  )
  return { guest, relay }
}

class Host extends MemcachedHost {
  readonly guests: IncomingMemcached[] = []

  override async reserve(...parts: Parameters<MemcachedHost['reserve']>) {
    const guest = await super.reserve(...parts)
    this.guests.push(guest)
    cleanups.push(() => guest.discard())
    return guest
  }
}

/** Counts on a counter, and on its own, until told to stop; both must agree. */
async function count(client: TextClient, key: string, goesOn: () => boolean): Promise<number> {
  await client.ask(`set ${key} 0 0 1\r\n0\r\n`)
  let counted = 0
  while (goesOn()) {
    // Ten at a time, so that some are underway whenever the owner changes.
    client.say(`incr ${key} 1\r\n`.repeat(10))
    for (let i = 0; i < 10; i++) {
      counted++
      const answer = await client.reply('\r\n')
      if (answer !== `${counted}\r\n`) throw new Error(`${answer} where ${counted} was due`)
    }
  }
  return counted
}

describe('Relay', () => {
  it('keeps clients connected through three hops: nothing lost, nothing twice', async () => {
    const { guest, relay } = await start()
    let isGoing = true
    const clients = [1, 2, 3].map((i) => [new TextClient(relay.port), `n${i}`] as const)
    const counting = clients.map(([client, key]) => count(client, key, () => isGoing))
    const idle = new TextClient(relay.port)
    await idle.ask('set half 0 0 3\r\nold\r\n')
    idle.say('set half 0 0 10\r\n12345')
    let owner = guest
    for (let hop = 0; hop < 3; hop++) {
      const next = new Host()
      const there = await createRig(next)
      const paused = owner
      // Hold first, pause then: what was forwarded is answered by who it was forwarded to.
      const held: Guest = {
        identity: paused.identity,
        regions: paused.regions,
        trackers: paused.trackers,
        async pause() {
          expect(await relay.hold()).toEqual({ dropped: 0 })
          await paused.pause()
        },
        resume: () => paused.resume(),
        captureState: () => paused.captureState(),
      }
      const report = await (await there.source(held)).run()
      expect(report.error).toBeUndefined()
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      relay.release(next.guests[0]!.port)
      await paused.stop()
      owner = next.guests[0]!.asGuest()
      expect(await new TextClient(relay.port).get(['half'])).toEqual(['old'])
    }
    isGoing = false
    const counted = await Promise.all(counting)
    expect(Math.min(...counted)).toBeGreaterThan(0)
    expect(await idle.ask('67890\r\nget half\r\n', 'END\r\n')).toBe(
      'STORED\r\nVALUE half 0 10\r\n1234567890\r\nEND\r\n',
    )
    const keys = clients.map(([, key]) => key)
    expect(await idle.get(keys)).toEqual(counted.map(String))
  })

  it('knows where requests end when they are wrong, and who wants to go', async () => {
    const { guest, relay } = await start()
    const client = new TextClient(relay.port)
    // The rest of a value that is too large goes to nobody.
    client.say(`set a 0 0 2000000\r\n${'x'.repeat(1_000_000)}`)
    expect(await client.reply('\r\n')).toContain('too large')
    expect(await relay.hold()).toEqual({ dropped: 0 })
    client.say(`${'x'.repeat(1_000_000)}\r\nversion\r\n`)
    expect(client.unread).toBe('')
    relay.release(guest.port)
    expect(await client.reply('\r\n')).toContain('VERSION')
    expect(await client.ask('set a 0 0 -1\r\n')).toContain('bad data chunk')
    client.say('mn\r\nquit\r\nversion\r\n')
    await client.ended()
    expect(client.unread).toBe('MN\r\n')
    const endless = new TextClient(relay.port)
    endless.say('x'.repeat(3000))
    await endless.ended()
    expect(endless.unread).toContain('line too long')
  })

  it('cuts off whose owner is gone', async () => {
    const { guest, relay } = await start()
    const client = new TextClient(relay.port)
    await client.set('a', 'x')
    await guest.stop()
    await client.ended()
    expect(client.unread).toBe('')
  })
})
