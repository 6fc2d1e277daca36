/**
 * One connection to the destination: its control channel, and what dials its others. A migration
 * has one, and another each time that post-copy is taken up again.
 *
 * @module
 */
import type { GodwitError } from '@godwit/core'
import type { ControlHandler } from '@godwit/link'
import { ControlLink, HEARTBEAT_MS_DEFAULT, Tally } from '@godwit/link'
import type { Message } from '@godwit/wire'
import { ChannelRole } from '@godwit/wire'
import type { ChannelsOptions } from './channels.ts'
import { Channels } from './channels.ts'
import type { LanesOptions } from './lanes.ts'
import type { SourceOptions } from './options.ts'
import { Seals } from './seals.ts'

export type ConnectionOptions = ChannelsOptions & Pick<SourceOptions, 'heartbeatMs'>

/** What those of a migration are made with. */
type ConnectionsOptions = Pick<
  SourceOptions,
  'dialler' | 'controlDialler' | 'security' | 'tap' | 'clock' | 'heartbeatMs'
>

/** Use once. */
export class Connection {
  readonly epoch: number
  readonly channels: Channels
  readonly #options: ConnectionOptions
  readonly #handler: ControlHandler
  #control: ControlLink | undefined
  #peerHeartbeatMs: number | undefined

  /** @param handler - hears what comes until {@link close} is called */
  constructor(
    options: ConnectionOptions,
    session: Uint8Array,
    epoch: number,
    handler: ControlHandler,
  ) {
    this.#options = options
    this.epoch = epoch
    this.channels = new Channels(options, session, epoch)
    this.#handler = handler
  }

  /** Dials the control channel. @throws {TransportError} {@link WireError} {@link ProtocolError} */
  async open(): Promise<void> {
    const { clock, heartbeatMs = HEARTBEAT_MS_DEFAULT } = this.#options
    await this.channels.dial(ChannelRole.Control, 0, (link) => {
      const control = new ControlLink(link, clock, this.#handler, heartbeatMs)
      if (this.#peerHeartbeatMs !== undefined) control.peerHeartbeatMs = this.#peerHeartbeatMs
      this.#control = control
      return control
    })
  }

  /** How often the destination said that it would send; undefined before it did. */
  get peerHeartbeatMs(): number | undefined {
    return this.#peerHeartbeatMs
  }

  set peerHeartbeatMs(heartbeatMs: number | undefined) {
    this.#peerHeartbeatMs = heartbeatMs
    if (heartbeatMs !== undefined && this.#control !== undefined) {
      this.#control.peerHeartbeatMs = heartbeatMs
    }
  }

  send(message: Message): void {
    this.#control?.send(message)
  }

  /** Tells the destination why this is the end, where it can still hear. */
  refuse(error: GodwitError): void {
    this.#control?.refuse(error)
  }

  close(): void {
    this.channels.abort()
    this.#control?.close()
  }
}

/** All connections of one migration. */
export class Connections {
  current: Connection
  /** What lanes have in common with them. */
  readonly forLanes: Pick<LanesOptions, 'session' | 'seals' | 'tap'>
  readonly #options: ConnectionOptions
  readonly #session: Uint8Array
  readonly #handler: ControlHandler
  readonly #lost = new Tally()

  /** @param handler - hears what comes by the current one */
  constructor(options: ConnectionsOptions, session: Uint8Array, handler: ControlHandler) {
    const { security, tap } = options
    const seals = security && new Seals(security, security)
    this.forLanes = { session, seals, tap }
    this.#options = { ...options, seals }
    this.#session = session
    this.#handler = handler
    this.current = new Connection(this.#options, session, 0, handler)
  }

  /** The current one is lost, and closed: there is another, which is still to be opened. */
  replace(): void {
    const { current } = this
    current.close()
    const { channels } = current
    this.#lost.add({
      get wireBytes() {
        return channels.wireBytes
      },
      ended: channels.ended(),
    })
    this.current = new Connection(this.#options, this.#session, current.epoch + 1, this.#handler)
    this.current.peerHeartbeatMs = current.peerHeartbeatMs
  }

  /** How often one was lost, or could not be had. */
  get lostCount(): number {
    return this.current.epoch
  }

  /** Everything on the wire so far, both ways, but for what lanes count. */
  get wireBytes(): number {
    return this.#lost.wireBytes + this.current.channels.wireBytes
  }

  /** Resolves when every channel is closed in both directions. */
  async ended(): Promise<void> {
    await this.current.channels.ended()
    await this.#lost.ended()
  }
}
