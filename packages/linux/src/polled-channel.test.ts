import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Channel, TransportError } from '@godwit/core'
import { RecordingSink } from '@godwit/testkit'
import { channelCompliance } from '@godwit/testkit/channel-compliance'
import { afterEach, describe, expect, test } from 'vitest'
import type { DescriptorCalls } from './descriptor-calls.ts'
import { loadDescriptorCalls } from './descriptor-calls.ts'
import { PollLoop } from './poll-loop.ts'
import { PolledChannel, createPolledPair } from './polled-channel.ts'
import type { SystemCalls } from './system-calls.ts'
import { loadSystemCalls } from './system-calls.ts'

const isLinux = process.platform === 'linux'
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A loop that has a turn in every turn of Node's, until it is stopped. */
function steppedLoop(calls: DescriptorCalls): { loop: PollLoop; stop: () => void } {
  const loop = new PollLoop(calls)
  let turn: NodeJS.Immediate
  const step = (): void => {
    loop.soon(() => loop.stop())
    loop.run()
    turn = setImmediate(step)
  }
  turn = setImmediate(step)
  return { loop, stop: () => clearImmediate(turn) }
}

/** A TCP connection of Node's. */
async function connectTcp(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const dialled = connect({ port, host: '127.0.0.1' })
  const [[accepted]] = (await Promise.all([
    once(server, 'connection'),
    once(dialled, 'connect'),
  ])) as [[Socket], unknown]
  server.close()
  return [dialled, accepted]
}

/** The connection of `socket`, as another thread would get it. */
function polled(
  socket: Socket,
  parts: { loop: PollLoop; calls: DescriptorCalls; system: SystemCalls; onOver?: () => void },
): PolledChannel {
  const { loop, calls, system, onOver = () => {} } = parts
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
  const detached = {
    descriptor: system.duplicate(fd),
    early: new Uint8Array(0),
    remote: 'tcp other',
    bytesWritten: 0,
    bytesRead: 0,
  }
  socket.destroy()
  return new PolledChannel(loop, calls, detached, onOver)
}

if (isLinux) {
  channelCompliance('polled, over TCP', async () => {
    const [calls, system] = [await loadDescriptorCalls(), await loadSystemCalls()]
    const { loop, stop } = steppedLoop(calls)
    const sockets = await connectTcp()
    const [dialled, accepted] = sockets.map((socket) => polled(socket, { loop, calls, system }))
    return closable(dialled!, accepted!, stop)
  })

  channelCompliance('polled, to itself', async () => {
    const calls = await loadDescriptorCalls()
    const { loop, stop } = steppedLoop(calls)
    const [dialled, accepted] = createPolledPair(loop, calls)
    return closable(dialled, accepted, stop)
  })
}

function closable(
  dialled: Channel,
  accepted: Channel,
  stop: () => void,
): { dialled: Channel; accepted: Channel; close(): Promise<void> } {
  return {
    dialled,
    accepted,
    async close() {
      dialled.destroy()
      accepted.destroy()
      stop()
    },
  }
}

describe.runIf(isLinux)('PolledChannel', () => {
  async function channelOf(
    socket: Socket,
    early = new Uint8Array(0),
  ): Promise<{ channel: PolledChannel; over: Promise<void> }> {
    const [calls, system] = [await loadDescriptorCalls(), await loadSystemCalls()]
    const { loop, stop } = steppedLoop(calls)
    cleanups.push(stop)
    const over = Promise.withResolvers<void>()
    if (early.length === 0) {
      const channel = polled(socket, { loop, calls, system, onOver: over.resolve })
      return { channel, over: over.promise }
    }
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const counters = { bytesWritten: 7, bytesRead: early.length }
    const detached = { descriptor: system.duplicate(fd), early, remote: 'tcp other', ...counters }
    socket.destroy()
    const channel = new PolledChannel(loop, calls, detached, over.resolve)
    return { channel, over: over.promise }
  }

  test('hands out first what another channel has read, and goes on counting', async () => {
    const [near, far] = await connectTcp()
    const { channel } = await channelOf(near, Uint8Array.of(1, 2, 3))
    const sink = new RecordingSink({ spaceBytes: 2 })
    channel.open(sink)
    expect(sink.totalBytes, 'not inside open()').toBe(0)
    far.write(Uint8Array.of(4, 5))
    await sink.until(5)
    expect([...sink.bytes]).toEqual([1, 2, 3, 4, 5])
    expect(channel.bytesRead).toBe(5)
    channel.write(Uint8Array.of(9))
    await once(far, 'readable')
    expect([...(far.read() as Buffer)]).toEqual([9])
    expect(channel.bytesWritten).toBe(8)
    far.destroy()
  })

  test('tells that the connection was lost, and then that it is over', async () => {
    const [near, far] = await connectTcp()
    const { channel, over } = await channelOf(near)
    const sink = new RecordingSink()
    channel.open(sink)
    far.resetAndDestroy()
    const error = (await sink.ended) as TransportError
    expect([error.code, error.message]).toEqual([
      'CONNECTION_LOST',
      'The connection to other was lost',
    ])
    await over
    channel.write(new Uint8Array(1), () => expect.unreachable('written after the end'))
    channel.end()
    channel.destroy()
    await new Promise(setImmediate)
    expect(sink.closedCount).toBe(1)
  })
})
