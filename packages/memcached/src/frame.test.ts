import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CHANNELS_MAX, FRAME_HEADER_BYTES, FrameKind, FrameReader, putHeader } from './frame.ts'
import { Replies } from './replies.ts'

interface Read {
  readonly isRight: boolean
  /** Of each channel, all of its data. */
  readonly data: ReadonlyMap<number, string>
  readonly frames: readonly (readonly number[])[]
}

function read(chunks: readonly Uint8Array[]): Read {
  const data = new Map<number, string>()
  const frames: number[][] = []
  const reader = new FrameReader()
  const taker = {
    data(channel: number, bytes: Uint8Array) {
      expect(bytes.length).toBeGreaterThan(0)
      data.set(channel, (data.get(channel) ?? '') + Buffer.from(bytes).toString('latin1'))
    },
    frame(...parts: [FrameKind, number, number]) {
      frames.push(parts)
      return parts[0] <= FrameKind.Held
    },
  }
  return { isRight: chunks.every((chunk) => reader.read(chunk, taker)), data, frames }
}

function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const next = at + lengths[i % lengths.length]!
    chunks.push(bytes.subarray(at, next))
    at = next
  }
  return chunks
}

const channel = fc.nat({ max: CHANNELS_MAX - 1 })
const frame = fc.oneof(
  fc.record({ channel, text: fc.string({ minLength: 1, maxLength: 50 }) }),
  fc.record({
    channel,
    kind: fc.constantFrom(FrameKind.End, FrameKind.Close, FrameKind.Credit, FrameKind.Hold),
    value: fc.nat({ max: 2 ** 32 - 1 }),
  }),
)
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 })

describe('frames', () => {
  it('are little-endian, as the table says', () => {
    const bytes = new Uint8Array(FRAME_HEADER_BYTES).fill(0xff)
    putHeader(bytes, 0, { kind: FrameKind.Credit, channel: 0x0102, value: 0x8a0b0c0d })
    expect([...bytes]).toEqual([0x0d, 0x0c, 0x0b, 0x8a, 0x02, 0x01, 4, 0])
  })

  it('are found however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frame), lengths, (frames, cuts) => {
        const out = new Replies()
        const data = new Map<number, string>()
        for (const one of frames) {
          if ('kind' in one) out.addFrame(one)
          else {
            const at = out.beginFrame()
            out.addText(one.text)
            out.endFrame(at, FrameKind.Data, one.channel)
            const latin1 = Buffer.from(one.text, 'latin1').toString('latin1')
            data.set(one.channel, (data.get(one.channel) ?? '') + latin1)
          }
        }
        const others = frames.flatMap((one) => {
          return 'kind' in one ? [[one.kind, one.channel, one.value]] : []
        })
        expect(read(cut(out.take(), cuts))).toEqual({ isRight: true, data, frames: others })
      }),
    )
  })

  it('are none without anything in them', () => {
    const out = new Replies()
    expect(out.endFrame(out.beginFrame(), FrameKind.Data, 1)).toBe(0)
    expect(out.length).toBe(0)
  })

  it.each([
    ['a channel that cannot be', [0, 0, 0, 0, CHANNELS_MAX & 0xff, CHANNELS_MAX >> 8, 2, 0]],
    ['a kind that there is not', [0, 0, 0, 0, 0, 0, 7, 0]],
    ['a byte that is to be 0', [0, 0, 0, 0, 0, 0, 2, 1]],
  ])('refuses %s', (_, bytes) => {
    expect(read([Uint8Array.from(bytes)]).isRight).toBe(false)
  })

  it('takes any bytes, and ends', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), lengths, (bytes, cuts) => {
        expect(read(cut(bytes, cuts))).toEqual(read([bytes]))
      }),
    )
  })
})
