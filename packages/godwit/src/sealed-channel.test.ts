import type { Channel } from '@godwit/core'
import { SealedChannel } from '@godwit/seal'
import type { ConnectedChannels } from '@godwit/testkit/channel-compliance'
import { channelCompliance } from '@godwit/testkit/channel-compliance'
import { createChannelPair, createDialler, listen } from '@godwit/transport'
import { nodeSealTools } from './seal-tools.ts'

const keys = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const

/** As if both ends had agreed. */
function seal(inner: Channel, [sendKey, receiveKey]: readonly [Uint8Array, Uint8Array]): Channel {
  const state = { opened: new Uint8Array(0), sendKey, receiveKey }
  return SealedChannel.resume(
    inner,
    { ...state, sentRecords: 0, receivedRecords: 0 },
    nodeSealTools,
  )
}

function sealBoth(
  dialled: Channel,
  accepted: Channel,
): Pick<ConnectedChannels, 'dialled' | 'accepted'> {
  return { dialled: seal(dialled, keys), accepted: seal(accepted, [keys[1], keys[0]]) }
}

channelCompliance('sealed memory', async () => {
  const [near, far] = createChannelPair()
  return { ...sealBoth(near, far), close: async () => near.destroy() }
})

/** A record of that length begins with the byte that tells Godwit from other protocols. */
const greeting = new Uint8Array(0x89).fill(5)

channelCompliance('sealed tcp', async () => {
  const arrival = Promise.withResolvers<Channel>()
  const listener = await listen('127.0.0.1:0', arrival.resolve)
  const raw = await createDialler(listener.address).dial()
  const dialled = seal(raw, keys)
  dialled.write(greeting)
  const accepted = seal(await arrival.promise, [keys[1], keys[0]])
  return {
    dialled,
    accepted,
    sent: greeting,
    async close() {
      dialled.destroy()
      accepted.destroy()
      await listener.close()
    },
  }
})

channelCompliance('sealed ws', async () => {
  const arrival = Promise.withResolvers<Channel>()
  const listener = await listen('127.0.0.1:0', arrival.resolve)
  const raw = await createDialler(`ws://${listener.address}`).dial()
  const pair = sealBoth(raw, await arrival.promise)
  return {
    ...pair,
    async close() {
      pair.dialled.destroy()
      pair.accepted.destroy()
      await listener.close()
    },
  }
})
