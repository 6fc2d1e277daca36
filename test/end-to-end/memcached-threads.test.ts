import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { PageBitmap } from '@godwit/core'
import { type Held, LOOPBACK, MemcachedGuest, type Place, Relay } from '@godwit/memcached'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { counterAt, Item, TABLE_AT } from '../../packages/memcached/src/layout.ts'
import { CONNECTIONS_MAX } from '../../packages/memcached/src/service-job.ts'
import { closeClients, TextClient } from './memcached-client.ts'
import { endRelayed, hop, startGuest } from './memcached-hops.ts'
import { checkStore } from './memcached-store.ts'

const memoryBytes = 8 * 2 ** 20
const pageCount = memoryBytes / 4096
/** That all are the same thread's happens once in 32,768 times. */
const clientCount = 16

afterEach(async () => {
  closeClients()
  await endRelayed()
})

const start = (threads = 2): Promise<MemcachedGuest> => startGuest(memoryBytes, threads)

function clientsOf(port: number, count = clientCount): readonly TextClient[] {
  return Array.from({ length: count }, () => new TextClient(port))
}

/** Says all of it at once. @returns one line for each request */
async function askAll(client: TextClient, requests: readonly string[]): Promise<string[]> {
  client.say(requests.join(''))
  const answers: string[] = []
  while (answers.length < requests.length) answers.push((await client.reply('\r\n')).trim())
  return answers
}

/** Counts on a key, with several requests underway. @returns what it was told */
async function countOn(client: TextClient, key: string, goesOn: () => boolean): Promise<number[]> {
  const told: number[] = []
  const requests = Array<string>(50).fill(`incr ${key} 1\r\n`)
  while (goesOn()) for (const answer of await askAll(client, requests)) told.push(Number(answer))
  return told
}

