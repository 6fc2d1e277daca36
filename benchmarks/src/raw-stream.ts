/**
 * The physical limit: what one loopback TCP stream carries between two bare Node processes that do
 * nothing else. Run as a program it is the receiving process.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { start } from './children.ts'

/** Best of 64 KiB .. 4 MiB on the machines it was tried on. */
const writeBytes = 1 << 20
const inFlightMax = 4
const readBytes = 1 << 20

/** Bytes per second of one stream of `totalBytes`. */
export async function measureRawStream(totalBytes: number): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const self = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, self, 'receive', `${port}`, `${totalBytes}`]
  const receiver = start(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [socket] = (await once(server, 'connection')) as [Socket]
    const lines = createInterface({ input: receiver.stdout })
    const measured = once(lines, 'line')
    await sendAll(socket, totalBytes)
    const [ms] = (await measured) as [string]
    return totalBytes / (Number(ms) / 1e3)
  } finally {
    receiver.kill('SIGKILL')
    server.close()
  }
}

async function sendAll(socket: Socket, totalBytes: number): Promise<void> {
  const chunks = Array.from({ length: inFlightMax }, () => Buffer.alloc(writeBytes, 0x5a))
  await new Promise<void>((resolve) => {
    let left = totalBytes
    let inFlight = 0
    const pump = (chunk: Buffer): void => {
      if (left > 0) {
        const bytes = Math.min(left, writeBytes)
        left -= bytes
        inFlight++
        socket.write(chunk.subarray(0, bytes), () => {
          inFlight--
          pump(chunk)
        })
      } else if (inFlight === 0) {
        resolve()
      }
    }
    for (const chunk of chunks) pump(chunk)
  })
  socket.end()
}

/**
 * The receiving process: prints the milliseconds from first to last byte. It dials, because Node
 * reads into a buffer of one's own (its fastest way) on the dialling side only.
 */
function receiveAll(port: number, totalBytes: number): void {
  let received = 0
  let startMs = 0
  const onread = {
    buffer: Buffer.alloc(readBytes),
    callback(bytes: number): boolean {
      if (received === 0) startMs = performance.now()
      received += bytes
      if (received >= totalBytes) process.stdout.write(`${performance.now() - startMs}\n`)
      return true
    },
  }
  connect({ port, host: '127.0.0.1', onread })
}

if (process.argv[2] === 'receive' && process.argv[1] === fileURLToPath(import.meta.url)) {
  receiveAll(Number(process.argv[3]), Number(process.argv[4]))
}
