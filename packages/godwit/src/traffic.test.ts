import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { Traffic } from './traffic.ts'
import { startTraffic } from './traffic.ts'
import { listenForTraffic } from './traffic-sink.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function startBoth(bytesPerSecond: number) {
  const sink = await listenForTraffic('127.0.0.1:0')
  cleanups.push(() => sink.close())
  const traffic = await startTraffic({ to: sink.address, bytesPerSecond })
  cleanups.push(() => traffic.stop())
  return { sink, traffic }
}

async function measured(traffic: Traffic, ms: number) {
  const read = traffic.measure()
  while (read().ms < ms) await new Promise(setImmediate)
  return read()
}

describe('traffic', () => {
  it.each([1e6, 100e6])('comes to %d bytes per second, and no more', async (bytesPerSecond) => {
    const { sink, traffic } = await startBoth(bytesPerSecond)
    const report = await measured(traffic, 500)
    expect(report.askedBytesPerSecond).toBe(bytesPerSecond)
    expect(report.bytesPerSecond).toBeCloseTo((report.bytes / report.ms) * 1e3, 3)
    // 20 ms may be caught up with.
    expect(report.bytesPerSecond).toBeLessThan(1.06 * bytesPerSecond)
    expect(report.bytesPerSecond).toBeGreaterThan(0.5 * bytesPerSecond)
    while (sink.receivedBytes < report.bytes) await new Promise(setImmediate)
  })

  it.each([0, -5, Number.NaN])('of %d bytes per second is none', async (bytesPerSecond) => {
    await expect(startTraffic({ to: '127.0.0.1:9', bytesPerSecond })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('bytesPerSecond is to be above 0'),
    })
  })

  it('does not go faster than it is taken', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => sockets.push(socket.pause())).listen(0, '127.0.0.1')
    cleanups.push(() => server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const traffic = await startTraffic({ to: `127.0.0.1:${port}`, bytesPerSecond: 1e9 })
    cleanups.push(() => traffic.stop())
    // The buffers of the system are full then.
    await measured(traffic, 200)
    expect((await measured(traffic, 100)).bytes).toBe(0)
    for (const socket of sockets) socket.destroy()
    expect(await traffic.ended).toMatchObject({ code: 'CONNECTION_LOST' })
  })

  it('is over without an error when it was stopped', async () => {
    const { traffic } = await startBoth(1e6)
    traffic.stop()
    expect(await traffic.ended).toBeUndefined()
  })

  it('does not begin where nobody listens', async () => {
    const sink = await listenForTraffic('127.0.0.1:0')
    sink.close()
    const started = startTraffic({ to: sink.address, bytesPerSecond: 1e6 })
    await expect(started).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' })
  })
})

describe('a sink', () => {
  it('listens off loopback only when told so', async () => {
    await expect(listenForTraffic('0.0.0.0:0')).rejects.toMatchObject({ code: 'INSECURE_ADDRESS' })
    const sink = await listenForTraffic('0.0.0.0:0', true)
    sink.close()
  })

  it('has one address to itself', async () => {
    const sink = await listenForTraffic('127.0.0.1:0')
    cleanups.push(() => sink.close())
    await expect(listenForTraffic(sink.address)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  })
})
