import { connect } from 'node:net'
import { type Guest, PageBitmap } from '@godwit/core'
import { IncomingMemcached, MemcachedGuest, MemcachedHost, parseMemcached } from '@godwit/memcached'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { createRig } from './rig.ts'

const memoryBytes = 8 * 2 ** 20
const identity = parseMemcached('memcached,port=0,next=0').identity
const guests: { stop(): Promise<void> }[] = []

afterEach(async () => {
  closeClients()
  for (const guest of guests.splice(0)) await guest.stop()
})

async function start(): Promise<MemcachedGuest> {
  const guest = await MemcachedGuest.start(identity, memoryBytes)
  guests.push(guest)
  return guest
}

/** A host that says which guests it made room for. */
class Host extends MemcachedHost {
  readonly guests: IncomingMemcached[] = []

  override async reserve(...parts: Parameters<MemcachedHost['reserve']>) {
    const guest = await super.reserve(...parts)
    this.guests.push(guest)
    guests.push({ stop: () => guest.discard() })
    return guest
  }
}

const keysOf = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)
const valueOf = (key: string): string => `${key} `.repeat(50)

async function write(client: TextClient, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    if ((await client.set(key, valueOf(key))) !== 'STORED\r\n') throw new Error('not stored')
  }
}

describe('memcached guest', () => {
  it('keeps what was said while it is paused, stores nothing, and goes on', async () => {
    const guest = await start()
    const client = new TextClient(guest.place.port)
    await client.ask('set a 0 0 1\r\nx\r\n')
    const half = new TextClient(guest.place.port)
    half.say('set half 0 0 10\r\n12345')
    // Another connection's answer tells that the thread was there: what came before was read.
    await client.ask('version\r\n')
    await guest.pause()
    const before = guest.regions[0]!.bytes.slice()
    const pageCount = before.length / 4096
    guest.trackers[0]!.reset()
    client.say('set a 0 0 1\r\ny\r\nget a\r\n')
    half.say('67890\r\nget half\r\n')
    const early = new TextClient(guest.place.port)
    early.say('get a\r\n')
    await guest.pause()
    expect(Buffer.compare(guest.regions[0]!.bytes, before)).toBe(0)
    expect(guest.trackers[0]!.collect(0, pageCount, new PageBitmap(pageCount))).toBe(0)
    expect([client.unread, half.unread, early.unread]).toEqual(['', '', ''])
    guest.resume()
    expect(await client.reply('END\r\n')).toBe('STORED\r\nVALUE a 0 1\r\ny\r\nEND\r\n')
    expect(await half.reply('END\r\n')).toBe('STORED\r\nVALUE half 0 10\r\n1234567890\r\nEND\r\n')
    expect(await early.reply('END\r\n')).toMatch(/^VALUE a 0 1\r\n[xy]\r\nEND\r\n$/)
  })

  it.each(['barrier', 'scan'] as const)('moves while clients write (%s)', async (tracker) => {
    const host = new Host()
    const rig = await createRig(host)
    const guest = await start()
    const client = new TextClient(guest.place.port)
    const before = keysOf('before', 500)
    await write(client, before)
    const during = new TextClient(guest.place.port)
    const answered: string[] = []
    let isMoving = true
    const writing = (async () => {
      for (let i = 0; isMoving; i++) {
        const key = `during${i}`
        await write(during, [key])
        answered.push(key)
      }
    })().catch(() => {})
    const migration = await rig.source(guest, { tracker, stop: 'max-rounds=4' })
    const report = await migration.run()
    isMoving = false
    expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
    const moved = host.guests[0]!
    await guest.stop()
    await writing
    expect(answered.length).toBeGreaterThan(0)
    const after = new TextClient(moved.place.port)
    const all = [...before, ...answered]
    expect(await after.get(all)).toEqual(all.map(valueOf))
    await write(after, keysOf('after', 50))
    expect(await after.get(['after0', 'after49'])).toEqual([valueOf('after0'), valueOf('after49')])
    expect(await moved.stop()).toMatchObject({ steps: 0 })
    after.say('get after0\r\n')
    await moved.stop()
    expect(after.unread).toBe('')
  })

  it('goes on here when the destination refuses, and says why', async () => {
    const rig = await createRig(new Host())
    const guest = await MemcachedGuest.start(
      { kind: 'memcached', options: { port: 0 } },
      memoryBytes,
    )
    guests.push(guest)
    // As if it had been started with the port that it has.
    const asked = { kind: 'memcached', options: { port: guest.place.port } }
    const source: Guest = {
      identity: asked,
      regions: guest.regions,
      pause: () => guest.pause(),
      resume: () => guest.resume(),
      captureState: () => guest.captureState(),
    }
    const client = new TextClient(guest.place.port)
    await client.set('a', 'x')
    const migration = await rig.source(source)
    const report = await migration.run()
    expect(report.outcome).toBe('failed')
    expect(report.error).toMatchObject({ text: expect.stringContaining('next=PORT') })
    expect(await client.get(['a'])).toEqual(['x'])
    expect(rig.held()).toBe(0)
  })

  it('is not moved by post-copy, and says so before anything is sent', async () => {
    const rig = await createRig(new Host())
    const guest = await start()
    const migration = await rig.source(guest, { mode: 'post-copy' })
    const report = await migration.run()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_CAPABILITY' } })
    const client = new TextClient(guest.place.port)
    expect(await client.set('a', 'x')).toBe('STORED\r\n')
    expect(rig.held()).toBe(0)
  })

  it('reads no more of a client that does not take its replies', async () => {
    const guest = await start()
    const writer = new TextClient(guest.place.port)
    await writer.set('large', 'v'.repeat(1_000_000))
    const lazy = connect(guest.place.port, '127.0.0.1')
    lazy.pause()
    const requests = 40
    lazy.write('get large\r\n'.repeat(requests))
    await writer.ask('version\r\n')
    const stats = await writer.ask('stats\r\n', 'END\r\n')
    expect(Number(/get_hits (\d+)/.exec(stats)![1])).toBeLessThan(requests / 2)
    lazy.end()
    let bytes = 0
    for await (const chunk of lazy) bytes += (chunk as Uint8Array).length
    expect(bytes).toBe(requests * 'VALUE large 0 1000000\r\n\r\nEND\r\n'.length + requests * 1e6)
  })

  it('refuses a state and memory that are not a service', async () => {
    const { regions } = await start()
    const offer = {
      identity,
      pageBytes: 4096,
      regions: [{ id: 0, name: 'ram', byteLength: memoryBytes }],
    }
    const guest = await new Host().reserve(offer, () => Promise.resolve())
    await expect(guest.restoreState(new Uint8Array(3))).rejects.toThrow('its state is not that')
    const state = Buffer.from('godwit memcached 1\n')
    await expect(guest.restoreState(state)).rejects.toThrow('there is no header')
    guest.regions[0]!.bytes.set(regions[0]!.bytes)
    await expect(guest.restoreState(state)).resolves.toBeUndefined()
    for (const byteLength of [4096, 2 ** 33]) {
      const wrong = { ...offer, regions: [{ id: 0, name: 'ram', byteLength }] }
      const reserving = new Host().reserve(wrong, () => Promise.resolve())
      await expect(reserving).rejects.toMatchObject({ code: 'GUEST_OPTION' })
    }
  })
})
