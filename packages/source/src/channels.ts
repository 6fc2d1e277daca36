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

/** Dials channels of one session and counts their bytes. */
export class Channels {
  readonly #dialler: Dialler
  readonly #clock: Clock
  readonly #session: Uint8Array
  readonly #epoch: number
  #connectMs = Infinity
  readonly #links: Link[] = []
  readonly #dialling = new AbortController()
  /** Links that still wait for the destination's preface. */
  readonly #unopened = new Set<Link>()

  /** @param epoch - of the connection: 0 for the first, then one more each time */
  constructor(dialler: Dialler, clock: Clock, session: Uint8Array, epoch: number) {
    this.#dialler = dialler
    this.#clock = clock
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
    const dialledMs = this.#clock.nowMs()
    const channel = await this.#dialler.dial(this.#dialling.signal)
    this.#connectMs = Math.min(this.#connectMs, this.#clock.nowMs() - dialledMs)
    const opened = Promise.withResolvers<void>()
    const preface = { role, index, epoch: this.#epoch, session: this.#session }
    const link = new Link(
      channel,
      this.#clock,
      (answer, self) => {
        checkAnswer(preface, answer)
        // At once: a refusal may be right behind the preface, and is the handler's to hear.
        this.#unopened.delete(self)
        const handler = open(self)
        opened.resolve()
        return handler
      },
      (error) => opened.reject(isMute(error) ? noAnswer(channel) : error),
    )
    this.#links.push(link)
    this.#unopened.add(link)
    link.sendPreface(preface)
    await opened.promise.finally(() => this.#unopened.delete(link))
  }

  /** Gives up what is still being dialled; opened links are their handlers' to close. */
  abort(): void {
    this.#dialling.abort(new CancelledError())
    for (const link of this.#unopened) link.fail(new CancelledError())
  }
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
function isMute(error: GodwitError | undefined): boolean {
  return error === undefined || error.code === 'CONNECTION_LOST'
}

function noAnswer(channel: Channel): TransportError {
  const text = `${channel.remote} closed the connection without a word; is it a Godwit destination?`
  return new TransportError('CONNECTION_LOST', text)
}
