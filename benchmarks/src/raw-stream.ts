/**
 * The physical limit: what one loopback TCP stream carries between two bare Node processes that do
 * nothing else. Run as a program it is the receiving process.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Best of 64 KiB .. 4 MiB on the machines it was tried on. */
const writeBytes = 1 << 20
const inFlightMax = 4

/** Bytes per second of one stream of `totalBytes`. */
export async function measureRawStream(totalBytes: number): Promise<number> {
  const self = fileURLToPath(import.meta.url)
  const receiver = spawn(
    process.execPath,
    [...process.execArgv, self, 'receive', `${totalBytes}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  try {
    const port = Number((await lines.next()).value)
    await sendAll(port, totalBytes)
    return totalBytes / (Number((await lines.next()).value) / 1e3)
  } finally {
    receiver.kill('SIGKILL')
  }
}

async function sendAll(port: number, totalBytes: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
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

/** The receiving process: prints its port, then the milliseconds from first to last byte. */
function receiveAll(totalBytes: number): void {
  const server = createServer((socket) => {
    let received = 0
    let startMs = 0
    socket.on('data', (chunk) => {
      if (received === 0) startMs = performance.now()
      received += chunk.length
      if (received < totalBytes) return
      process.stdout.write(`${performance.now() - startMs}\n`)
      server.close()
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (typeof address === 'object') process.stdout.write(`${address?.port}\n`)
  })
}

if (process.argv[2] === 'receive' && process.argv[1] === fileURLToPath(import.meta.url)) {
  receiveAll(Number(process.argv[3]))
}
