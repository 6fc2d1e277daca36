import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, expect, test } from 'vitest'
import { createDialler } from './dialler.ts'
import { listen } from './listener.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A server that only TCP knows about: it accepts and does as told. */
async function serve(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = []
  const server: Server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return `127.0.0.1:${port}`
}

test('an address that nobody could dial is refused at once', () => {
  expect(() => createDialler('nonsense')).toThrow(
    expect.objectContaining({ code: 'ADDRESS_INVALID' }),
  )
  expect(() => createDialler('127.0.0.1:0')).toThrow(
    expect.objectContaining({ code: 'ADDRESS_INVALID' }),
  )
})

test.each(['', 'ws://'])('%sa port where nothing listens', async (scheme) => {
  const listener = await listen('127.0.0.1:0', () => {})
  await listener.close()
  await expect(createDialler(`${scheme}${listener.address}`).dial()).rejects.toMatchObject({
    code: 'CONNECTION_REFUSED',
    message: `Nothing listens at ${listener.address}`,
    retryable: true,
  })
})

test('an unknown host', async () => {
  // The name is reserved to be unknown (RFC 6761), and too long a label for any resolver to send.
  const host = `${'x'.repeat(64)}.invalid`
  await expect(createDialler(`${host}:7000`).dial()).rejects.toMatchObject({
    code: 'ADDRESS_UNRESOLVED',
  })
})

test('a server that never answers the upgrade runs into the deadline', async () => {
  const address = await serve(() => {})
  const dialler = createDialler(`ws://${address}`, { connectTimeoutMs: 50 })
  await expect(dialler.dial()).rejects.toMatchObject({ code: 'CONNECTION_TIMEOUT' })
})

test('a full accept queue runs into the deadline', async () => {
  // A thread that listens and then sleeps for good never accepts.
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 })
    server.on('listening', () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`,
    { eval: true },
  )
  cleanups.push(() => worker.terminate())
  const [port] = await once(worker, 'message')
  const dialler = createDialler(`127.0.0.1:${port}`, { connectTimeoutMs: 100 })
  const fill = async (): Promise<never> => {
    for (;;) {
      const channel = await dialler.dial()
      cleanups.push(() => channel.destroy())
    }
  }
  await expect(fill()).rejects.toMatchObject({ code: 'CONNECTION_TIMEOUT' })
})

test('a server that answers HTTP without upgrading', async () => {
  const address = await serve((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'))
  await expect(createDialler(`ws://${address}`).dial()).rejects.toMatchObject({
    code: 'CONNECTION_REFUSED',
    message: expect.stringContaining('404'),
  })
})

test('a server that hangs up during the upgrade', async () => {
  const address = await serve((socket) => socket.destroy())
  await expect(createDialler(`ws://${address}`).dial()).rejects.toMatchObject({
    code: 'CONNECTION_LOST',
  })
})

test.each(['', 'ws://'])('%san aborted signal ends the dial', async (scheme) => {
  const address = await serve(() => {})
  const dialler = createDialler(`${scheme}${address}`)
  const controller = new AbortController()
  const dialling = dialler.dial(controller.signal)
  controller.abort()
  await expect(dialling).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(dialler.dial(controller.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
})

test.each([
  ['127.0.0.1:7000', true],
  ['ws://[::1]:7000', true],
  ['10.0.0.2:7000', false],
] as const)('%s is an address of this machine: %s', (address, isLoopback) => {
  expect(createDialler(address).isLoopback).toBe(isLoopback)
})
