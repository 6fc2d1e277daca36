import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Channel, Listener } from '@godwit/core'
import { RecordingSink } from '@godwit/testkit'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createDialler } from './dialler.ts'
import { type ListenOptions, WEB_SOCKET_STRANGERS_MAX, listen } from './listener.ts'
import { WS_MESSAGE_BYTES_MAX } from './ws-channel.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Setup {
  readonly listener: Listener
  readonly errors: string[]
  /** The next channel that was accepted. */
  readonly nextChannel: () => Promise<Channel>
}

async function setUp(options: ListenOptions = {}, isKnown = true): Promise<Setup> {
  const errors: string[] = []
  const accepted: Channel[] = []
  const waiting: ((channel: Channel) => void)[] = []
  const listener = await listen(
    '127.0.0.1:0',
    (channel, place) => {
      cleanups.push(() => channel.destroy())
      if (isKnown) place.settle()
      const resolve = waiting.shift()
      if (resolve === undefined) accepted.push(channel)
      else resolve(channel)
    },
    { ...options, onError: (error) => errors.push(error.message) },
  )
  cleanups.push(() => listener.close())
  const nextChannel = (): Promise<Channel> => {
    const channel = accepted.shift()
    if (channel !== undefined) return Promise.resolve(channel)
    return new Promise((resolve) => {
      waiting.push(resolve)
    })
  }
  return { listener, errors, nextChannel }
}

function connectRaw(address: string): Socket {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  socket.on('error', () => {})
  cleanups.push(() => socket.destroy())
  return socket
}

function hasClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('close', () => resolve())
    socket.resume()
  })
}

async function openWebSocket(address: string): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://${address}`)
  webSocket.on('error', () => {})
  cleanups.push(() => webSocket.terminate())
  await new Promise((resolve) => {
    webSocket.on('open', resolve)
  })
  return webSocket
}

test('the address tells the port that was bound; a second listener finds it in use', async () => {
  const { listener } = await setUp()
  expect(listener.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/)
  await expect(listen(listener.address, () => {})).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: `${listener.address} is already in use`,
  })
})

test('an address of another machine, and no address', async () => {
  // 192.0.2.0/24 is reserved for documentation (RFC 5737).
  await expect(listen('192.0.2.1:0', () => {})).rejects.toMatchObject({
    code: 'ADDRESS_UNAVAILABLE',
  })
  await expect(listen('here', () => {})).rejects.toMatchObject({ code: 'ADDRESS_INVALID' })
})

test('one port takes TCP and WebSocket', async () => {
  const { listener, nextChannel } = await setUp()
  const tcp = await createDialler(listener.address).dial()
  cleanups.push(() => tcp.destroy())
  tcp.write(Uint8Array.of(0x89, 1))
  expect((await nextChannel()).remote).toMatch(/^tcp 127\.0\.0\.1:\d+$/)
  const ws = await createDialler(`ws://${listener.address}`).dial()
  cleanups.push(() => ws.destroy())
  expect((await nextChannel()).remote).toMatch(/^ws 127\.0\.0\.1:\d+$/)
})

test('close() frees the port, drops who is undecided and spares channels', async () => {
  const { listener, nextChannel } = await setUp()
  const dialled = await createDialler(listener.address).dial()
  cleanups.push(() => dialled.destroy())
  dialled.write(Uint8Array.of(0x89))
  const accepted = await nextChannel()
  const undecided = connectRaw(listener.address)
  await new Promise((resolve) => undecided.on('connect', resolve))
  await listener.close()
  const again = await listen(listener.address, () => {})
  cleanups.push(() => again.close())
  undecided.resume()
  const sink = new RecordingSink()
  accepted.open(sink)
  dialled.write(Uint8Array.of(2, 3))
  await sink.until(3)
  expect([...sink.bytes]).toEqual([0x89, 2, 3])
})

test('a connection that speaks neither is dropped', async () => {
  const { listener, errors } = await setUp()
  const socket = connectRaw(listener.address)
  socket.write('SSH-2.0-somebody\r\n')
  await hasClosed(socket)
  expect(errors).toEqual([expect.stringContaining('neither')])
})

test.each(['', 'GET / HTTP/1.1\r\nHost: x\r\n'])(
  'a connection that says only "%s" is dropped at the deadline',
  async (said) => {
    const { listener, errors } = await setUp({ firstByteDeadlineMs: 50 })
    const socket = connectRaw(listener.address)
    socket.write(said)
    await hasClosed(socket)
    expect(errors).toEqual([expect.stringContaining('nothing for too long')])
  },
)

test('the deadline is over once the channel was handed out', async () => {
  const { listener, nextChannel } = await setUp({ firstByteDeadlineMs: 30 })
  const dialled = await createDialler(`ws://${listener.address}`).dial()
  cleanups.push(() => dialled.destroy())
  const sink = new RecordingSink()
  const accepted = await nextChannel()
  accepted.open(sink)
  // Another connection that runs into its own, later deadline shows that ours has passed.
  await hasClosed(connectRaw(listener.address))
  dialled.write(Uint8Array.of(1))
  await sink.until(1)
  expect(sink.closedCount).toBe(0)
})

