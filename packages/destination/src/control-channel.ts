/**
 * The control channel of one migration: that of the first connection, or of one that was made anew.
 *
 * @module
 */
import { CancelledError } from '@godwit/core'
import type { ControlHandler, Link } from '@godwit/link'
import { ControlLink, HEARTBEAT_MS_DEFAULT } from '@godwit/link'
import type { DestinationState } from '@godwit/session'
import type { Preface } from '@godwit/wire'
import { ConnectionEpoch } from './connection-epoch.ts'
import type { DestinationReport } from './destination-report.ts'
import type { DestinationOptions } from './options.ts'

/** Of one migration. */
export class ControlChannel {
  /** Who hears and is heard. */
  link: ControlLink
  readonly epoch: ConnectionEpoch = new ConnectionEpoch()
  readonly #options: DestinationOptions
  readonly #report: DestinationReport
  readonly #handler: ControlHandler
  #peerHeartbeatMs: number | undefined

  /** @param handler - hears what comes, and of the end, of the current one only */
  constructor(
    link: Link,
    options: DestinationOptions,
    report: DestinationReport,
    handler: ControlHandler,
  ) {
    this.#options = options
    this.#report = report
    this.#handler = handler
    this.link = this.#create(link)
  }

  /** How often the source said that it would send. */
  set peerHeartbeatMs(heartbeatMs: number) {
    this.#peerHeartbeatMs = heartbeatMs
    this.link.peerHeartbeatMs = heartbeatMs
  }

  /** The source goes on by this one, which is still to be introduced. */
  replace(preface: Preface, link: Link): ControlLink {
    this.epoch.value = preface.epoch
    this.link.close()
    this.link = this.#create(link)
    if (this.#peerHeartbeatMs !== undefined) this.link.peerHeartbeatMs = this.#peerHeartbeatMs
    return this.link
  }

  /**
   * This side is done. Where it has its reasons, other channels are to break off only when this
   * resolves: the source has heard them then, or never will.
   */
  async close(state: DestinationState): Promise<void> {
    const { link } = this.link
    this.link.close()
    if (state.name === 'discarded' && state.error instanceof CancelledError) await link.ended
  }

  #create(link: Link): ControlLink {
    this.#report.channels.add(link)
    const { clock, heartbeatMs = HEARTBEAT_MS_DEFAULT } = this.#options
    const control: ControlLink = new ControlLink(
      link,
      clock,
      {
        message: (message) => this.#handler.message(message),
        closed: (error) => {
          if (this.link === control) this.#handler.closed(error)
        },
      },
      heartbeatMs,
    )
    return control
  }
}
