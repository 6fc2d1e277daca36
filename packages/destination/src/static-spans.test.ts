import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { StaticContents } from '@godwit/codec'
import { allocateShared } from '@godwit/core'
import { expect, it } from 'vitest'
import type { StaticSpans } from './static-spans.ts'
import { spansOfStatic, staticOfSpans } from './static-spans.ts'

it('contents arrive at another thread as they are, and memory is the same', () => {
  const memory = allocateShared(3 * 4096).subarray(4096)
  const hashes = allocateShared(64)
  hashes.fill(7)
  const places = {
    origins: [memory, '/some/file'],
    origin: Uint8Array.of(0, 1),
    page: Uint32Array.of(1, 5),
  }
  const contents: StaticContents = {
    sets: [
      { entryCount: 9, held: undefined },
      { entryCount: 2, held: { hashes, places } },
    ],
  }
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(spansOfStatic(contents))
  const arrived = staticOfSpans(receiveMessageOnPort(port2)!.message as StaticSpans)
  port1.close()
  expect(arrived).toEqual(contents)
  memory[8191] = 1
  const [origin] = arrived.sets[1]!.held!.places.origins
  expect((origin as Uint8Array)[8191]).toBe(1)
})