async function statsOf(client: TextClient): Promise<ReadonlyMap<string, number>> {
  const text = await client.ask('stats\r\n', 'END\r\n')
  return new Map([...text.matchAll(/STAT (\S+) (\S+)/g)].map(([, name, of]) => [name!, Number(of)]))
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

describe('threads of a memcached guest', () => {
  it('count what many clients count on the same keys, and tell each number once', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    const keys = ['a', 'b', 'c']
    // Of each client: the keys that it counts on, all asked for at once.
    const asked = fc.array(fc.constantFrom(...keys), { minLength: 100, maxLength: 400 })
    const property = fc.asyncProperty(
      fc.array(asked, { minLength: clientCount, maxLength: clientCount }),
      async (scripts) => {
        await askAll(
          clients[0]!,
          keys.map((key) => `set ${key} 0 0 1\r\n0\r\n`),
        )
        const told = await Promise.all(
          scripts.map((script, i) => {
            return askAll(
              clients[i]!,
              script.map((key) => `incr ${key} 1\r\n`),
            )
          }),
        )
        for (const key of keys) {
          const own = told.map((answers, i) => {
            return answers.filter((_, at) => scripts[i]![at] === key).map(Number)
          })
          for (const numbers of own) expect(numbers).toEqual(numbers.toSorted((x, y) => x - y))
          const all = own.flat().sort((x, y) => x - y)
          expect(all).toEqual(upTo(all.length))
        }
      },
    )
    await fc.assert(property, { numRuns: 10 })
  }, 60_000)

  it('let one of many win with the same CAS unique', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    const keys = upTo(100).map((i) => `key${i}`)
    const rounds = 5
    await askAll(
      clients[0]!,
      keys.map((key) => `set ${key} 0 0 4\r\nnone\r\n`),
    )
    for (let round = 0; round < rounds; round++) {
      const text = await clients[0]!.ask(`gets ${keys.join(' ')}\r\n`, 'END\r\n')
      const uniques = [...text.matchAll(/^VALUE \S+ 0 4 (\d+)/gm)].map(([, unique]) => unique!)
      const told = await Promise.all(
        clients.map((client, i) => {
          const value = `c${String(i).padStart(3, '0')}`
          const requests = keys.map((key, at) => `cas ${key} 0 0 4 ${uniques[at]}\r\n${value}\r\n`)
          return askAll(client, requests)
        }),
      )
      const winners = keys.map((_, at) => {
        const stored = told.flatMap((answers, i) => (answers[at] === 'STORED' ? [i] : []))
        expect(told.filter((answers) => answers[at] === 'EXISTS').length).toBe(clientCount - 1)
        expect(stored.length).toBe(1)
        return `c${String(stored[0]).padStart(3, '0')}`
      })
      expect(await clients[1]!.get(keys)).toEqual(winners)
    }
    const stats = await statsOf(clients[0]!)
    expect(stats.get('cas_hits')).toBe(rounds * keys.length)
    expect(stats.get('cas_badval')).toBe(rounds * keys.length * (clientCount - 1))
  }, 60_000)

  it('keep the store whole while it is full, and statistics right', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    const requests = 1500
    const sizeOf = (client: number, i: number): number => (i * (client + 7) * 2654435761) % 12_000
    await Promise.all(
      clients.map(async (client, of) => {
        const values = new Map<string, string>()
        for (let i = 0; i < requests; i += 50) {
          const some = upTo(50).map((at) => `k${of}:${(i + at) % 97}`)
          const sets = some.map((key, at) => {
            const value = String(of).padEnd(3 + sizeOf(of, i + at), String(i))
            values.set(key, value)
            return `set ${key} 0 0 ${value.length}\r\n${value}\r\n`
          })
          expect(new Set(await askAll(client, sets))).toEqual(new Set(['STORED']))
          const found = await client.get(some)
          // It may have been evicted; else it is what this client stored last.
          found.forEach((value, at) => {
            if (value !== undefined && value !== values.get(some[at]!)) {
              throw new Error(`${some[at]} is ${value.slice(0, 20)}`)
            }
          })
        }
      }),
    )
    const stats = await statsOf(clients[0]!)
    expect(stats.get('cmd_set')).toBe(clientCount * requests)
    expect(stats.get('cmd_get')).toBe(clientCount * requests)
    expect(stats.get('get_hits')! + stats.get('get_misses')!).toBe(clientCount * requests)
    expect(stats.get('evictions')).toBeGreaterThan(0)
    expect(stats.get('threads')).toBe(2)
    expect([stats.get('curr_connections'), stats.get('total_connections')]).toEqual([16, 16])
    await guest.pause()
    expect(checkStore(guest.regions[0]!.bytes)).toBe(stats.get('curr_items'))
  }, 60_000)

  it('turn clients away that are too many for all of them together', async () => {
    const guest = await start()
    const { port } = guest.place
    const clients = clientsOf(port, CONNECTIONS_MAX)
    for (const client of clients) expect(await client.ask('mn\r\n')).toBe('MN\r\n')
    const more = clientsOf(port)
    for (const client of more) await client.ended()
    expect((await statsOf(clients[0]!)).get('curr_connections')).toBe(CONNECTIONS_MAX)
    for (const client of clients.slice(0, clientCount)) client.close()
    // As soon as the guest knows of that, there is room again.
    for (let isThere = false; !isThere; ) {
      const reply = new TextClient(port).ask('mn\r\n')
      isThere = await reply.then(
        () => true,
        () => false,
      )
    }
  }, 60_000)

  it('all pause, with nothing half done, and answer all of it afterwards', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    const [memory, tracker] = [guest.regions[0]!.bytes, guest.trackers[0]!]
    await clients[0]!.set('n', '0')
    const probe = new TextClient(guest.place.port)
    const counter = new Float64Array(memory.buffer, memory.byteOffset + counterAt('incr_hits'), 1)
    let isGoing = true
    const counting = clients.map((client) => countOn(client, 'n', () => isGoing))
    for (let pauses = 0, last = 0; pauses < 20; pauses++) {
      while (counter[0] === last) await probe.ask('mn\r\n')
      await guest.pause()
      last = counter[0]!
      const before = memory.slice()
      tracker.reset()
      expect(checkStore(before)).toBe(1)
      // All threads have had a turn after this.
      await guest.pause()
      expect(Buffer.compare(before, memory)).toBe(0)
      expect(tracker.collect(0, pageCount, new PageBitmap(pageCount))).toBe(0)
      guest.resume()
    }
    isGoing = false
    const told = (await Promise.all(counting)).flat().sort((x, y) => x - y)
    expect(told).toEqual(upTo(told.length))
    expect(counter[0]).toBe(told.length)
  }, 60_000)
})

/** Relays of one guest, which all hold before it pauses: each is one connection. */
class Relays {
  readonly all: readonly Relay[]

  constructor(all: readonly Relay[]) {
    this.all = all
  }

  async hold(): Promise<Held> {
    const held = await Promise.all(this.all.map((relay) => relay.hold()))
    return { dropped: held.reduce((sum, { dropped }) => sum + dropped, 0) }
  }

  release(to: Place): void {
    for (const relay of this.all) relay.release(to)
  }
}

