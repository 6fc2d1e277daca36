/**
 * Where sources dial: sorts their connections by session, and keeps those that come while no case
 * waits for one.
 *
 * @module
 */
import type { AddressInfo, Server } from 'node:net'
import { createServer } from 'node:net'
import { GodwitError } from '@godwit/core'
import type { Preface } from '@godwit/wire'
import { ChannelRole, errorNumbers } from '@godwit/wire'
import { Exchange } from './exchange.ts'
import { hex } from './failure.ts'
import type { Heard } from './raw-channel.ts'
import { RawChannel } from './raw-channel.ts'
import type { Trace } from './trace.ts'

/** One session of a source, with all its channels as they come. */
export interface Caller {
  readonly exchange: Exchange
  readonly preface: Preface
  /** Of epoch 0. */
  readonly control: RawChannel
  /** That came and were not taken yet. */
  readonly arrived: { readonly channel: RawChannel; readonly preface: Preface }[]
}

const roleNames: Readonly<Record<number, string>> = { 1: 'control', 2: 'data', 3: 'urgent' }

/** Listens until it is closed. */
export class SourceListener {
  readonly #server: Server
  readonly #trace: Trace
  readonly #timeoutMs: number
  readonly #callers = new Map<string, Caller>()
  readonly #waiting: Caller[] = []
  readonly #open = new Set<RawChannel>()
  #wake: () => void = () => {}

  private constructor(server: Server, trace: Trace, timeoutMs: number) {
    this.#server = server
    this.#trace = trace
    this.#timeoutMs = timeoutMs
    server.on('connection', (socket) => {
      const tell = (channel: RawChannel, heard: Heard): void => this.#introduced(channel, heard)
      const channel = new RawChannel(socket, ChannelRole.Control, 'new', trace, tell)
      this.#open.add(channel)
      socket.on('close', () => this.#open.delete(channel))
    })
  }

  /** @throws {GodwitError} `ADDRESS_UNAVAILABLE` */
  static async listen(
    host: string,
    port: number,
    trace: Trace,
    timeoutMs: number,
  ): Promise<SourceListener> {
    const server = createServer({ allowHalfOpen: true })
    const listener = new SourceListener(server, trace, timeoutMs)
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        reject(new GodwitError('ADDRESS_UNAVAILABLE', `${host}:${port}: ${error.message}`))
      })
      server.listen(port, host, resolve)
    })
    return listener
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #introduced(channel: RawChannel, heard: Heard): void {
    if (heard.kind !== 'preface') return
    const { preface } = heard
    const { role, index, epoch, session } = preface
    const suffix = role === ChannelRole.Data ? ` ${index}` : ''
    channel.name = `${roleNames[role] ?? role}${suffix}${epoch > 0 ? `, epoch ${epoch}` : ''}`
    const id = hex(session)
    const caller = this.#callers.get(id)
    if (caller !== undefined) {
      channel.tell = caller.exchange.tell
      caller.arrived.push({ channel, preface })
      channel.tell(channel, heard)
    } else if (role === ChannelRole.Control && epoch === 0) {
      const exchange = new Exchange(this.#trace, this.#timeoutMs)
      channel.tell = exchange.tell
      this.#callers.set(id, { exchange, preface, control: channel, arrived: [] })
      this.#waiting.push(this.#callers.get(id)!)
    } else {
      channel.preface(preface)
      const code = errorNumbers.SESSION_UNKNOWN
      channel.send('Error', { code, text: 'The case of this session is over' })
      channel.end()
    }
    this.#wake()
  }

  /** The next source. Undefined when none came in time. */
  async next(timeoutMs: number): Promise<Caller | undefined> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const caller = this.#waiting.shift()
      // It may have given up while nobody asked for it.
      if (caller !== undefined && !caller.control.isOver) return caller
      const leftMs = deadline - performance.now()
      if (caller === undefined && leftMs <= 0) return undefined
      if (caller === undefined) await this.#change(leftMs)
    }
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** The session is of no interest any more; a source that comes back is told so. */
  forget(caller: Caller): void {
    this.#callers.delete(hex(caller.preface.session))
    caller.control.destroy()
    for (const { channel } of caller.arrived) channel.destroy()
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const channel of this.#open) channel.destroy()
    await closed
  }
}
