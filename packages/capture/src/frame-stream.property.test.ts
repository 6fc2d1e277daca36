import type { FrameType } from '@godwit/wire'
import { ChannelRole, FrameType as Type, FrameWriter, encodePreface } from '@godwit/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Unit } from './frame-stream.ts'
import { FrameStream } from './frame-stream.ts'

const preface = encodePreface({
  role: ChannelRole.Control,
  index: 0,
  epoch: 0,
  session: new Uint8Array(16),
})
/** There is no such frame; receivers skip it. */
const unknown = 0x8123

/** A stream, and where its units are; bytes of chunks that lie between pieces are not in it. */
function streamOf(sizes: readonly (readonly [isKnown: boolean, bytes: number])[]) {
  const writer = new FrameWriter()
  const frames = sizes.map(([isKnown, size]) => {
    const type = isKnown ? Type.Heartbeat : (unknown as FrameType)
    return writer.frame(type, new Uint8Array(size).fill(size))
  })
  const stream = Uint8Array.from([preface, ...frames].flatMap((part) => [...part]))
  let at = preface.length
  const starts = frames.map((frame) => {
    at += frame.length
    return at - frame.length
  })
  return { stream, starts }
}

/** Feeds a stream in pieces, each of which stands `gap` bytes behind the one before. */
function read(stream: Uint8Array, cuts: readonly number[], gap: number) {
  const frames = new FrameStream()
  const units: (Omit<Unit, 'frame'> & { readonly bytes?: number })[] = []
  const borders = [...new Set([0, ...cuts.map((cut) => cut % stream.length), stream.length])]
  borders.sort((a, b) => a - b)
  /** Of a byte of the stream: its place in the file. */
  const placeOf = (byte: number): number => {
    return byte + gap * borders.filter((border) => border <= byte && border < stream.length).length
  }
  for (const [index, start] of borders.slice(0, -1).entries()) {
    for (const unit of frames.feed(stream.subarray(start, borders[index + 1]), placeOf(start))) {
      units.push(unit.what === 'frame' ? { ...unit, bytes: unit.frame.body.length } : unit)
    }
  }
  return { units, placeOf, frames }
}

const sizes = fc.array(fc.tuple(fc.boolean(), fc.nat(400)), { minLength: 1, maxLength: 12 })

describe('a direction of a channel', () => {
  it('has every frame where it begins, however it is cut into pieces', () => {
    fc.assert(
      fc.property(sizes, fc.array(fc.nat(), { maxLength: 20 }), fc.nat(50), (all, cuts, gap) => {
        const { stream, starts } = streamOf(all)
        const { units, placeOf, frames } = read(stream, cuts, gap)
        const known = all.flatMap(([isKnown, bytes], index) => {
          return isKnown ? [{ at: placeOf(starts[index]!), sequence: index, bytes }] : []
        })
        const found = units.filter(({ what }) => what === 'frame')
        expect(found).toMatchObject(known)
        expect(found).toHaveLength(known.length)
        const skipped = units.reduce((sum, unit) => {
          return sum + ('frames' in unit ? (unit.frames as number) : 0)
        }, 0)
        expect(skipped).toBe(all.length - known.length)
        expect(frames.isPartial).toBe(false)
      }),
    )
  })

  it('says where it is broken, however it is cut into pieces', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.array(fc.nat(), { maxLength: 20 }), (all, which, cuts) => {
        const { stream, starts } = streamOf(all)
        const index = which % all.length
        // The sequence number, which is right for no frame then.
        stream[starts[index]! + 11] = 0x77
        const { units, placeOf, frames } = read(stream, cuts, 24)
        const last = units.at(-1)
        expect(last).toMatchObject({ what: 'broken', sequence: index })
        expect(last).toMatchObject({
          at: placeOf(starts[index]!),
          error: { code: 'WIRE_SEQUENCE' },
        })
        expect([...frames.feed(Uint8Array.of(1), 0)]).toEqual([])
      }),
    )
  })

  it('is partial within a unit, and says where that begins', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (all, length) => {
        const { stream, starts } = streamOf(all)
        const cut = length % stream.length
        const { frames } = read(stream.subarray(0, cut === 0 ? 1 : cut), [], 24)
        const borders = [0, preface.length, ...starts]
        const isBorder = borders.includes(cut === 0 ? 1 : cut)
        expect(frames.isPartial).toBe(!isBorder)
      }),
    )
  })
})
