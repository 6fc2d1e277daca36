/**
 * A network of two processes that knows every frame: it can cut channels, stall them with their
 * sockets open, close one direction, or pass bytes at a trickle.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import type { Preface } from '@godwit/wire'
import { decodePreface } from '@godwit/wire'
import type { Direction } from '../end-to-end/tap.ts'
import { Splitter } from '../end-to-end/tap.ts'
import type { Place } from './place.ts'
import { PlaceCounter } from './place.ts'

const trickleBytes = 16 * 1024
const trickleMs = 10

type OnBytes = (name: Place['name'], bytes: Uint8Array) => boolean

/** One direction of a channel. */
class Way {
  readonly #from: Socket
  readonly #into: Socket
  readonly #splitter = new Splitter()
  readonly #onUnit: OnBytes
  readonly #waiting: Uint8Array[] = []
  #timer: NodeJS.Timeout | undefined
  #state: 'open' | 'trickling' | 'deaf' | 'stalled' = 'open'

  /** @param onUnit - says whether the unit is passed on */
  constructor(from: Socket, into: Socket, onUnit: OnBytes) {
    this.#from = from
    this.#into = into
    this.#onUnit = onUnit
    from.setNoDelay(true)
    from.on('error', () => {})
    from.on('data', (chunk: Buffer) => this.#take(chunk))
    from.on('end', () => {
      if (this.#state !== 'stalled') into.end()
    })
    from.on('close', (hadError) => {
      if (hadError && this.#state !== 'stalled') into.destroy()
    })
  }

  #take(chunk: Buffer): void {
    for (const { name, bytes } of this.#splitter.take(chunk)) {
      if (this.#state === 'stalled' || this.#state === 'deaf') return
      if (!this.#onUnit(name, bytes)) continue
      if (this.#state === 'trickling') this.#queue(bytes)
      else this.#pass(bytes)
    }
  }

  #pass(bytes: Uint8Array): void {
    if (this.#into.destroyed || this.#into.writableEnded || this.#into.write(bytes)) return
    this.#from.pause()
    this.#into.once('drain', () => {
      if (this.#state === 'open') this.#from.resume()
    })
  }

  #queue(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += trickleBytes) {
      this.#waiting.push(bytes.subarray(at, at + trickleBytes))
    }
    if (this.#waiting.length === 0 || this.#timer !== undefined) return
    this.#from.pause()
    this.#timer = setInterval(() => this.#drip(), trickleMs)
  }

  #drip(): void {
    const drop = this.#waiting.shift()
    if (drop !== undefined && this.#state === 'trickling') return this.#pass(drop)
    clearInterval(this.#timer)
    this.#timer = undefined
    if (this.#state === 'trickling') this.#from.resume()
  }

  /** From here on little is read at a time, and the writer has to wait. */
  trickle(): void {
    this.#state = 'trickling'
  }

  /** Nothing is read any more, and not even the end is told. */
  stall(): void {
    this.#state = 'stalled'
    this.#from.pause()
  }

  /** Whoever reads is told that no more comes; the writer is not. */
  endEarly(): void {
    this.#state = 'deaf'
    this.#into.end()
  }
}

/** Two sockets, one for each side. */
export class ProxiedChannel {
  readonly ways: Readonly<{ [key in Direction]: Way }>
  readonly #sockets: readonly Socket[]

  constructor(source: Socket, destination: Socket, onUnit: OnChannel) {
    this.#sockets = [source, destination]
    const way = (from: Socket, into: Socket, direction: Direction): Way =>
      new Way(from, into, (name, bytes) => onUnit(this, direction, name, bytes))
    this.ways = {
      written: way(source, destination, 'written'),
      read: way(destination, source, 'read'),
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

type OnChannel = (
  channel: ProxiedChannel,
  direction: Direction,
  name: Place['name'],
  bytes: Uint8Array,
) => boolean

/** A unit at its place, before anybody has it. */
export interface ProxiedUnit {
  readonly place: Place
  readonly channel: ProxiedChannel
}

/** Passes whole units on; `onUnit` may do to the channels what it likes. */
export class FaultProxy {
  /** New connections are dropped at once. */
  isDown = false
  /** How often that was. */
  refusals = 0
  /** `HOST:PORT` of the destination. */
  to: string
  readonly channels: Set<ProxiedChannel> = new Set()
  readonly #places = new PlaceCounter()
  readonly #onUnit: (unit: ProxiedUnit) => boolean
  readonly #server: Server

  /** @param onUnit - says whether the unit is passed on */
  constructor(to: string, onUnit: (unit: ProxiedUnit) => boolean) {
    this.to = to
    this.#onUnit = onUnit
    this.#server = createServer({ allowHalfOpen: true }, (source) => this.#accept(source))
  }

  #accept(source: Socket): void {
    if (this.isDown) {
      this.refusals++
      return void source.destroy()
    }
    const [host, port] = this.to.split(':') as [string, string]
    const destination = connect({ port: Number(port), host, allowHalfOpen: true })
    let preface: Preface | undefined
    const channel = new ProxiedChannel(source, destination, (from, direction, name, bytes) => {
      // The source's comes first, and tells which channel this is.
      preface ??= decodePreface(bytes)!
      return this.#onUnit({ place: this.#places.next(preface, direction, name), channel: from })
    })
    this.channels.add(channel)
  }

  cut(): void {
    for (const channel of this.channels) channel.cut()
    this.channels.clear()
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}
