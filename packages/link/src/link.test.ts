import type { DetachedChannel } from '@godwit/core'
import { PeerError, ProtocolError, TransportError } from '@godwit/core'
import { FrameType, FrameWriter, encodePreface, errorNumbers } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import type { Setup } from '../test/fixture.ts'
import { control, data, emptyMap, heartbeats, messagesIn, setUp } from '../test/fixture.ts'
import { PREFACE_DEADLINE_MS } from './link.ts'

describe('Link, prefaces', () => {
  it('are exchanged before frames, however the bytes arrive', () => {
    for (const most of [1, 7, 33, 1000]) {
      const { channel, link, heard, prefaces } = setUp()
      link.sendPreface(control)
      link.sendPreface(control)
      expect(channel.bytes).toEqual(encodePreface(control))
      channel.deliver(encodePreface(control), most)
      channel.deliver(heartbeats(new FrameWriter(), 2), most)
      expect(prefaces).toEqual([control])
      expect(heard).toEqual(['frame 4 of 1', 'frame 4 of 1'])
    }
  })

  it('have a deadline', () => {
    const { clock, channel, heard } = setUp()
    channel.deliver(encodePreface(control).subarray(0, 31))
    clock.advance(PREFACE_DEADLINE_MS - 1)
    expect(heard).toEqual([])
    clock.advance(1)
    expect(heard).toEqual(['unopened PEER_SILENT'])
    expect([channel.destroyed, clock.timers.size]).toEqual([true, 0])
  })

  it('in time end the deadline', () => {
    const { clock, channel, heard } = setUp()
    channel.deliver(encodePreface(control))
    clock.advance(PREFACE_DEADLINE_MS * 10)
    expect([heard, channel.destroyed]).toEqual([[], false])
  })

  it('with the wrong magic get no answer', () => {
    const { channel, heard } = setUp()
    channel.deliver(new TextEncoder().encode('GET / HTTP'), 1)
    expect(heard).toEqual(['unopened WIRE_MAGIC'])
    expect([channel.bytes.length, channel.ended]).toEqual([0, true])
  })

  it('with another fault get a preface and ERROR', () => {
    const wrong = encodePreface(control)
    wrong[10] = 5
    const { channel, heard } = setUp()
    channel.deliver(wrong)
    expect(heard).toEqual(['unopened WIRE_PREFACE'])
    expect(channel.bytes.subarray(0, 8)).toEqual(encodePreface(control).subarray(0, 8))
    const [error] = messagesIn(channel.bytes)
    expect(error).toMatchObject({ name: 'Error', body: { code: errorNumbers.WIRE_PREFACE } })
  })

  it('that are refused get the refusal, in words', () => {
    const text = 'A data channel of no session'
    const { channel, heard } = setUp(() => {
      throw new ProtocolError('SESSION_UNKNOWN', text)
    })
    channel.deliver(encodePreface(data))
    expect(heard).toEqual(['unopened SESSION_UNKNOWN'])
    const body = { code: errorNumbers.SESSION_UNKNOWN, text }
    expect(messagesIn(channel.bytes)).toEqual([{ name: 'Error', body }])
    expect(channel.ended).toBe(true)
  })

  it('that end early are WIRE_TRUNCATED, but nothing at all is clean', () => {
    for (const [bytes, wanted] of [
      [0, 'clean'],
      [1, 'WIRE_TRUNCATED'],
      [31, 'WIRE_TRUNCATED'],
    ]) {
      const { clock, channel, heard } = setUp()
      channel.deliver(encodePreface(control).subarray(0, bytes as number))
      channel.close()
      expect(heard).toEqual([`unopened ${wanted}`])
      expect(clock.timers.size).toBe(0)
    }
  })
})

describe('Link, given away', () => {
  it.each([1, 32, 1000])('begins anew elsewhere, from chunks of %i bytes', async (most) => {
    let moved: Promise<DetachedChannel> | undefined
    const { clock, channel, link, heard } = setUp((_, self) => {
      moved = self.detach((descriptor) => descriptor + 1)
      return 'detached'
    })
    const bytes = [encodePreface(control), heartbeats(new FrameWriter(), 2)]
    channel.deliver(new Uint8Array(Buffer.concat(bytes)), most)
    link.sendPreface(control)
    const detached = await moved!
    await link.ended
    expect(detached).toMatchObject({ descriptor: 8, remote: 'fake 1' })
    expect([heard, channel.written, clock.timers.size]).toEqual([[], [], 0])
    const other = setUp((_, self) => self.sendPreface(control))
    other.channel.deliver(detached.early)
    expect(other.prefaces).toEqual([control])
    expect(other.heard).toEqual(['frame 4 of 1', 'frame 4 of 1'])
    expect(other.channel.bytes).toEqual(encodePreface(control))
  })

  it('is over, too, when that fails', async () => {
    let moved: Promise<DetachedChannel> | undefined
    const { channel, link, heard } = setUp((_, self) => {
      moved = self.detach(() => {
        throw new Error('none left')
      })
      return 'detached'
    })
    channel.deliver(encodePreface(control))
    await expect(moved).rejects.toThrow('none left')
    await link.ended
    expect([heard, link.isClosed]).toEqual([[], true])
  })
})

