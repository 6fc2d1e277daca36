/**
 * How long a message takes over a link, until all of it is there and that is known: a server that
 * answers with one byte, and a client. Run as a program it is either of them.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '@godwit/transport'

export const PROBE_PROGRAM: string = fileURLToPath(import.meta.url)
/** Before a message: buckets fill, and queues run empty. */
const restMs = 150
const pieceBytes = 1 << 20

/** The message ends with a byte that is not 0. */
async function answer(host: string): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (piece) => {
      if (piece.at(-1) !== 0) socket.write(Uint8Array.of(1))
    })
    socket.on('error', () => {})
  })
  server.listen(0, host)
  await once(server, 'listening')
  process.stdout.write(`${host}:${(server.address() as AddressInfo).port}\n`)
  process.stdin.on('close', () => process.exit()).resume()
}

/** Reads how many bytes, answers in how many milliseconds. */
async function ask(address: string): Promise<void> {
  const socket = connect({ ...parseAddress(address), noDelay: true })
  await once(socket, 'connect')
  process.stdout.write('connected\n')
  for await (const line of createInterface({ input: process.stdin })) {
    const message = Buffer.alloc(Number(line))
    message[message.length - 1] = 1
    await sleep(restMs)
    const startMs = performance.now()
    for (let at = 0; at < message.length; at += pieceBytes) {
      socket.write(message.subarray(at, at + pieceBytes))
    }
    await once(socket, 'data')
    process.stdout.write(`${performance.now() - startMs}\n`)
  }
  process.exit()
}

if (process.argv[1] === PROBE_PROGRAM) {
  const [, , role, where = ''] = process.argv
  await (role === 'answer' ? answer(where) : ask(where))
}
