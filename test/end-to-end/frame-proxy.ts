/**
 * A proxy that sees every frame between processes, and can lose one with all connections there are.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Preface } from '@godwit/wire'
import { decodePreface } from '@godwit/wire'
import type { Direction, UnitName } from './tap.ts'
import { Splitter } from './tap.ts'

/** A preface or a frame; `written` by the source, or `read` there. */
export interface ProxiedUnit {
  readonly preface: Preface
  readonly direction: Direction
  readonly name: UnitName
}

/** Passes whole units on; where `isLost` says so, one is lost, and every connection with it. */
export class FrameProxy {
  /** New connections are dropped at once. */
  isDown = false
  cuts = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(to: string, isLost: (unit: ProxiedUnit) => boolean) {
    const [host, port] = to.split(':') as [string, string]
    this.#server = createServer((source) => {
      if (this.isDown) {
        source.destroy()
        return
      }
      const destination = connect(Number(port), host)
      let preface: Preface | undefined
      const pass = (from: Socket, into: Socket, direction: Direction): void => {
        const splitter = new Splitter()
        this.#sockets.add(from)
        from.setNoDelay(true)
        from.on('error', () => {})
        from.on('close', () => {
          this.#sockets.delete(from)
          into.destroy()
        })
        from.on('data', (chunk: Buffer) => {
          for (const { name, bytes } of splitter.take(chunk)) {
            // The source's comes first, and tells which channel this is.
            preface ??= decodePreface(bytes)!
            if (from.destroyed) return
            if (isLost({ preface, direction, name })) this.cut()
            else into.write(bytes)
          }
        })
      }
      pass(source, destination, 'written')
      pass(destination, source, 'read')
    })
  }

  /** Drops all connections. */
  cut(): void {
    this.cuts++
    for (const socket of this.#sockets) socket.destroy()
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
