/**
 * Frames that break section 3, for either side: what is sent, and how it is to be refused.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import { ChannelRole, FRAME_HEADER_BYTES, FrameType, frameRule } from '@godwit/wire'
import type { FrameFaults, RawChannel } from './raw-channel.ts'

/** One frame. */
export interface BadFrame {
  readonly what: string
  readonly clause: string
  readonly code: ErrorCode
  readonly type: number
  readonly body?: Uint8Array
  readonly faults?: FrameFaults
  /** The body is not sent: the header says enough. */
  readonly headerOnly?: boolean
}

const empty = Uint8Array.of(0x80)
const heartbeat = FrameType.Heartbeat
const error = FrameType.Error
const optional = 0x8005
const optionalBytesMax = 65_536

/** On every channel; `type` is one that belongs there and has no mandatory key. */
function common(type: number): readonly BadFrame[] {
  const fault = (what: string, clause: string, code: ErrorCode, faults: FrameFaults): BadFrame => {
    return { what, clause, code, type, body: empty, faults }
  }
  return [
    fault('flags', 'C3.6', 'WIRE_FLAGS', { flags: 1 }),
    fault('high flag', 'C3.6', 'WIRE_FLAGS', { flags: 0x8000 }),
    fault('sequence ahead', 'C3.7', 'WIRE_SEQUENCE', { sequence: 77 }),
    fault('checksum', 'C3.8', 'WIRE_CHECKSUM', { checksum: 1 }),
    fault('flags before sequence', 'C3.6', 'WIRE_FLAGS', { flags: 2, sequence: 77 }),
    fault('sequence before checksum', 'C3.7', 'WIRE_SEQUENCE', { sequence: 77, checksum: 1 }),
    {
      what: 'checksum before body',
      clause: 'C3.8',
      code: 'WIRE_CHECKSUM',
      type,
      body: Uint8Array.of(0xc1),
      faults: { checksum: 1 },
    },
    { what: 'type 0', clause: 'C3.3', code: 'WIRE_FRAME_TYPE', type: 0, headerOnly: true },
    { what: 'type 0x0005', clause: 'C3.3', code: 'WIRE_FRAME_TYPE', type: 5, headerOnly: true },
    { what: 'type 0x7fff', clause: 'C3.3', code: 'WIRE_FRAME_TYPE', type: 0x7fff },
    {
      what: 'type before length',
      clause: 'C3.3',
      code: 'WIRE_FRAME_TYPE',
      type: 5,
      faults: { length: 0xffffffff, flags: 1 },
      headerOnly: true,
    },
    {
      what: 'optional too long',
      clause: 'C3.10',
      code: 'WIRE_FRAME_LENGTH',
      type: optional,
      faults: { length: optionalBytesMax + 1 },
      headerOnly: true,
    },
    {
      what: 'optional with flags',
      clause: 'C3.10',
      code: 'WIRE_FLAGS',
      type: optional,
      faults: { flags: 1 },
    },
    {
      what: 'optional out of sequence',
      clause: 'C3.10',
      code: 'WIRE_SEQUENCE',
      type: optional,
      faults: { sequence: 9 },
    },
  ]
}

/** A header whose length passes the bound of its type. */
function tooLong(type: number): BadFrame {
  const { name, bodyBytesMax } = frameRule(type)!
  return {
    what: `${name} too long`,
    clause: 'C3.5',
    code: 'WIRE_FRAME_LENGTH',
    type,
    faults: { length: bodyBytesMax + 1, flags: 1 },
    headerOnly: true,
  }
}

/** Everything that is tried on a channel of this role. */
export function badFrames(role: ChannelRole): readonly BadFrame[] {
  const types = Object.values(FrameType).filter((type) => type !== FrameType.Invalid)
  const here = types.filter((type) => frameRule(type)!.channels.includes(role))
  const elsewhere = types.filter((type) => !here.includes(type))
  return [
    ...common(role === ChannelRole.Control ? heartbeat : error),
    ...here.map(tooLong),
    ...elsewhere.map((type): BadFrame => {
      const what = `${frameRule(type)!.name} on this channel`
      return { what, clause: 'C3.4', code: 'WIRE_FRAME_TYPE', type, body: empty }
    }),
  ]
}

/** Sends one, whole or its header. */
export function sendBad(channel: RawChannel, bad: BadFrame): void {
  const { type, body = empty, faults = {}, headerOnly = false } = bad
  const bytes = channel.encode(type, body, faults)
  channel.raw(headerOnly ? bytes.subarray(0, FRAME_HEADER_BYTES) : bytes, `bad frame: ${bad.what}`)
}
