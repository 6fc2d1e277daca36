/**
 * Makes a wrong agent of a right one: between it and the suite, it changes what either says.
 *
 * @module
 */
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { crc32 } from '@godwit/core'
import type { Message, MessageBodies, MessageName } from '@godwit/wire'
import { FRAME, FRAME_HEADER_BYTES, coveredBytes, decodeMessage, encodeMessage } from '@godwit/wire'
import { Splitter } from '../end-to-end/tap.ts'

/** A preface or a frame on its way, which may be changed in place. */
export interface Passing {
  /** Whether the agent under test said it. */
  readonly fromAgent: boolean
  readonly name: string
  bytes: Uint8Array
  /** A frame to the other side, in the place of one that it does not get. */
  readonly answer: (frame: Uint8Array) => void
}

/** What becomes of it; `lose`: nothing. */
export type Mutation = (unit: Passing) => 'pass' | 'lose'

/** Header and checksum as they are to be for what stands there now. */
export function seal(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bodyBytes = bytes.length - FRAME_HEADER_BYTES
  view.setUint32(FRAME.length, bodyBytes, true)
  const type = view.getUint16(FRAME.type, true)
  const end = FRAME_HEADER_BYTES + coveredBytes(type, view, FRAME_HEADER_BYTES, bodyBytes)
  const header = crc32(bytes, 0, 0, FRAME.checksum)
  view.setUint32(FRAME.checksum, crc32(bytes, header, FRAME_HEADER_BYTES, end), true)
  return bytes
}

/** Changes the body of every message of that name that the agent says. */
export function rewrite<Name extends MessageName>(
  name: Name,
  change: (body: MessageBodies[Name]) => object,
): Mutation {
  return (unit) => {
    if (!unit.fromAgent || unit.name !== name) return 'pass'
    const { bytes } = unit
    const type = bytes[FRAME.type]! | (bytes[FRAME.type + 1]! << 8)
    const message = decodeMessage(type, bytes.subarray(FRAME_HEADER_BYTES))
    const body = change(message.body as MessageBodies[Name])
    const encoded = encodeMessage({ name, body } as unknown as Message)
    unit.bytes = seal(Buffer.concat([bytes.subarray(0, FRAME_HEADER_BYTES), encoded]))
    return 'pass'
  }
}

/** Listens for one side, and dials the other one for every connection. */
export class MutatingProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  /**
   * @param to - who is dialled
   * @param isAgentDialled - whether that is the agent under test, or the suite
   * @param keepsOpen - whether the end of what the agent says is kept from the suite
   */
  static async start(
    to: string,
    isAgentDialled: boolean,
    mutation: Mutation,
    keepsOpen = false,
  ): Promise<MutatingProxy> {
    const [host, port] = to.split(':') as [string, string]
    const server = createServer({ allowHalfOpen: true })
    const proxy = new MutatingProxy(server)
    server.on('connection', (near) => {
      const far = connect({ host, port: Number(port), allowHalfOpen: true })
      const [agent, suite] = isAgentDialled ? [far, near] : [near, far]
      proxy.#pass(agent, suite, true, mutation, keepsOpen)
      proxy.#pass(suite, agent, false, mutation, false)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #pass(
    from: Socket,
    into: Socket,
    fromAgent: boolean,
    mutation: Mutation,
    keepsOpen: boolean,
  ): void {
    const splitter = new Splitter()
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      if (!keepsOpen) into.destroySoon()
    })
    from.on('end', () => {
      // What is no whole frame is passed on, too: the other side is to judge it.
      if (!keepsOpen) into.end(splitter.rest)
    })
    from.on('data', (chunk: Uint8Array) => {
      for (const { name, bytes } of splitter.take(chunk)) {
        const unit: Passing = { fromAgent, name, bytes, answer: (frame) => from.write(frame) }
        if (mutation(unit) === 'pass') into.write(unit.bytes)
      }
    })
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
