/**
 * One side of a session, spoken by hand: legal frames, illegal ones, and bytes.
 *
 * @module
 */
import type { Channel, ChannelSink, GodwitError } from '@godwit/core'
import type { FrameType, Hello, Message, MessageName } from '@godwit/wire'
import {
  FRAME,
  FrameType as Type,
  FrameWriter,
  PREFACE_BYTES,
  decodeMessage,
  encodeMessage,
  encodePreface,
  errorCodeOf,
} from '@godwit/wire'
import { Splitter } from './tap.ts'

type Body<Name extends MessageName> = (Message & { name: Name })['body']

export const hello: Hello = {
  versionMin: 1,
  versionMax: 1,
  software: 'peer',
  required: [],
  optional: [],
  pageBytes: [4096],
  mode: 'pre-copy',
  hash: 'xxh64',
  verify: 'none',
  fingerprintSeed: new Uint8Array(8),
  verifySeed: new Uint8Array(8),
  dataChannels: 1,
  heartbeatMs: 60_000,
}

/** Speaks on `channel`, which it owns, and keeps what it hears. */
export class Peer implements ChannelSink {
  readonly channel: Channel
  /** Control messages heard and not taken yet. */
  readonly #heard: Message[] = []
  readonly #writer = new FrameWriter()
  readonly #splitter = new Splitter()
  readonly #space = new Uint8Array(65536)
  #isClosed = false
  #wake: () => void = () => {}
  /** Why the channel ended; undefined for a clean end. */
  error: GodwitError | undefined
  /** All bytes heard. */
  byteCount = 0
  /** The other side's preface, once it is {@link introduced}. */
  prefaceHeard: Uint8Array = new Uint8Array(0)

  constructor(channel: Channel) {
    this.channel = channel
    channel.open(this)
  }

  preface(
    session: Uint8Array,
    fields: { role?: 1 | 2 | 3 | 4; index?: number; epoch?: number } = {},
  ): this {
    const { role = 1, index = 0, epoch = 0 } = fields
    return this.raw(encodePreface({ role, index, epoch, session }))
  }

  raw(bytes: Uint8Array): this {
    this.channel.write(bytes)
    return this
  }

  send<Name extends MessageName>(name: Name, body: Body<Name>): this {
    return this.raw(this.message(name, body))
  }

  /** The next frame of this side, for a test that breaks it first. */
  message<Name extends MessageName>(name: Name, body: Body<Name>): Uint8Array {
    return this.frame(Type[name], encodeMessage({ name, body } as Message))
  }

  frame(type: number, body: Uint8Array): Uint8Array {
    return this.#writer.frame(type as FrameType, body)
  }

  /** Resolves when the other side's preface is there. */
  async introduced(): Promise<void> {
    while (this.byteCount < PREFACE_BYTES && !this.#isClosed) await this.#change()
  }

  /** The next message, heartbeats aside; undefined when the other side closed. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const message = this.#heard.shift()
      if (message !== undefined) return message
      if (this.#isClosed) return undefined
      await this.#change()
    }
  }

  /** Hears on until `name` comes. */
  async until(name: MessageName): Promise<Message> {
    for (;;) {
      const message = await this.next()
      if (message === undefined) throw new Error(`closed before ${name}`)
      if (message.name === name) return message
      if (message.name === 'Error') throw new Error(`${name}: ${errorText(message)}`)
    }
  }

  /** Why the other side gave up: `CODE: text`, or `closed` when it did not say. */
  async refusal(): Promise<string> {
    for (;;) {
      const message = await this.next()
      if (message === undefined) return 'closed'
      if (message.name === 'Error') return errorText(message)
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  space(): Uint8Array {
    return this.#space
  }

  received(byteCount: number): void {
    this.byteCount += byteCount
    for (const { name, bytes } of this.#splitter.take(this.#space.subarray(0, byteCount))) {
      if (name === 'Preface') this.prefaceHeard = bytes
      if (name === 'Preface' || name === 'Pages') continue
      const type = bytes[FRAME.type]! | (bytes[FRAME.type + 1]! << 8)
      const message = decodeMessage(type, bytes.subarray(16))
      if (message.name !== 'Heartbeat') this.#heard.push(message)
    }
    this.#wake()
  }

  closed(error?: GodwitError): void {
    this.error = error
    this.#isClosed = true
    this.#wake()
  }
}

function errorText(message: Message): string {
  if (message.name !== 'Error') throw new Error('not an ERROR')
  return `${errorCodeOf(message.body.code)}: ${message.body.text}`
}
