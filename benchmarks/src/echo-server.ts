/**
 * A server that knows nothing of Godwit and says what it hears, in a process of its own.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { start } from './children.ts'
import { firstLine } from './process.ts'

const self = fileURLToPath(import.meta.url)

/** Resolves once it listens on loopback. The process is the caller's to end. */
export async function startEchoServer(): Promise<{ address: string; process: ChildProcess }> {
  const child = start(process.execPath, [self, 'echo'], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { address: await firstLine(child), process: child }
}

function serve(): void {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`127.0.0.1:${(server.address() as AddressInfo).port}\n`)
  })
}

if (process.argv[2] === 'echo' && process.argv[1] === self) serve()
