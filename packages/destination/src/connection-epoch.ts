/**
 * Which connection of its source a migration goes by: one that mends a lost one has a higher
 * epoch.
 *
 * @module
 */
import { LimitError, ProtocolError } from '@godwit/core'

/** Some connections with as many channels as there may be; each may have a thread. */
const openChannelsMax = 256

/** Of one migration. */
export class ConnectionEpoch {
  value = 0

  /**
   * A control channel comes.
   *
   * @param openChannels - of this session, those of lost connections included
   * @throws {ProtocolError} `EPOCH_STALE`, `PROTOCOL_STATE`
   * @throws {LimitError} `LIMIT_EXCEEDED`: it comes again sooner than channels end
   */
  checkNew(epoch: number, openChannels: number): void {
    if (epoch < this.value) throw this.#stale(epoch)
    if (epoch === this.value) {
      throw new ProtocolError('PROTOCOL_STATE', 'The connection has a control channel already')
    }
    if (openChannels <= openChannelsMax) return
    const facts = { limit: 'openChannelsMax', value: openChannels, maximum: openChannelsMax }
    const text = `${openChannels} channels of this session are still to end`
    throw new LimitError('LIMIT_EXCEEDED', text, facts)
  }

  /** Another channel comes. @throws {ProtocolError} `EPOCH_STALE`, `PROTOCOL_STATE` */
  checkCurrent(epoch: number): void {
    if (epoch < this.value) throw this.#stale(epoch)
    if (epoch === this.value) return
    throw new ProtocolError('PROTOCOL_STATE', `Connection ${epoch} has no control channel`)
  }

  #stale(epoch: number): ProtocolError {
    const text = `A channel of connection ${epoch}; the source has begun ${this.value}`
    return new ProtocolError('EPOCH_STALE', text)
  }
}
