import { GodwitError } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader } from './frame-reader.ts'
import { FrameType, frameRule } from './frame-type.ts'
import { FrameWriter } from './frame-writer.ts'
import { ChannelRole, FRAME_HEADER_BYTES } from './layout.ts'
import { decodeMessage } from './messages.ts'

interface Sent {
  readonly type: FrameType
  readonly body: Uint8Array
}

const types = Object.values(FrameType).filter((type) => frameRule(type) !== undefined)
const typesOf = (role: ChannelRole) =>
  types.filter((type) => frameRule(type)!.channels.includes(role))
const role = fc.constantFrom(ChannelRole.Control, ChannelRole.Data, ChannelRole.Urgent)
const conversation = role.chain((of) =>
  fc.record({
    role: fc.constant(of),
    frames: fc.array(
      fc.record({
        type: fc.constantFrom(...typesOf(of)),
        body: fc.uint8Array({ maxLength: 300, size: 'max' }),
      }),
      { maxLength: 12 },
    ),
  }),
)

function written(frames: readonly Sent[]): Uint8Array {
  const writer = new FrameWriter()
  return new Uint8Array(Buffer.concat(frames.map(({ type, body }) => writer.frame(type, body))))
}

/** Feeds `bytes` in pieces of these lengths, in turn; copies the frames. */
function read(reader: FrameReader, bytes: Uint8Array, lengths: readonly number[]): Sent[] {
  const frames: Sent[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const space = reader.space()
    const wanted = lengths.length === 0 ? bytes.length : lengths[turn % lengths.length]!
    const piece = bytes.subarray(at, at + Math.min(wanted, space.length))
    space.set(piece)
    reader.received(piece.length)
    at += piece.length
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      frames.push({ type: frame.type, body: frame.body.slice() })
    }
  }
  return frames
}

/** The frames, or the error; an error that is not ours is not caught. */
function outcome(run: () => Sent[]): Sent[] | GodwitError {
  try {
    return run()
  } catch (error) {
    if (error instanceof GodwitError) return error
    throw error
  }
}

const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 20 })

describe('FrameWriter and FrameReader', () => {
  it('agree, however the stream is cut', () => {
    fc.assert(
      fc.property(conversation, cuts, ({ role: of, frames }, lengths) => {
        const reader = new FrameReader(of)
        expect(read(reader, written(frames), lengths)).toEqual(frames)
        expect(reader.pendingBytes).toBe(0)
      }),
    )
  })

  it('agree on frames longer than the buffer, between short ones', () => {
    const body = Uint8Array.from({ length: 700_000 }, (_, i) => i * 7)
    const short = { type: FrameType.Heartbeat, body: Uint8Array.of(0x80) }
    const frames = [short, { type: FrameType.State, body }, short, { type: FrameType.State, body }]
    for (const lengths of [[], [65536], [1000, 37, 4096]]) {
      const found = read(new FrameReader(ChannelRole.Control), written(frames), lengths)
      expect(found.map(({ type }) => type)).toEqual(frames.map(({ type }) => type))
      expect(found.every((frame, i) => Buffer.compare(frame.body, frames[i]!.body) === 0)).toBe(
        true,
      )
    }
  })

  it('skip optional frames wherever they stand', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 20 }),
        cuts,
        fc.integer({ min: 0x8000, max: 0xffff }),
        (optional, lengths, type) => {
          const body = Uint8Array.of(1, 2, 3)
          const frames = optional.map((skip) => ({
            type: (skip ? type : FrameType.Heartbeat) as FrameType,
            body,
          }))
          const found = read(new FrameReader(ChannelRole.Control), written(frames), lengths)
          expect(found).toEqual(frames.filter((frame) => frame.type === FrameType.Heartbeat))
        },
      ),
    )
  })
})

describe('FrameReader, with damaged bytes', () => {
  it('gives frames as they were sent, or one typed error, for any byte that changes', () => {
    const damage = fc.record({ at: fc.nat(), xor: fc.integer({ min: 1, max: 255 }) })
    fc.assert(
      fc.property(conversation, cuts, damage, ({ role: of, frames }, lengths, { at, xor }) => {
        const bytes = written(frames)
        if (bytes.length > 0) bytes[at % bytes.length]! ^= xor
        const result = outcome(() => read(new FrameReader(of), bytes, lengths))
        const isError = result instanceof GodwitError
        const found = isError ? [] : result
        // The payload of PAGES has a digest of its own; an optional type hides a frame.
        const isSent = (one: Sent) =>
          one.type === FrameType.Pages ||
          frames.some(({ type, body }) => type === one.type && Buffer.compare(body, one.body) === 0)
        expect(found.every(isSent)).toBe(true)
        expect(isError ? result.code.slice(0, 5) : 'WIRE_').toBe('WIRE_')
      }),
      { numRuns: 500 },
    )
  })

  it('takes any bytes at all', () => {
    fc.assert(
      fc.property(
        role,
        fc.uint8Array({ maxLength: 500, size: 'max' }),
        cuts,
        (of, bytes, lengths) => {
          const result = outcome(() => read(new FrameReader(of), bytes, lengths))
          expect(Array.isArray(result) || result.code.startsWith('WIRE_')).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('and decodeMessage takes any body', () => {
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (type, body) => {
        const result = outcome(() => {
          decodeMessage(type, body)
          return []
        })
        expect(Array.isArray(result) || result.code.startsWith('WIRE_')).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('FrameReader, its memory', () => {
  it('holds at most twice what was sent, whatever a header announces', () => {
    const announced = frameRule(FrameType.State)!.bodyBytesMax
    const start = new FrameWriter().frame(FrameType.State, new Uint8Array(0))
    new DataView(start.buffer).setUint32(4, announced, true)
    const reader = new FrameReader(ChannelRole.Control)
    read(reader, start, [])
    expect(reader.space().buffer.byteLength).toBeLessThanOrEqual(65536)
    const piece = new Uint8Array(10_000)
    for (let sent = FRAME_HEADER_BYTES; sent < 3_000_000; sent += piece.length) {
      expect(read(reader, piece, [])).toEqual([])
      const held = reader.space().buffer.byteLength
      expect(held).toBeLessThanOrEqual(Math.max(65536, 2 * (sent + piece.length)))
    }
  })

  it('does not grow for many short frames, nor for optional ones', () => {
    const reader = new FrameReader(ChannelRole.Control)
    const writer = new FrameWriter()
    const skipped = 0x9000 as FrameType
    for (let i = 0; i < 300; i++) {
      read(reader, writer.frame(skipped, new Uint8Array(65536)), [])
      read(reader, writer.frame(FrameType.Heartbeat, Uint8Array.of(0x80)), [])
    }
    expect(reader.space().buffer.byteLength).toBe(65536)
    expect(reader.pendingBytes).toBe(0)
  })

  it('always has space', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(65536), { maxLength: 60 }), (lengths) => {
        const start = new FrameWriter().frame(FrameType.State, new Uint8Array(0))
        new DataView(start.buffer).setUint32(4, 60_000_000, true)
        const reader = new FrameReader(ChannelRole.Control)
        read(reader, start, [])
        for (const length of lengths) {
          const space = reader.space()
          expect(space.length).toBeGreaterThan(0)
          reader.received(Math.min(length, space.length))
          expect(reader.next()).toBe(undefined)
        }
      }),
      { numRuns: 30 },
    )
  })
})
