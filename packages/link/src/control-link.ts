/**
 * The control channel: messages both ways, heartbeats, and a deadline on the peer's silence.
 *
 * @module
 */
import type { Clock, GodwitError } from '@godwit/core'
import { LimitError, ProtocolError, TransportError } from '@godwit/core'
import type { Frame, Message, Preface } from '@godwit/wire'
import { TABLE_BODY_BYTES_MAX, decodeMessage } from '@godwit/wire'
import type { Link, LinkHandler } from './link.ts'

export const HEARTBEAT_MS_DEFAULT = 1000
/** A peer is taken for lost after this many of its heartbeats did not come. */
export const HEARTBEATS_MISSED_MAX = 5

/** A peer need not wait for the answer to its preface with its first message, and why it fails. */
const earlyMax = 2

export interface ControlHandler {
  /** As {@link LinkHandler.admit}; without it, nothing so long is taken. */
  admit?(byteCount: number): void
  message(message: Message): void
  closed(error: GodwitError | undefined): void
}

/** Wraps a {@link Link} whose preface has been read. */
export class ControlLink implements LinkHandler {
  readonly link: Link
  readonly #clock: Clock
  readonly #handler: ControlHandler
  readonly #heartbeatMs: number
  #peerHeartbeatMs: number
  #cancelTick: () => void = () => {}
  /** What came before this side introduced itself. */
  readonly #early: Message[] = []
  #sentAtMs: number
  #heardAtMs: number

  constructor(
    link: Link,
    clock: Clock,
    handler: ControlHandler,
    heartbeatMs: number = HEARTBEAT_MS_DEFAULT,
  ) {
    this.link = link
    this.#clock = clock
    this.#handler = handler
    this.#heartbeatMs = heartbeatMs
    this.#peerHeartbeatMs = heartbeatMs
    this.#sentAtMs = clock.nowMs()
    this.#heardAtMs = this.#sentAtMs
    this.#schedule()
  }

  /** How often the peer said it would send, as HELLO or WELCOME told. */
  set peerHeartbeatMs(heartbeatMs: number) {
    this.#peerHeartbeatMs = heartbeatMs
  }

  /** @param written - as of {@link Link.sendMessage} */
  send(message: Message, written?: () => void): void {
    this.#sentAtMs = this.#clock.nowMs()
    this.link.sendMessage(message, written)
  }

  /** Tells the peer why and ends; the handler hears nothing more. */
  refuse(error: GodwitError): void {
    this.#cancelTick()
    this.link.refuse(error)
  }

  close(): void {
    this.#cancelTick()
    this.link.close()
  }

  admit(byteCount: number): void {
    if (this.#handler.admit !== undefined) return this.#handler.admit(byteCount)
    const facts = { limit: 'tableBytesMax', value: byteCount, maximum: TABLE_BODY_BYTES_MAX }
    const text = `${this.link.channel.remote} sends a message of ${byteCount} bytes`
    throw new LimitError('LIMIT_EXCEEDED', text, facts)
  }

  frame(frame: Frame): void {
    this.#heardAtMs = this.#clock.nowMs()
    const message = decodeMessage(frame.type, frame.body)
    if (message.name === 'Heartbeat') return
    if (this.link.isIntroduced) this.#handler.message(message)
    else if (this.#early.push(message) > earlyMax) {
      throw new ProtocolError('PROTOCOL_STATE', 'The peer does not wait to hear who answers')
    }
  }

  /** Answers a peer that had to wait for it, and hears what it has said meanwhile. */
  introduce(preface: Preface): void {
    this.link.sendPreface(preface)
    for (const message of this.#early.splice(0)) this.#handler.message(message)
  }

  closed(error: GodwitError | undefined): void {
    this.#cancelTick()
    this.#handler.closed(error)
  }

  /** Something arrived on another channel of the session: the peer is alive. */
  heard(): void {
    this.#heardAtMs = this.#clock.nowMs()
  }

  #schedule(): void {
    const tickMs = this.#heartbeatMs / 2
    const dueMs = this.#clock.nowMs() + tickMs
    this.#cancelTick = this.#clock.after(tickMs, () => this.#tick(this.#clock.nowMs() - dueMs))
  }

  /** @param lateMs - how late this thread was: silence it could not hear does not count */
  #tick(lateMs: number): void {
    if (this.link.isClosed) return
    const nowMs = this.#clock.nowMs()
    if (lateMs > this.#peerHeartbeatMs) this.#heardAtMs = nowMs
    const silentMs = nowMs - this.#heardAtMs
    if (silentMs > this.#peerHeartbeatMs * HEARTBEATS_MISSED_MAX) {
      const seconds = (silentMs / 1e3).toFixed(1)
      this.link.fail(
        new TransportError(
          'PEER_SILENT',
          `${this.link.channel.remote} was silent for ${seconds} s`,
        ),
      )
      return
    }
    const isDue = nowMs - this.#sentAtMs >= this.#heartbeatMs / 2
    if (isDue && this.link.isIntroduced) this.send({ name: 'Heartbeat', body: {} })
    this.#schedule()
  }
}
