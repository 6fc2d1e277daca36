/**
 * A TCP proxy that loses connections.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** Passes bytes on, and drops all connections after so many bytes to the destination, each time. */
export class CuttingProxy {
  cuts = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #left: number

  constructor(to: string, cutsAfter: number[]) {
    this.#left = cutsAfter.shift() ?? Infinity
    const [host, port] = to.split(':') as [string, string]
    this.#server = createServer((source) => {
      const destination = connect(Number(port), host)
      for (const [from, into] of [
        [source, destination],
        [destination, source],
      ] as const) {
        this.#sockets.add(from)
        from.setNoDelay(true)
        from.on('error', () => {})
        from.on('close', () => {
          this.#sockets.delete(from)
          into.destroy()
        })
        from.on('data', (chunk: Buffer) => {
          into.write(chunk)
          if (from !== source) return
          this.#left -= chunk.length
          if (this.#left > 0) return
          this.#left = cutsAfter.shift() ?? Infinity
          this.cuts++
          for (const socket of this.#sockets) socket.destroy()
        })
      }
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
  }
}
