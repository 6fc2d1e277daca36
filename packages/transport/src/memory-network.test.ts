import type { Channel } from '@godwit/core'
import { expect, test } from 'vitest'
import { createChannelPair, MEMORY_QUEUE_BYTES_MAX } from './memory-channel.ts'
import { createMemoryNetwork } from './memory-network.ts'

test('dials what listens, and nothing else', async () => {
  const network = createMemoryNetwork()
  const dialler = network.createDialler('here')
  await expect(dialler.dial()).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' })
  const accepted: Channel[] = []
  const listener = await network.listen('here', (channel) => accepted.push(channel))
  await expect(network.listen('here', () => {})).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  await dialler.dial()
  expect(accepted).toHaveLength(1)
  await expect(dialler.dial(AbortSignal.abort())).rejects.toMatchObject({ code: 'CANCELLED' })
  await listener.close()
  await expect(dialler.dial()).rejects.toMatchObject({ code: 'CONNECTION_REFUSED' })
})

test('a writer that never waits is a programming mistake', () => {
  const [channel] = createChannelPair()
  const bytes = new Uint8Array(MEMORY_QUEUE_BYTES_MAX / 4)
  for (let i = 0; i < 4; i++) channel.write(bytes)
  expect(() => channel.write(new Uint8Array(1))).toThrow(/without waiting/)
})