describe('Link, frames', () => {
  /** A link whose preface is there. */
  function opened(): Setup & { writer: FrameWriter } {
    const setup = setUp((_, link) => link.sendPreface(control))
    setup.channel.deliver(encodePreface(control))
    return Object.assign(setup, { writer: new FrameWriter() })
  }

  it('that break the format end it, and the peer is told', () => {
    const { channel, heard, writer } = opened()
    const frames = heartbeats(writer, 2)
    frames[frames.length - 1]! ^= 1
    channel.deliver(frames)
    expect(heard).toEqual(['frame 4 of 1', 'closed WIRE_CHECKSUM'])
    const [error] = messagesIn(channel.bytes)
    expect(error).toMatchObject({ name: 'Error', body: { code: errorNumbers.WIRE_CHECKSUM } })
    expect(channel.ended).toBe(true)
  })

  it('whose handler throws end it with that error', () => {
    const setup = opened()
    setup.onFrame = () => {
      throw new ProtocolError('PROTOCOL_STATE', 'not now', { phase: 'commit' })
    }
    setup.channel.deliver(heartbeats(setup.writer, 3))
    expect(setup.heard).toEqual(['frame 4 of 1', 'closed PROTOCOL_STATE'])
    const body = { code: errorNumbers.PROTOCOL_STATE, text: 'not now', phase: 'commit' }
    expect(messagesIn(setup.channel.bytes)).toEqual([{ name: 'Error', body }])
  })

  it('keep the inside of a bug to themselves', () => {
    const setup = opened()
    setup.onFrame = () => {
      throw new TypeError('cannot read properties of undefined')
    }
    setup.channel.deliver(heartbeats(setup.writer, 1))
    expect(setup.heard.at(-1)).toBe('closed INTERNAL')
    const body = { code: errorNumbers.INTERNAL, text: 'Internal error' }
    expect(messagesIn(setup.channel.bytes)).toEqual([{ name: 'Error', body }])
  })

  it('do not answer ERROR with ERROR', () => {
    const setup = opened()
    setup.onFrame = () => {
      throw new PeerError('NO_ROOM', 'no room')
    }
    setup.channel.deliver(heartbeats(setup.writer, 1))
    expect(setup.heard.at(-1)).toBe('closed NO_ROOM')
    expect(messagesIn(setup.channel.bytes)).toEqual([])
  })

  it('cut short are WIRE_TRUNCATED; a loss of the connection stays what it is', () => {
    for (const cut of [1, 15, 16, 17]) {
      const { channel, heard, writer } = opened()
      const frame = writer.frame(FrameType.RoundAck, Uint8Array.of(0x81, 0xa1, 0x78, 1))
      channel.deliver(frame.subarray(0, cut))
      channel.close()
      expect(heard).toEqual(['closed WIRE_TRUNCATED'])
    }
    const { channel, heard, writer } = opened()
    channel.deliver(writer.frame(FrameType.Heartbeat, emptyMap).subarray(0, 5))
    channel.close(new TransportError('CONNECTION_LOST', 'reset'))
    expect(heard).toEqual(['closed CONNECTION_LOST'])
  })

  it('end cleanly between two of them', () => {
    const { clock, channel, heard, writer } = opened()
    channel.deliver(heartbeats(writer, 1))
    channel.close()
    expect(heard).toEqual(['frame 4 of 1', 'closed clean'])
    expect(clock.timers.size).toBe(0)
  })

  it('are not handed on after close, and the connection ends if the peer does not', () => {
    const { clock, channel, link, heard, writer } = opened()
    link.close()
    link.close()
    channel.deliver(heartbeats(writer, 3))
    expect([heard, channel.ended, channel.destroyed]).toEqual([[], true, false])
    clock.advance(60_000)
    expect([heard, channel.destroyed, clock.timers.size]).toEqual([[], true, 0])
  })

  it('are not kept after close, whatever the peer goes on sending', () => {
    const { channel, link, heard } = opened()
    link.close()
    for (let i = 0; i < 40; i++) channel.deliver(new Uint8Array(65536))
    expect(heard).toEqual([])
    expect(link.space().buffer.byteLength).toBeLessThanOrEqual(2 * 65536)
  })

  it('may follow a preface that was refused: there is always space', () => {
    const wrong = encodePreface(control)
    wrong[10] = 3
    const garbage = new Uint8Array(100).fill(1)
    for (const bytes of [wrong, garbage]) {
      const { channel, heard } = setUp()
      channel.deliver(bytes, 5)
      channel.deliver(new Uint8Array(200))
      expect(heard).toHaveLength(1)
    }
  })
})
