import type { Channel, ChannelSink } from '@godwit/core'
import { MIB, systemClock } from '@godwit/core'
import { ChannelRole, encodePreface } from '@godwit/wire'
import { expect, it } from 'vitest'
import { Link, UNSENT_BYTES_MAX } from './link.ts'

const preface = { role: ChannelRole.Control, index: 0, epoch: 0, session: new Uint8Array(16) }

/** A peer that has introduced itself, and takes nothing. */
function deafPeer(): { link: Link; ends: unknown[]; taken: (() => void)[] } {
  let sink: ChannelSink | undefined
  const taken: (() => void)[] = []
  const channel: Channel = {
    remote: 'tcp 10.0.0.1:7',
    bytesWritten: 0,
    bytesRead: 0,
    open: (opened) => {
      sink = opened
    },
    write: (_bytes, written) => void (written && taken.push(written)),
    end() {},
    destroy() {},
  }
  const ends: unknown[] = []
  const handler = { frame() {}, closed: (error: unknown) => ends.push(error) }
  const link = new Link(channel, systemClock, () => handler, handler.closed)
  const bytes = encodePreface(preface)
  sink!.space().set(bytes)
  sink!.received(bytes.length)
  link.sendPreface(preface)
  return { link, ends, taken }
}

const text = 'x'.repeat(1000)

it('a peer that does not read is given up, whatever makes this side talk', () => {
  const { link, ends } = deafPeer()
  let sent = 0
  while (!link.isClosed && sent < 100_000) {
    link.sendMessage({ name: 'Error', body: { code: 1, text } })
    sent++
  }
  expect(sent * text.length).toBeLessThan(UNSENT_BYTES_MAX + 1 * MIB)
  expect(ends).toMatchObject([{ code: 'LIMIT_EXCEEDED', limit: 'unsentBytesMax' }])
})

it('what it takes does not count, nor does a long state', () => {
  const { link, ends, taken } = deafPeer()
  link.sendMessage({ name: 'State', body: { package: new Uint8Array(2 * UNSENT_BYTES_MAX) } })
  for (let i = 0; i < 10_000; i++) {
    link.sendMessage({ name: 'Error', body: { code: 1, text } })
    taken.shift()?.()
  }
  expect(ends).toEqual([])
  link.close()
})
