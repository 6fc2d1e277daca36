import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { GodwitError } from '@godwit/core'
import { Relay } from '@godwit/memcached'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { behind, endRelayed, Host, hop, startRelayed } from './memcached-hops.ts'
import { createRig } from './rig.ts'

const memoryBytes = 8 * 2 ** 20

afterEach(async () => {
  closeClients()
  await endRelayed()
})

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

const clientOf = (relay: Relay): TextClient => new TextClient(relay.place.port)

describe('Relay', () => {
  it('keeps clients connected through three hops: nothing lost, nothing twice', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    let isGoing = true
    const clients = [1, 2, 3].map((i) => [clientOf(relay), `n${i}`] as const)
    const counting = clients.map(([client, key]) => count(client, key, () => isGoing))
    const idle = clientOf(relay)
    await idle.ask('set half 0 0 3\r\nold\r\n')
    idle.say('set half 0 0 10\r\n12345')
    let owner = guest
    for (let hops = 0; hops < 3; hops++) {
      owner = await hop(owner, relay)
      expect(await clientOf(relay).get(['half'])).toEqual(['old'])
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

  it('is released to the guest that goes on here when the hand-over fails', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    let isGoing = true
    const counting = count(clientOf(relay), 'n', () => isGoing)
    const states: string[] = []
    class Failing extends Host {
      override async reserve(...parts: Parameters<Host['reserve']>) {
        const arriving = await super.reserve(...parts)
        arriving.restoreState = () => {
          states.push(relay.state)
          return Promise.reject(new GodwitError('PROTOCOL_STATE', 'not today'))
        }
        return arriving
      }
    }
    const rig = await createRig(new Failing())
    const report = await (await rig.source(behind(relay, guest))).run()
    expect(report).toMatchObject({ outcome: 'failed', error: { code: 'PROTOCOL_STATE' } })
    expect(states).toEqual(['held'])
    expect(relay.state).toBe('forwarding')
    isGoing = false
    expect(await clientOf(relay).get(['n'])).toEqual([String(await counting)])
  })

  it('knows where requests end when they are wrong, and who wants to go', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    const client = clientOf(relay)
    // The rest of a value that is too large goes to nobody.
    client.say(`set a 0 0 2000000\r\n${'x'.repeat(1_000_000)}`)
    expect(await client.reply('\r\n')).toContain('too large')
    expect(await relay.hold()).toEqual({ dropped: 0 })
    client.say(`${'x'.repeat(1_000_000)}\r\nversion\r\n`)
    expect(client.unread).toBe('')
    relay.release(guest.place)
    expect(await client.reply('\r\n')).toContain('VERSION')
    expect(await client.ask('set a 0 0 -1\r\n')).toContain('bad data chunk')
    client.say('mn\r\nquit\r\nversion\r\n')
    await client.ended()
    expect(client.unread).toBe('MN\r\n')
    const endless = clientOf(relay)
    endless.say('x'.repeat(3000))
    await endless.ended()
    expect(endless.unread).toContain('line too long')
  })

  it('goes on with others while one takes no replies, and drops that one alone', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    const writer = clientOf(relay)
    const value = 'v'.repeat(500_000)
    await writer.set('big', value)
    const slow = connect({ port: relay.place.port, host: '127.0.0.1' }).pause()
    slow.on('error', () => {})
    // 500 MB are asked for: the owner stops after what the relay holds for that client.
    slow.write('get big\r\n'.repeat(1000))
    for (let i = 0; i < 50; i++) expect(await writer.get(['big'])).toEqual([value])
    expect(await relay.hold()).toEqual({ dropped: 1 })
    relay.release(guest.place)
    expect(await writer.get(['big'])).toEqual([value])
    expect(relay.clientCount).toBe(1)
    const read = /get_hits (\d+)/.exec(await writer.ask('stats\r\n', 'END\r\n'))
    expect(Number(read![1])).toBeLessThan(500)
  })

  it('answers all before it ends, whether the client says quit or only ends', async () => {
    const { relay } = await startRelayed(memoryBytes)
    const client = clientOf(relay)
    const value = 'v'.repeat(100_000)
    await client.set('big', value)
    const slow = connect({ port: relay.place.port, host: '127.0.0.1' })
    slow.pause().write(`${'get big\r\n'.repeat(200)}quit\r\n`)
    // Meanwhile it has as many replies as it may: it goes on when those are taken.
    for (let i = 0; i < 20; i++) await client.get(['big'])
    let count = 0
    for await (const chunk of slow as AsyncIterable<Buffer>) count += chunk.length
    expect(count).toBe(200 * `VALUE big 0 100000\r\n${value}\r\nEND\r\n`.length)
    const half = connect({ port: relay.place.port, host: '127.0.0.1', allowHalfOpen: true })
    half.end('get big\r\nget')
    const answer: Buffer[] = []
    for await (const chunk of half as AsyncIterable<Buffer>) answer.push(chunk)
    expect(Buffer.concat(answer).toString()).toBe(`VALUE big 0 100000\r\n${value}\r\nEND\r\n`)
    // A client of a relay is none itself.
    expect(await clientOf(relay).ask('godwit relay 1\r\n')).toBe('ERROR\r\n')
  })

  it('makes the connection to who is next while it holds', async () => {
    const { relay } = await startRelayed(memoryBytes)
    const other = await startRelayed(memoryBytes)
    const client = clientOf(relay)
    await client.set('a', 'x')
    await other.guest.pause()
    const count = async (): Promise<number> => {
      const stats = await new TextClient(other.guest.place.port).ask('stats\r\n', 'END\r\n')
      return Number(/total_connections (\d+)/.exec(stats)![1])
    }
    await relay.hold(other.guest.place)
    client.say('get a\r\n')
    other.guest.resume()
    relay.release(other.guest.place)
    expect(await client.reply('END\r\n')).toBe('END\r\n')
    // The relay, its client, and who asks.
    expect(await count()).toBe(3)
  })

  it('forwards to nobody who knows no relays; a service ends what is no frame', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    const server = createServer((socket) => void socket.write('ERROR\r\n')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = clientOf(relay)
    await relay.hold()
    relay.release({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
    client.say('get a\r\n')
    await client.ended()
    expect(client.unread).toBe('')
    server.close()
    const hostile = new TextClient(guest.place.port)
    hostile.say(`godwit relay 1\r\n${'x'.repeat(8)}`)
    await hostile.ended()
    expect(hostile.unread).toBe('godwit relay 1\r\n')
    expect(await new TextClient(guest.place.port).ask('mn\r\n')).toBe('MN\r\n')
  })

  it('cuts off whose owner is gone', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    const client = clientOf(relay)
    await client.set('a', 'x')
    await guest.stop()
    await client.ended()
    expect(client.unread).toBe('')
  })

  it('disconnects who was held for too long, and turns others away, until it is told', async () => {
    const { guest } = await startRelayed(memoryBytes)
    const givenUp = Promise.withResolvers<number>()
    const at = { host: '127.0.0.1', port: 0 }
    const onGivenUp = (clients: number): void => givenUp.resolve(clients)
    const relay = await Relay.listen(at, { to: guest.place, holdMs: 20, onGivenUp })
    try {
      const client = clientOf(relay)
      await client.set('a', 'x')
      await relay.hold()
      client.say('set a 0 0 1\r\ny\r\n')
      expect(await givenUp.promise).toBe(1)
      await client.ended()
      await clientOf(relay).ended()
      relay.release(guest.place)
      expect(await clientOf(relay).get(['a'])).toEqual(['x'])
    } finally {
      relay.close()
    }
  })

  it('finds out who executes requests, and waits until somebody does', async () => {
    const { guest, relay } = await startRelayed(memoryBytes)
    const other = await startRelayed(memoryBytes)
    const client = clientOf(relay)
    await client.set('a', 'x')
    await relay.hold()
    await guest.pause()
    await other.guest.pause()
    const found = relay.seek([guest.place, other.guest.place])
    client.say('get a\r\n')
    expect(await Promise.race([found, new Promise((resolve) => setImmediate(resolve))])).toBe(
      undefined,
    )
    other.guest.resume()
    expect(await found).toEqual(other.guest.place)
    expect(await client.reply('END\r\n')).toBe('END\r\n')
    await relay.hold()
    const given = relay.seek([guest.place])
    relay.release(other.guest.place)
    expect(await given).toBeUndefined()
    expect(relay.owner).toEqual(other.guest.place)
  })
})
