import type { Channel } from '@godwit/core'
import { channelCompliance, type ConnectedChannels } from '@godwit/testkit/channel-compliance'
import { createDialler } from './dialler.ts'
import { listen } from './listener.ts'
import { createChannelPair } from './memory-channel.ts'

/** A TCP connection is handed out once the first byte of a preface came. */
const tcpGreeting = Uint8Array.of(0x89)

async function connectOver(scheme: string, sent?: Uint8Array): Promise<ConnectedChannels> {
  const arrival = Promise.withResolvers<Channel>()
  const listener = await listen('127.0.0.1:0', arrival.resolve)
  const dialled = await createDialler(`${scheme}${listener.address}`).dial()
  if (sent !== undefined) dialled.write(sent)
  const accepted = await arrival.promise
  return {
    dialled,
    accepted,
    ...(sent === undefined ? {} : { sent }),
    async close() {
      dialled.destroy()
      accepted.destroy()
      await listener.close()
    },
  }
}

channelCompliance('tcp', () => connectOver('', tcpGreeting))

channelCompliance('ws', () => connectOver('ws://'))

channelCompliance('memory', async () => {
  const [dialled, accepted] = createChannelPair()
  return {
    dialled,
    accepted,
    async close() {
      dialled.destroy()
    },
  }
})
