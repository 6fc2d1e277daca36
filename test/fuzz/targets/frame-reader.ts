/**
 * The reader of frames. The first byte of an input says of which channel, how the stream is cut
 * into pieces, and whether sequence numbers and checksums are put right; the stream is behind it.
 *
 * @module
 */
import type { ErrorCode } from '@godwit/core'
import { crc32 } from '@godwit/core'
import { seededRandom } from '@godwit/testkit'
import {
  ChannelRole,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameType,
  FrameWriter,
  PREFACE_BYTES,
  coveredBytes,
  frameRule,
} from '@godwit/wire'
import type { ChannelName, FrameVector, StreamVector } from '../../conformance/vector-files.ts'
import { vectorInputs } from '../corpus.ts'
import type { Field, Random } from '../mutator.ts'
import { joined, pick, randomBytes, someLength } from '../mutator.ts'
import type { Target } from '../target.ts'
import { GuardedBytes, labelOf, must, outcomeOf } from '../target.ts'

const codes: readonly ErrorCode[] = [
  'WIRE_FRAME_TYPE',
  'WIRE_FRAME_LENGTH',
  'WIRE_FLAGS',
  'WIRE_SEQUENCE',
  'WIRE_CHECKSUM',
]
const isData = 1
const isPutRight = 2
/** Whatever {@link isData} says. */
const isUrgent = 128
/** Whatever the others say. */
const isReverse = 64
const channels: Readonly<Record<ChannelName, number>> = {
  control: 0,
  data: isData,
  urgent: isUrgent,
  reverse: isReverse,
}
/** A reader's first buffer; small, so that it has to grow and to move. */
const buffers = [256, 300, 4096].map((byteCount) => new GuardedBytes(byteCount))

const seeds = [
  ...vectorInputs<FrameVector>(['frames.json'], (bytes, { channel }) => {
    return joined(Uint8Array.of(channels[channel]), bytes)
  }),
  ...vectorInputs<StreamVector>(['streams.json'], (bytes, { channel }) => {
    return joined(Uint8Array.of(channels[channel]), bytes.subarray(PREFACE_BYTES))
  }),
]

/** Where frames begin, as far as lengths make sense. */
function headersOf(stream: Uint8Array): readonly number[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  const found: number[] = []
  for (let at = 0; at + FRAME_HEADER_BYTES <= stream.length && found.length < 4096; ) {
    found.push(at)
    at += FRAME_HEADER_BYTES + view.getUint32(at + FRAME.length, true)
  }
  return found
}

function fieldsOf(input: Uint8Array): readonly Field[] {
  return headersOf(input.subarray(1)).flatMap((at) => [
    { at: 1 + at + FRAME.type, byteCount: 2 } as const,
    { at: 1 + at + FRAME.length, byteCount: 4 } as const,
    { at: 1 + at + FRAME.flags, byteCount: 2 } as const,
    { at: 1 + at + FRAME.sequence, byteCount: 4 } as const,
  ])
}

/** The stream with sequence numbers and checksums that are right. */
function putRight(stream: Uint8Array): Uint8Array {
  const bytes = stream.slice()
  const view = new DataView(bytes.buffer)
  for (const [sequence, head] of headersOf(bytes).entries()) {
    const start = head + FRAME_HEADER_BYTES
    const length = view.getUint32(head + FRAME.length, true)
    view.setUint32(head + FRAME.sequence, sequence, true)
    if (start + length > bytes.length) break
    const type = view.getUint16(head + FRAME.type, true)
    const header = crc32(bytes, 0, head, head + FRAME.checksum)
    const end = start + coveredBytes(type, view, start, length)
    view.setUint32(head + FRAME.checksum, crc32(bytes, header, start, end), true)
  }
  return bytes
}

function generate(random: Random): Uint8Array {
  const writer = new FrameWriter()
  const types = [...Object.values(FrameType), 0x8000, 0x8011, 0xffff, 0x0005]
  const frames = Array.from({ length: 1 + random(6) }, () => {
    const type = pick(types, random) as FrameType
    return writer.frame(type, randomBytes(someLength(2000, random), random))
  })
  return joined(Uint8Array.of(random(256)), ...frames)
}

interface Reading {
  readonly frames: readonly string[]
  readonly error: string
}

/** What a reader makes of a stream in pieces. */
function read(role: ChannelRole, stream: Uint8Array, buffer: GuardedBytes, seed: number): Reading {
  const random = seededRandom(seed)
  const reader = new FrameReader(role, buffer.bytes)
  const frames: string[] = []
  let used = 0
  const step = (end: number): void => {
    for (let at = used; at < end; at = used) {
      const space = reader.space()
      must(space.length > 0, 'a reader has space for what comes')
      const part = stream.subarray(at, Math.min(end, at + space.length))
      space.set(part)
      reader.received(part.length)
      used += part.length
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        const { type, body } = frame
        const rule = frameRule(type)
        must(rule !== undefined && rule.channels.includes(role), 'frames are of this channel')
        must(body.length <= rule.bodyBytesMax, 'bodies keep to the limit of their type')
        frames.push(`${rule.name} ${body.length} ${crc32(body)}`)
      }
      must(reader.pendingBytes <= 0x4100000, 'what is pending is bounded')
    }
  }
  while (used < stream.length) {
    const end = Math.min(stream.length, used + (seed === 0 ? stream.length : 1 + random(97)))
    const { error } = outcomeOf(() => step(end), codes)
    buffer.check('the reader')
    if (error !== undefined) return { frames, error: labelOf(error) }
  }
  return { frames, error: '' }
}

function roleOf(settings: number): ChannelRole {
  if ((settings & isReverse) !== 0) return ChannelRole.Reverse
  if ((settings & isUrgent) !== 0) return ChannelRole.Urgent
  return (settings & isData) === 0 ? ChannelRole.Control : ChannelRole.Data
}

function run(input: Uint8Array): string {
  const settings = input[0] ?? 0
  const role = roleOf(settings)
  const rest = input.subarray(1)
  const stream = (settings & isPutRight) === 0 ? rest : putRight(rest)
  const whole = read(role, stream, buffers[2]!, 0)
  const pieces = read(role, stream, buffers[settings & 4 ? 1 : 0]!, 1 + (settings >>> 3))
  must(whole.error === pieces.error, 'pieces end as the whole does')
  must(whole.frames.join() === pieces.frames.join(), 'pieces have the frames of the whole')
  const last = whole.frames.at(-1)?.split(' ')[0] ?? 'nothing'
  return `${Math.min(whole.frames.length, 4)} frames, ${last}, ${whole.error}`
}

export const frameReader: Target = {
  name: 'frame-reader',
  seeds,
  reaches: [
    '4 frames',
    '1 frames, Pages',
    '1 frames, PageRequest',
    '0 frames, nothing, WIRE_FRAME_LENGTH',
  ],
  inputBytesMax: 128 * 1024,
  allocatedBytesMax: (inputBytes) => 2 * 1024 * 1024 + 32 * inputBytes,
  cpuMsMax: 200,
  fieldsOf,
  generate,
  run,
}
