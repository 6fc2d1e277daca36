/**
 * What a demand fault cannot be quicker than: a request of a few bytes and an answer of 4 KiB
 * between two bare Node processes that do nothing else. Run as a program it is the one that
 * answers.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { quantile } from 'simple-statistics'
import { start } from './children.ts'

const requestBytes = 32
const answerBytes = 4096
const warmUpTrips = 2000
const trips = 10_000

/** Microseconds that half of the round trips took at most, and 99 of 100. */
export interface RoundTrip {
  readonly p50Us: number
  readonly p99Us: number
}

/** Some thousands of round trips, one after the other. */
export async function measureRoundTrip(): Promise<RoundTrip> {
  const server = createServer({ noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const self = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, self, 'answer', `${port}`]
  const answerer = start(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    const [socket] = (await once(server, 'connection')) as [Socket]
    const times: number[] = []
    for (let i = 0; i < warmUpTrips + trips; i++) {
      const us = await roundTrip(socket)
      if (i >= warmUpTrips) times.push(us)
    }
    socket.destroy()
    return { p50Us: quantile(times, 0.5), p99Us: quantile(times, 0.99) }
  } finally {
    answerer.kill('SIGKILL')
    server.close()
  }
}

const request = Buffer.alloc(requestBytes, 1)

function roundTrip(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    let left = answerBytes
    const startMs = performance.now()
    const take = (chunk: Buffer): void => {
      left -= chunk.length
      if (left > 0) return
      socket.off('data', take)
      resolve((performance.now() - startMs) * 1e3)
    }
    socket.on('data', take)
    socket.write(request)
  })
}

function answer(port: number): void {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const page = Buffer.alloc(answerBytes, 2)
  let asked = 0
  socket.on('data', (chunk) => {
    for (asked += chunk.length; asked >= requestBytes; asked -= requestBytes) socket.write(page)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) answer(Number(process.argv[3]))