describe('a memcached guest of two threads that moves', () => {
  it('answers all that clients of several relays count, once', async () => {
    const guest = await start()
    const relays = await Promise.all(
      upTo(8).map(() => Relay.listen({ host: LOOPBACK, port: 0 }, { to: guest.place })),
    )
    try {
      const clients = relays.map(({ place }) => new TextClient(place.port))
      await clients[0]!.set('n', '0')
      let isGoing = true
      const counting = clients.map((client) => countOn(client, 'n', () => isGoing))
      let owner = guest
      for (let hops = 0; hops < 3; hops++) owner = await hop(owner, new Relays(relays))
      isGoing = false
      const told = (await Promise.all(counting)).flat().sort((x, y) => x - y)
      expect(told).toEqual(upTo(told.length))
      expect(await clients[7]!.get(['n'])).toEqual([String(told.length)])
      expect((await statsOf(clients[0]!)).get('threads')).toBe(2)
      await owner.pause()
      expect(checkStore(owner.regions[0]!.bytes)).toBe(1)
    } finally {
      for (const relay of relays) relay.close()
    }
  }, 60_000)

  it('has done what it told its own clients, and at most what they asked', async () => {
    const guest = await start()
    const own = clientsOf(guest.place.port)
    const relay = await Relay.listen({ host: LOOPBACK, port: 0 }, { to: guest.place })
    try {
      await own[0]!.set('n', '0')
      let [asked, answered] = [0, 0]
      const counting = own.map(async (client) => {
        for (;;) {
          asked += 20
          client.say('incr n 1\r\n'.repeat(20))
          for (let i = 0; i < 20; i++, answered++) await client.reply('\r\n')
        }
      })
      // They are ended when it has moved.
      const ends = Promise.allSettled(counting)
      const owner = await hop(guest, relay, { stop: 'max-rounds=4' })
      await ends
      const [found] = await new TextClient(owner.place.port).get(['n'])
      expect(answered).toBeGreaterThan(0)
      expect(Number(found)).toBeGreaterThanOrEqual(answered)
      expect(Number(found)).toBeLessThanOrEqual(asked)
    } finally {
      relay.close()
    }
  }, 60_000)
})

describe('the port of several threads', () => {
  it.each([1, 2])('is nobody else’s, also not that of a guest of %d threads', async (threads) => {
    const { place } = await start()
    const identity = { kind: 'memcached', options: { port: place.port, threads } }
    const other = MemcachedGuest.start(identity, memoryBytes)
    await expect(other).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  })

  it('is not shared with a program that would share it', async () => {
    const server = createServer().listen({ host: LOOPBACK, port: 0, reusePort: true })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const identity = { kind: 'memcached', options: { port, threads: 2 } }
    const starting = MemcachedGuest.start(identity, memoryBytes)
    await expect(starting).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
    server.close()
  })

  it('is one guest’s of two that begin at once, and free when that has ended', async () => {
    const first = await start()
    const { port } = first.place
    // Connections that the guest ended stay with the kernel for a while.
    const clients = clientsOf(port)
    for (const client of clients) await client.ask('mn\r\n')
    await first.stop()
    for (const client of clients) await client.ended()
    const identity = { kind: 'memcached', options: { port, threads: 2 } }
    const both = [1, 2].map(() => MemcachedGuest.start(identity, memoryBytes))
    const outcomes = await Promise.allSettled(both)
    const [failed] = outcomes.filter((one) => one.status === 'rejected')
    expect(failed?.reason).toMatchObject({ code: 'ADDRESS_IN_USE' })
    const [started, ...others] = outcomes.filter((one) => one.status === 'fulfilled')
    expect(others).toEqual([])
    await started!.value.stop()
  })
})

describe('a thread that does not come to an end', () => {
  /** Has the threads meet with a store that is broken. */
  async function spoil(guest: MemcachedGuest, change: (words: Uint32Array) => void): Promise<void> {
    await guest.pause()
    const { buffer, byteOffset, byteLength } = guest.regions[0]!.bytes
    change(new Uint32Array(buffer, byteOffset, byteLength / 4))
    guest.resume()
  }

  it('is the end of the others, when it fails', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    const value = 'x'.repeat(1_000_000)
    for (let i = 0; i < 7; i++) await clients[0]!.set(`large${i}`, value)
    // Items that are in no bucket, the next of which is to be evicted.
    await spoil(guest, (words) => words.fill(0, TABLE_AT / 4, TABLE_AT / 4 + 2 ** 16))
    clients[0]!.say(`set another 0 0 ${value.length}\r\n${value}\r\n`)
    expect(await guest.failed).toMatchObject({ code: 'GUEST_FAILED' })
    for (const client of clients) await client.ended()
    await guest.stop()
  })

  it('is ended with all that wait for it, when it goes in circles', async () => {
    const guest = await start()
    const clients = clientsOf(guest.place.port)
    await clients[0]!.set('a', 'x')
    await spoil(guest, (words) => {
      const bucket = words.subarray(TABLE_AT / 4).findIndex((ref) => ref !== 0)
      const ref = words[TABLE_AT / 4 + bucket]!
      const hashAt = ref * 2 + Item.Hash / 4
      words[hashAt] = words[hashAt]! ^ 1
      words[ref * 2 + Item.Chain / 4] = ref
    })
    // The others get there, too, whichever thread is whose.
    for (const client of clients) client.say('get a\r\n')
    await guest.stop()
    for (const client of clients) await client.ended()
    expect(clients.map(({ unread }) => unread).join('')).toBe('')
  })
})
