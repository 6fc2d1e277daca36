import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { interfaceTowards, parseSentBytes, watchLink } from './link-use.ts'

const counters = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs
    lo: 1111 10 0 0 0 0 0 0 2222 20 0 0 0 0 0 0
  eth0:3333 30 0 0 0 0 0 0 4444444444444 40 0 0 0 0 0 0
`

describe('parseSentBytes', () => {
  it('is the ninth number of the line, with or without a space before the first', () => {
    expect(parseSentBytes(counters, 'lo')).toBe(2222)
    expect(parseSentBytes(counters, 'eth0')).toBe(4444444444444)
    expect(parseSentBytes(counters, 'eth')).toBeUndefined()
  })
})

describe('interfaceTowards', () => {
  it('is the loopback for every address of this machine', async () => {
    const names = ['127.0.0.1', '127.3.2.1', 'localhost'].map((host) => interfaceTowards(host))
    expect(await Promise.all(names)).toEqual(['lo', 'lo', 'lo'])
  })

  it('is not known for a name that nobody has', async () => {
    await expect(interfaceTowards('nobody.invalid')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/the link to nobody.invalid is not known.*give it: used=RATE/),
    })
  })
})

describe('watchLink', () => {
  it('sees what others send', async () => {
    const link = await watchLink('127.0.0.1:9')
    const taken = Promise.withResolvers<unknown>()
    const server = createServer((socket) => taken.resolve(once(socket.resume(), 'close')))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address() as { port: number }
    const socket = connect(address.port, '127.0.0.1')
    const beginMs = performance.now()
    const bytes = 64 << 20
    socket.end(Buffer.alloc(bytes))
    await taken.promise
    server.close()
    while (performance.now() - beginMs < 150) await new Promise(setImmediate)
    const perSecond = (bytes / (performance.now() - beginMs)) * 1e3
    // Whatever else goes over the loopback meanwhile, these do.
    const others = link.usedByOthers(0)
    expect(others).toBeGreaterThan(0.7 * perSecond)
    // What was measured a moment ago holds.
    expect(link.usedByOthers(bytes)).toBe(others)
  })
})
