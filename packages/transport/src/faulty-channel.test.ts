import { FaultyChannel, RecordingSink } from '@godwit/testkit'
import { expect, test } from 'vitest'
import { createChannelPair } from './memory-channel.ts'

test('a faulty channel writes so many bytes and breaks', async () => {
  const [inner, other] = createChannelPair()
  const faulty = new FaultyChannel(inner, { cutAfterWritten: 5 })
  const sink = new RecordingSink()
  const otherSink = new RecordingSink()
  faulty.open(sink)
  other.open(otherSink)
  faulty.write(Uint8Array.of(1, 2, 3))
  faulty.write(Uint8Array.of(4, 5, 6))
  expect((await sink.ended)?.code).toBe('CONNECTION_LOST')
  expect((await otherSink.ended)?.code).toBe('CONNECTION_LOST')
  expect([...otherSink.bytes]).toEqual([1, 2, 3, 4, 5])
  expect(faulty.isCut).toBe(true)
})

test('a faulty channel reads so many bytes and breaks', async () => {
  const [inner, other] = createChannelPair()
  const faulty = new FaultyChannel(inner, { cutAfterRead: 4 })
  const sink = new RecordingSink()
  const otherSink = new RecordingSink()
  faulty.open(sink)
  other.open(otherSink)
  other.write(Uint8Array.of(1, 2, 3, 4, 5, 6))
  expect((await sink.ended)?.code).toBe('CONNECTION_LOST')
  expect((await otherSink.ended)?.code).toBe('CONNECTION_LOST')
  expect([...sink.bytes]).toEqual([1, 2, 3, 4])
})
