import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { MIB, type Region } from '@godwit/core'
import { afterEach, describe, expect, it } from 'vitest'
import { parseGuest } from './guest-spec.ts'
import { replay } from './replay.ts'
import { stepsOf } from './state-package.ts'
import {
  decodeHello,
  HELLO_BYTES,
  RecordReader,
  SEGMENT_RECORD_BYTES,
  StreamContent,
} from './stream.ts'
import { createStreamPeer, type StreamAccount } from './stream-peer.ts'
import { WorkloadGuest } from './workload-guest.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function listen(server: Server): Promise<{ peer: string; sockets: Socket[] }> {
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { peer: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets }
}

async function start(spec: string): Promise<WorkloadGuest> {
  const { identity, memoryBytes } = parseGuest(`network,seed=5,wss=1MiB,${spec}`, 2 * MIB)
  const guest = await WorkloadGuest.start(identity, memoryBytes)
  cleanups.push(() => guest.stop())
  return guest
}

async function stepped(guest: WorkloadGuest, more: number): Promise<void> {
  const target = guest.steps() + more
  while (guest.steps() < target) await setImmediate()
}

function bytesOf(regions: readonly Region[]): Buffer {
  return Buffer.concat(regions.map((region) => region.bytes))
}

/** Pauses it; what came over the socket is what the oracle made. */
async function expectContinuous(guest: WorkloadGuest): Promise<void> {
  await guest.pause()
  const state = guest.captureState()
  const stayed = await replay(guest.identity, 2 * MIB, stepsOf(state))
  expect(state).toEqual(stayed.registers)
  expect(bytesOf(guest.regions).equals(bytesOf(stayed.regions))).toBe(true)
}

describe('a guest network', () => {
  it('has a peer of its own where none is named', async () => {
    const guest = await start('rate=400Mbit')
    await stepped(guest, 2000)
    expect(guest.identity.options).not.toHaveProperty('peer')
    await expectContinuous(guest)
  })

  it('takes no more than its rate', async () => {
    const guest = await start('rate=20Mbit')
    await stepped(guest, 1)
    const [beginMs, before] = [performance.now(), guest.steps()]
    await stepped(guest, 200)
    const seconds = (performance.now() - beginMs) / 1e3
    // 200 ms may be caught up with: a machine that is busy makes it no faster than that.
    expect(guest.steps() - before).toBeLessThan((2.5e6 / 4096) * (seconds + 0.2) + 20)
  })

  it('loses nothing and has nothing twice when its connection breaks', async () => {
    const accounts: StreamAccount[] = []
    const server = createStreamPeer((account) => accounts.push(account))
    const firsts: number[] = []
    server.on('connection', (socket) => {
      socket.once('data', (chunk: Uint8Array) => firsts.push(decodeHello(chunk).first))
    })
    const { peer, sockets } = await listen(server)
    const guest = await start(`rate=1Gbit,peer=${peer}`)
    for (let cut = 1; cut <= 3; cut++) {
      await stepped(guest, 700)
      await guest.pause()
      const socket = sockets.at(-1)!
      // Then much is on its way, and in the card, that the guest has not taken.
      const ahead = guest.steps() + 200 - firsts.at(-1)!
      while (socket.bytesWritten < ahead * SEGMENT_RECORD_BYTES) await setImmediate()
      socket.destroy()
      // It is dialled again while the guest still has what came to take.
      while (accounts.length < cut || firsts.length <= cut) await setImmediate()
      guest.resume()
    }
    await stepped(guest, 700)
    await expectContinuous(guest)
    expect(firsts).toEqual([...accounts.map(({ first }) => first), firsts[3]])
    expect(firsts[0]).toBe(0)
    for (const [i, { first }] of accounts.slice(1).entries()) {
      expect(first).toBeGreaterThanOrEqual(accounts[i]!.acknowledged)
      expect(first).toBeLessThanOrEqual(accounts[i]!.sent)
    }
  })

  it('goes on where the registers say that were loaded', async () => {
    const { peer, sockets } = await listen(createStreamPeer())
    const guest = await start(`rate=1Gbit,peer=${peer}`)
    await stepped(guest, 500)
    await guest.pause()
    const [state, memory] = [guest.captureState(), bytesOf(guest.regions)]
    guest.resume()
    await stepped(guest, 1000)
    await guest.pause()
    guest.regions[0]!.bytes.set(memory)
    guest.restoreState(state)
    guest.resume()
    await stepped(guest, 1000)
    await expectContinuous(guest)
    expect(sockets.length).toBe(2)
  })

  it('does not start where there is no peer', async () => {
    const server = createServer()
    const { peer } = await listen(server)
    server.close()
    await once(server, 'close')
    await expect(start(`peer=${peer}`)).rejects.toMatchObject({
      code: 'GUEST_FAILED',
      message: expect.stringContaining('godwit traffic --streams') as string,
    })
  })
})

describe('a peer that is hostile', () => {
  /** Answers a hello with segments of these numbers, whatever is acknowledged. */
  async function pretender(numbers: readonly number[]): Promise<string> {
    const server = createServer((socket) => {
      const reader = new RecordReader(HELLO_BYTES)
      socket.once('data', (chunk: Uint8Array) => {
        reader.feed(chunk, (record) => {
          const content = new StreamContent(decodeHello(record).seed)
          const bytes = new Uint8Array(numbers.length * SEGMENT_RECORD_BYTES)
          numbers.forEach((number, i) => {
            content.writeRecord(number, bytes, i * SEGMENT_RECORD_BYTES)
          })
          socket.write(bytes)
        })
      })
    })
    return (await listen(server)).peer
  }

  it.each([
    ['leaves a segment out', [0, 1, 3], /Segment 3 came where 2 belongs/],
    ['sends one twice', [0, 1, 1], /Segment 1 came where 2 belongs/],
    ['sends more than the window', Array.from({ length: 300 }, (_, i) => i), /more than 256/],
  ])('ends the guest when it %s', async (_what, numbers, text) => {
    const guest = await start(`rate=8kbit,peer=${await pretender(numbers)}`)
    const error = await guest.failed
    expect(error).toMatchObject({ code: 'GUEST_FAILED' })
    expect(error.message).toMatch(text)
  })

  it('ends the guest when it sends before it was asked', async () => {
    const server = createServer((socket) => socket.write(new Uint8Array(9000)))
    const { peer } = await listen(server)
    const started = start(`peer=${peer}`)
    const failed = started.then(
      (guest) => guest.failed,
      (error: unknown) => error,
    )
    expect(await failed).toMatchObject({ code: 'GUEST_FAILED' })
  })
})