test('a plain GET, however it is cut, is answered 426 in one line', async () => {
  const { listener } = await setUp()
  const socket = connectRaw(listener.address)
  socket.setNoDelay(true)
  const answer = text(socket)
  for (const letter of 'GET / HTTP/1.1\r\nHost: x\r\n\r\n') {
    await new Promise((resolve) => socket.write(letter, resolve))
  }
  const [head, body] = (await answer).split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/)
  expect(body).toMatch(/WebSocket/)
})

test('the connection beyond the limit is dropped at once', async () => {
  const { listener, errors, nextChannel } = await setUp({ connectionsMax: 1 })
  const first = connectRaw(listener.address)
  first.write(Uint8Array.of(0x89))
  await nextChannel()
  await hasClosed(connectRaw(listener.address))
  expect(errors).toEqual([expect.stringContaining('limit')])
})

test('the oldest connection that is not known makes room for another', async () => {
  const { listener, errors, nextChannel } = await setUp({ connectionsMax: 2 }, false)
  const silent = connectRaw(listener.address)
  await new Promise((resolve) => silent.on('connect', resolve))
  const first = connectRaw(listener.address)
  first.write(Uint8Array.of(0x89))
  const channel = await nextChannel()
  const sink = new RecordingSink()
  channel.open(sink)
  const second = connectRaw(listener.address)
  second.write(Uint8Array.of(0x89))
  await hasClosed(silent)
  await nextChannel()
  expect(errors).toEqual([expect.stringContaining('limit')])
  expect(sink.closedCount).toBe(0)
  // One that was handed out is no better, as long as nobody says that it is.
  connectRaw(listener.address).write(Uint8Array.of(0x89))
  await hasClosed(first)
  await sink.ended
  await nextChannel()
})

test('of WebSockets that are not known, and may have long messages, there are fewer', async () => {
  const { listener, nextChannel } = await setUp({}, false)
  const first = await openWebSocket(listener.address)
  const closed = new Promise((resolve) => first.on('close', resolve))
  for (let i = 0; i < WEB_SOCKET_STRANGERS_MAX; i++) await openWebSocket(listener.address)
  await closed
  // Whoever is known does not count.
  const other = await setUp()
  const known = await openWebSocket(other.listener.address)
  for (let i = 0; i < WEB_SOCKET_STRANGERS_MAX; i++) await openWebSocket(other.listener.address)
  for (let i = 0; i <= WEB_SOCKET_STRANGERS_MAX; i++) await other.nextChannel()
  expect(known.readyState).toBe(WebSocket.OPEN)
  expect(await nextChannel()).toBeDefined()
})

test.each(['tcp', 'ws'])('a connection that is over leaves its place: %s', async (kind) => {
  const { listener, nextChannel } = await setUp({ connectionsMax: 1 })
  for (let i = 0; i < 3; i++) {
    const to = kind === 'ws' ? `ws://${listener.address}` : listener.address
    const dialled = await createDialler(to).dial()
    dialled.write(Uint8Array.of(0x89))
    const channel = await nextChannel()
    const sink = new RecordingSink()
    channel.open(sink)
    const far = new RecordingSink()
    dialled.open(far)
    dialled.end()
    await sink.ended
    channel.end()
    await far.ended
    expect([sink.closedCount, far.closedCount]).toEqual([1, 1])
    // The end of a socket is told a moment after that of its stream.
    await new Promise(setImmediate)
    await new Promise(setImmediate)
  }
})

test('a text message ends the channel with an error', async () => {
  const { listener, nextChannel } = await setUp()
  const webSocket = await openWebSocket(listener.address)
  const closeCode = new Promise((resolve) => {
    webSocket.on('close', resolve)
  })
  const sink = new RecordingSink()
  const channel = await nextChannel()
  channel.open(sink)
  webSocket.send('hello')
  webSocket.send(Uint8Array.of(1))
  expect(await sink.ended).toMatchObject({
    code: 'CONNECTION_LOST',
    message: expect.stringContaining('text'),
  })
  expect(await closeCode).toBe(1003)
  expect([sink.totalBytes, sink.closedCount]).toEqual([0, 1])
})

test('a message that is too long ends the channel with an error', async () => {
  const { listener, nextChannel } = await setUp()
  const webSocket = await openWebSocket(listener.address)
  const sink = new RecordingSink()
  const channel = await nextChannel()
  channel.open(sink)
  webSocket.send(new Uint8Array(WS_MESSAGE_BYTES_MAX + 1))
  expect(await sink.ended).toMatchObject({ code: 'CONNECTION_LOST' })
  expect(sink.totalBytes).toBe(0)
})
