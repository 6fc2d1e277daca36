/**
 * The channels of one migration, all dialled by the source.
 *
 * @module
 */
import type { Channel, Clock, Dialler, GodwitError } from '@godwit/core'
import { CancelledError, ProtocolError, TransportError } from '@godwit/core'
import type { LinkHandler } from '@godwit/link'
import { Link } from '@godwit/link'
import type { Preface } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import type { Seals } from './seals.ts'

/** How channels are dialled. */
export interface ChannelsOptions {
  readonly dialler: Dialler
  /** Where control channels are dialled in another way. */
  readonly controlDialler?: Dialler | undefined
  readonly clock: Clock
  /** Undefined where they are plain. */
  readonly seals?: Seals | undefined
  /** Sees what goes over them, unsealed. */
  readonly tap?: ((channel: Channel) => Channel) | undefined
}

/** Dials channels of one session and counts their bytes. */
export class Channels {
  readonly #options: ChannelsOptions
  readonly #clock: Clock
  readonly #session: Uint8Array
  readonly #epoch: number
  #connectMs = Infinity
  readonly #links: Link[] = []
  readonly #dialling = new AbortController()
  /** Links that still wait for the destination's preface. */
  readonly #unopened = new Set<Link>()

  /** @param epoch - of the connection: 0 for the first, then one more each time */
  constructor(options: ChannelsOptions, session: Uint8Array, epoch: number) {
    this.#options = options
    this.#clock = options.clock
    this.#session = session
    this.#epoch = epoch
  }

  /** Everything on the wire so far, both ways. */
  get wireBytes(): number {
    return this.#links.reduce((sum, { channel }) => {
      return sum + channel.bytesWritten + channel.bytesRead
    }, 0)
  }

  /** The shortest time that a connection took: a round trip, and little more. */
  get connectMs(): number {
    return this.#connectMs
  }

  /** Resolves when every channel is closed in both directions: then both sides count the same. */
  async ended(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.ended))
  }

  /**
   * Dials a channel and exchanges prefaces.
   *
   * @param index - tells data channels apart
   * @param open - makes the handler of whatever follows the destination's preface
   * @throws {TransportError} {@link WireError} {@link ProtocolError}
   */
  async dial(
    role: Preface['role'],
    index: number,
    open: (link: Link) => LinkHandler,
  ): Promise<void> {
    await this.introduce(await this.connect(role), role, index, open)
  }

  /** The same for a channel that was dialled, on which nothing was written. */
  async introduce(
    channel: Channel,
    role: Preface['role'],
    index: number,
    open: (link: Link) => LinkHandler,
  ): Promise<void> {
    const opened = Promise.withResolvers<void>()
    const { seals, tap } = this.#options
    const plain = seals?.seal(channel, role) ?? channel
    const link = openLink(
      tap?.(plain) ?? plain,
      this.#clock,
      this.prefaceOf(role, index),
      (self) => {
        const handler = open(self)
        // At once: an error that comes with the answer may be what gives up all others.
        this.#unopened.delete(self)
        opened.resolve()
        return handler
      },
      opened.reject,
    )
    this.#links.push(link)
    this.#unopened.add(link)
    // Given up by what its preface, or its dialling, made somebody do.
    if (this.#dialling.signal.aborted) link.fail(new CancelledError())
    await opened.promise.finally(() => this.#unopened.delete(link))
  }

  /** Dials a channel, whose bytes are not counted here yet. @throws {TransportError} */
  async connect(role: Preface['role']): Promise<Channel> {
    const { dialler, controlDialler = dialler } = this.#options
    const dialledMs = this.#clock.nowMs()
    const { signal } = this.#dialling
    const channel = await (role === ChannelRole.Control ? controlDialler : dialler).dial(signal)
    if (signal.aborted) {
      channel.destroy()
      throw new CancelledError()
    }
    this.#connectMs = Math.min(this.#connectMs, this.#clock.nowMs() - dialledMs)
    return channel
  }

  /** For another thread, which seals a channel of this connection. */
  get secret(): Uint8Array | undefined {
    return this.#options.seals?.secret
  }

  /** What a channel of this session begins with. */
  prefaceOf(role: Preface['role'], index: number): Preface {
    return { role, index, epoch: this.#epoch, session: this.#session }
  }

  /** Gives up what is still being dialled; opened links are their handlers' to close. */
  abort(): void {
    this.#dialling.abort(new CancelledError())
    for (const link of this.#unopened) link.fail(new CancelledError())
  }
}

/**
 * Introduces this side on a channel that was dialled.
 *
 * @param open - makes the handler of whatever follows the destination's preface
 * @param failed - the destination has not answered as it should
 */
export function openLink(
  channel: Channel,
  clock: Clock,
  preface: Preface,
  open: (link: Link) => LinkHandler,
  failed: (error: GodwitError) => void,
): Link {
  const link = new Link(
    channel,
    clock,
    (answer, self) => {
      checkAnswer(preface, answer)
      return open(self)
    },
    (error) => failed(error === undefined || isMute(error) ? noAnswer(channel) : error),
  )
  link.sendPreface(preface)
  return link
}

function checkAnswer(asked: Preface, answer: Preface): void {
  const same =
    asked.role === answer.role &&
    asked.index === answer.index &&
    asked.epoch === answer.epoch &&
    asked.session.every((byte, index) => byte === answer.session[index])
  if (!same) {
    throw new ProtocolError('PROTOCOL_STATE', 'The destination answered for another channel')
  }
}

/** Whether the other side just hung up. */
function isMute(error: GodwitError): boolean {
  return error.code === 'CONNECTION_LOST'
}

function noAnswer(channel: Channel): TransportError {
  const text = `${channel.remote} closed the connection without a word; is it a Godwit destination?`
  return new TransportError('CONNECTION_LOST', text)
}
