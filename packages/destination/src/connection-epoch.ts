/**
 * Which connection of its source a migration goes by: one that mends a lost one has a higher
 * epoch.
 *
 * @module
 */
import { ProtocolError } from '@godwit/core'

/** Of one migration. */
export class ConnectionEpoch {
  value = 0

  /** A control channel comes. @throws {ProtocolError} `EPOCH_STALE` */
  checkNew(epoch: number): void {
    if (epoch <= this.value) throw this.#stale(epoch)
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
