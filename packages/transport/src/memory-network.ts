/**
 * Listeners and diallers inside one process, for tests.
 *
 * @module
 */
import {
  CancelledError,
  type Channel,
  type Dialler,
  type Listener,
  TransportError,
} from '@godwit/core'
import { createChannelPair } from './memory-channel.ts'

/** A network of its own: addresses are any text. */
export interface MemoryNetwork {
  /** Dials what listens at `address` at that moment; otherwise `CONNECTION_REFUSED`. */
  createDialler(address: string): Dialler
  /** @throws {TransportError} `ADDRESS_IN_USE` */
  listen(address: string, onChannel: (channel: Channel) => void): Promise<Listener>
}

export function createMemoryNetwork(): MemoryNetwork {
  const listeners = new Map<string, (channel: Channel) => void>()
  return {
    createDialler: (address) => ({
      address,
      async dial(signal) {
        await new Promise(setImmediate)
        if (signal?.aborted === true) {
          throw new CancelledError(`Connecting to ${address} was cancelled`)
        }
        const onChannel = listeners.get(address)
        if (onChannel === undefined) {
          throw new TransportError('CONNECTION_REFUSED', `Nothing listens at ${address}`)
        }
        const [dialled, accepted] = createChannelPair(address)
        onChannel(accepted)
        return dialled
      },
    }),
    async listen(address, onChannel) {
      if (listeners.has(address)) {
        throw new TransportError('ADDRESS_IN_USE', `${address} is already in use`)
      }
      listeners.set(address, onChannel)
      return {
        address,
        async close() {
          if (listeners.get(address) === onChannel) listeners.delete(address)
        },
      }
    },
  }
}
