import type { Channel, ChannelSink, Clock, DetachedChannel } from '@godwit/core'
import { GodwitError, PeerError, ProtocolError, TransportError } from '@godwit/core'
import type { Frame, Message, Preface } from '@godwit/wire'
import {
  ChannelRole,
  FRAME_HEADER_BYTES,
  FrameType,
  FrameWriter,
  PREFACE_BYTES,
  decodeMessage,
  encodePreface,
  errorNumbers,
} from '@godwit/wire'
import { describe, expect, it } from 'vitest'
import { ControlLink, HEARTBEATS_MISSED_MAX } from './control-link.ts'
import type { LinkHandler } from './link.ts'
import { Link, PREFACE_DEADLINE_MS } from './link.ts'

/** Time that passes when told to, and can jump past timers as a busy thread does. */
class ManualClock implements Clock {
  #nowMs = 0
  readonly timers = new Set<{ dueMs: number; task: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  soon(task: () => void): void {
    queueMicrotask(task)
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const due = [...this.timers].filter(({ dueMs }) => dueMs <= endMs)
      const next = due.sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.task()
    }
    this.#nowMs = endMs
  }

  /** The thread was busy: what was due meanwhile runs late. */
  stall(ms: number): void {
    this.#nowMs += ms
    this.advance(0)
  }
}

/** One end of a wire that nobody delivers but the test. */
class FakeChannel implements Channel {
  readonly remote = 'fake 1'
  readonly bytesRead = 0
  readonly written: Uint8Array[] = []
  ended = false
  destroyed = false
  #sink: ChannelSink | undefined

  get bytesWritten(): number {
    return this.bytes.length
  }

  /** Everything written so far. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.written))
  }

  open(sink: ChannelSink): void {
    this.#sink = sink
  }

  write(bytes: Uint8Array, written?: () => void): void {
    this.written.push(bytes.slice())
    written?.()
  }

  end(): void {
    this.ended = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#sink?.closed()
  }

  /** What is delivered after this goes to nobody's sink but into `early`. */
  detach = async (duplicate: (descriptor: number) => number): Promise<DetachedChannel> => {
    const { remote, bytesWritten, bytesRead } = this
    const late = new Uint8Array(100)
    let length = 0
    this.#sink = {
      space: () => late.subarray(length),
      received: (byteCount) => (length += byteCount),
      closed() {},
    }
    await Promise.resolve()
    const early = late.slice(0, length)
    return { descriptor: duplicate(7), early, remote, bytesWritten, bytesRead }
  }

  /** Bytes of the peer, at most `most` at a time. */
  deliver(bytes: Uint8Array, most: number = bytes.length): void {
    for (let at = 0; at < bytes.length && !this.destroyed; ) {
      const space = this.#sink!.space()
      if (space.length === 0) throw new Error('no space is offered')
      const piece = bytes.subarray(at, at + Math.min(most, space.length))
      space.set(piece)
      at += piece.length
      this.#sink!.received(piece.length)
    }
  }

  close(error?: TransportError): void {
    this.#sink!.closed(error)
  }
}

const session = Uint8Array.from({ length: 16 }, (_, i) => i + 1)
const control: Preface = { role: ChannelRole.Control, index: 0, epoch: 0, session }
const data: Preface = { role: ChannelRole.Data, index: 3, epoch: 0, session }
const emptyMap = Uint8Array.of(0x80)

/** What a link told, in order: prefaces, frames, and how it ended. */
interface Ear {
  readonly heard: string[]
  readonly prefaces: Preface[]
  onFrame: (frame: Frame) => void
}

interface Setup extends Ear {
  readonly clock: ManualClock
  readonly channel: FakeChannel
  readonly link: Link
}

function codeOf(error: GodwitError | undefined): string {
  return error === undefined ? 'clean' : error.code
}

function setUp(onPreface: (preface: Preface, link: Link) => unknown = () => {}): Setup {
  const clock = new ManualClock()
  const channel = new FakeChannel()
  const ear: Ear = { heard: [], prefaces: [], onFrame: () => {} }
  const handler: LinkHandler = {
    frame(frame) {
      ear.heard.push(`frame ${frame.type} of ${frame.body.length}`)
      ear.onFrame(frame)
    },
    closed: (error) => ear.heard.push(`closed ${codeOf(error)}`),
  }
  const link = new Link(
    channel,
    clock,
    (preface, self) => {
      ear.prefaces.push(preface)
      return onPreface(preface, self) === 'detached' ? undefined : handler
    },
    (error) => ear.heard.push(`unopened ${codeOf(error)}`),
  )
  return {
    clock,
    channel,
    link,
    ...ear,
    get onFrame() {
      return ear.onFrame
    },
    set onFrame(task) {
      ear.onFrame = task
    },
  }
}

/** The frames behind a preface that a channel wrote. */
function messagesIn(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const messages: Message[] = []
  for (let at = PREFACE_BYTES; at < bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    const start = at + FRAME_HEADER_BYTES
    messages.push(decodeMessage(view.getUint16(at, true), bytes.subarray(start, start + length)))
    at = start + length
  }
  return messages
}

const heartbeats = (writer: FrameWriter, count: number): Uint8Array =>
  new Uint8Array(
    Buffer.concat(Array.from({ length: count }, () => writer.frame(FrameType.Heartbeat, emptyMap))),
  )

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
    wrong[10] = 3
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
