import { GodwitError } from '@godwit/core'
import type { Message } from '@godwit/wire'
import { FRAME, FrameType, FrameWriter, encodePreface, errorNumbers } from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import type { Setup } from '../test/fixture.ts'
import {
  FakeChannel,
  ManualClock,
  codeOf,
  control,
  emptyMap,
  heartbeats,
  messagesIn,
} from '../test/fixture.ts'
import { ControlLink, HEARTBEATS_MISSED_MAX } from './control-link.ts'
import { Link } from './link.ts'

describe('ControlLink', () => {
  const heartbeatMs = 1000

  function connected(): Setup & { writer: FrameWriter; controlLink: ControlLink } {
    const clock = new ManualClock()
    const channel = new FakeChannel()
    const heard: string[] = []
    const handler = {
      message: ({ name }: Message) => heard.push(name),
      closed: (error: GodwitError | undefined) => heard.push(`closed ${codeOf(error)}`),
    }
    let controlLink: ControlLink | undefined
    const link = new Link(
      channel,
      clock,
      (_, self) => {
        self.sendPreface(control)
        controlLink = new ControlLink(self, clock, handler, heartbeatMs)
        return controlLink
      },
      () => {},
    )
    channel.deliver(encodePreface(control))
    const ear = { heard, prefaces: [], onFrame: () => {} }
    return { clock, channel, link, ...ear, writer: new FrameWriter(), controlLink: controlLink! }
  }

  const sent = ({ channel }: Setup): string[] => messagesIn(channel.bytes).map(({ name }) => name)

  it('sends a heartbeat whenever it was idle for its interval', () => {
    const setup = connected()
    for (let second = 1; second <= 4; second++) {
      setup.channel.deliver(heartbeats(setup.writer, 1))
      setup.clock.advance(heartbeatMs)
      expect(sent(setup).length).toBeGreaterThanOrEqual(second)
      expect(sent(setup).length).toBeLessThanOrEqual(2 * second)
    }
    expect(new Set(sent(setup))).toEqual(new Set(['Heartbeat']))
    expect(setup.heard).toEqual([])
  })

  it('takes no long message where nobody waits for one, and does not wait for its end', () => {
    const setup = connected()
    const frame = setup.writer.frame(FrameType.State, new Uint8Array(100))
    new DataView(frame.buffer, frame.byteOffset).setUint32(FRAME.length, 1 << 20, true)
    setup.channel.deliver(frame)
    expect(setup.heard).toEqual(['closed LIMIT_EXCEEDED'])
  })

  it('is never silent for longer than its interval, whenever it last spoke', () => {
    const setup = connected()
    const { clock, channel, controlLink, writer } = setup
    let lastMs = 0
    let count = 0
    let silentMs = 0
    for (let step = 0; step < 2000; step++) {
      clock.advance(7)
      if (step % 100 === 0) channel.deliver(heartbeats(writer, 1))
      if (step % 173 === 0) controlLink.send({ name: 'RoundAck', body: { round: 1 } })
      if (channel.written.length !== count) lastMs = clock.nowMs()
      count = channel.written.length
      silentMs = Math.max(silentMs, clock.nowMs() - lastMs)
    }
    expect(silentMs).toBeLessThanOrEqual(heartbeatMs)
  })

  it('gives a silent peer up after five of its heartbeats', () => {
    const setup = connected()
    const { clock, channel, controlLink, heard } = setup
    controlLink.peerHeartbeatMs = 2000
    const deadlineMs = HEARTBEATS_MISSED_MAX * 2000
    clock.advance(deadlineMs)
    expect(heard).toEqual([])
    clock.advance(heartbeatMs)
    expect(heard).toEqual(['closed PEER_SILENT'])
    expect([channel.destroyed, clock.timers.size]).toEqual([true, 0])
  })

  it('hears heartbeats, messages and the other channels', () => {
    const setup = connected()
    const { clock, channel, controlLink, heard, writer } = setup
    const message = writer.frame(FrameType.SwitchOverAck, emptyMap)
    const signs = [
      () => channel.deliver(message),
      () => channel.deliver(writer.frame(FrameType.Heartbeat, emptyMap)),
      () => controlLink.heard(),
      () => controlLink.heard(),
    ]
    for (const sign of signs) {
      sign()
      clock.advance(HEARTBEATS_MISSED_MAX * heartbeatMs)
    }
    expect(heard).toEqual(['SwitchOverAck'])
    clock.advance(heartbeatMs)
    expect(heard).toEqual(['SwitchOverAck', 'closed PEER_SILENT'])
  })

  it('does not blame the peer for the time its own thread was busy', () => {
    const { clock, channel, heard, writer } = connected()
    clock.stall(60_000)
    expect(heard).toEqual([])
    channel.deliver(heartbeats(writer, 1))
    clock.advance(heartbeatMs * 2)
    expect(heard).toEqual([])
    clock.advance(heartbeatMs * (HEARTBEATS_MISSED_MAX + 1))
    expect(heard).toEqual(['closed PEER_SILENT'])
  })

  it('tells the peer why it gives up, cuts long texts, and hears nothing more', () => {
    const setup = connected()
    const { clock, channel, controlLink, heard, writer } = setup
    const text = 'x'.repeat(5000)
    controlLink.refuse(new GodwitError('CANCELLED', text))
    const body = { code: errorNumbers.CANCELLED, text: text.slice(0, 1024) }
    expect(messagesIn(channel.bytes)).toEqual([{ name: 'Error', body }])
    channel.deliver(writer.frame(FrameType.SwitchOverAck, emptyMap))
    clock.advance(60_000)
    expect([heard, channel.ended, clock.timers.size]).toEqual([[], true, 0])
  })

  it('says and tells nothing before it has introduced itself', () => {
    const clock = new ManualClock()
    const channel = new FakeChannel()
    const heard: string[] = []
    const handler = {
      message: ({ name }: Message) => heard.push(name),
      closed: (error: GodwitError | undefined) => heard.push(`closed ${codeOf(error)}`),
    }
    let opened: ControlLink | undefined
    const onPreface = (_: unknown, self: Link): ControlLink => {
      opened = new ControlLink(self, clock, handler, heartbeatMs)
      return opened
    }
    const link = new Link(channel, clock, onPreface, () => {})
    const writer = new FrameWriter()
    channel.deliver(encodePreface(control))
    channel.deliver(writer.frame(FrameType.SwitchOverAck, emptyMap))
    clock.advance(3 * heartbeatMs)
    expect(channel.bytes).toHaveLength(0)
    opened!.introduce(control)
    clock.advance(heartbeatMs)
    expect(messagesIn(channel.bytes).map(({ name }) => name)).toContain('Heartbeat')
    expect([heard, link.isClosed]).toEqual([['SwitchOverAck'], false])
  })

  it('does not keep what a peer says that does not wait for an answer', () => {
    const [clock, channel, writer] = [new ManualClock(), new FakeChannel(), new FrameWriter()]
    const closed: string[] = []
    const handler = {
      message: () => {},
      closed: (error: GodwitError | undefined) => closed.push(codeOf(error)),
    }
    const onPreface = (_: unknown, self: Link): ControlLink => new ControlLink(self, clock, handler)
    expect(new Link(channel, clock, onPreface, () => {}).isClosed).toBe(false)
    channel.deliver(encodePreface(control))
    for (let i = 0; i < 3; i++) channel.deliver(writer.frame(FrameType.SwitchOverAck, emptyMap))
    expect(closed).toEqual(['PROTOCOL_STATE'])
  })

  it('sends no heartbeat after close', () => {
    const setup = connected()
    setup.controlLink.close()
    setup.clock.advance(60_000)
    expect([sent(setup), setup.clock.timers.size]).toEqual([[], 0])
  })

  it('ends at a body that is not as specified', () => {
    const { channel, heard, writer } = connected()
    channel.deliver(writer.frame(FrameType.RoundAck, emptyMap))
    expect(heard).toEqual(['closed WIRE_BODY'])
    const [error] = messagesIn(channel.bytes)
    expect(error).toMatchObject({ name: 'Error', body: { code: errorNumbers.WIRE_BODY } })
  })
})
