import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  checkSegment,
  encodeAcknowledgement,
  encodeHello,
  RecordReader,
  SEGMENT_RECORD_BYTES,
  StreamContent,
} from './stream.ts'
import { createStreamPeer, type StreamAccount } from './stream-peer.ts'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A guest that reads so many segments, and the account of the peer once it is over. */
async function join() {
  const ended = Promise.withResolvers<StreamAccount>()
  const server = createStreamPeer((account) => ended.resolve(account))
  cleanups.push(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  return { socket, ended: ended.promise }
}

/** @returns numbers of segments from `first` on, each checked against the stream */
async function read(socket: Socket, seed: number, first: number, count: number): Promise<void> {
  const reader = new RecordReader(SEGMENT_RECORD_BYTES)
  const content = new StreamContent(seed)
  let next = first
  const take = (record: Uint8Array): void => {
    checkSegment(record, next)
    expect(Buffer.compare(record.subarray(8), new Uint8Array(content.segment(next).buffer))).toBe(0)
    next++
  }
  while (next < first + count) reader.feed(((await once(socket, 'data')) as [Buffer])[0], take)
}

const fast = { seed: 3, bytesPerSecond: 1e9 }

describe('a peer', () => {
  it('sends what was asked for, a window ahead and no more', async () => {
    const { socket, ended } = await join()
    socket.write(encodeHello({ ...fast, acknowledged: 1000, first: 1010 }))
    await read(socket, 3, 1010, 246)
    socket.write(encodeAcknowledgement(1016))
    await read(socket, 3, 1256, 16)
    socket.destroy()
    const account = { seed: 3, first: 1010, sent: 1272, acknowledged: 1016, error: undefined }
    expect(await ended).toEqual(account)
  })

  it('takes a hello and acknowledgements byte by byte', async () => {
    const { socket, ended } = await join()
    socket.setNoDelay(true)
    for (const byte of encodeHello({ ...fast, acknowledged: 0, first: 0 })) {
      socket.write(Uint8Array.of(byte))
    }
    await read(socket, 3, 0, 256)
    for (const byte of encodeAcknowledgement(256)) socket.write(Uint8Array.of(byte))
    await read(socket, 3, 256, 256)
    socket.destroy()
    expect(await ended).toMatchObject({ sent: 512, acknowledged: 256 })
  })

  it('comes to the rate that was asked for, and no more', async () => {
    const { socket } = await join()
    const beginMs = performance.now()
    socket.write(encodeHello({ seed: 1, bytesPerSecond: 2e6, acknowledged: 0, first: 0 }))
    await read(socket, 1, 0, 200)
    // 200 segments of 4104 bytes are 410 ms; 20 ms may be caught up with.
    expect(performance.now() - beginMs).toBeGreaterThan(350)
  })

  it('hangs up on a guest that acknowledges what was not sent', async () => {
    const { socket, ended } = await join()
    socket.write(encodeHello({ ...fast, acknowledged: 0, first: 0 }))
    await read(socket, 3, 0, 1)
    socket.write(encodeAcknowledgement(10_000))
    socket.resume()
    expect(await ended).toMatchObject({ error: { code: 'WIRE_SEQUENCE' }, acknowledged: 0 })
    if (!socket.destroyed) await once(socket, 'close')
  })

  it.each([
    ['who is no guest', new TextEncoder().encode(`GET / HTTP/1.1\r\n${' '.repeat(40)}`)],
    [
      'who asks for too much',
      encodeHello({ ...fast, bytesPerSecond: 2e9, acknowledged: 0, first: 0 }),
    ],
  ])('hangs up on one %s, and says nothing', async (_who, bytes) => {
    const { socket } = await join()
    let got = 0
    socket.on('data', ({ length }) => {
      got += length
    })
    socket.on('error', () => {})
    socket.write(bytes)
    await new Promise((resolve) => socket.on('close', resolve))
    expect(got).toBe(0)
  })
})
