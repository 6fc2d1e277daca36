import { CodecError } from '@godwit/core'
import fc from 'fast-check'
import { compress, decompress } from 'lz4-wasm-nodejs'
import { describe, expect, it } from 'vitest'
import { checkLz4Block, createLz4 } from './lz4.ts'

const lz4 = await createLz4()

/** Bytes with repetitions of all lengths and distances. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.record({ back: fc.nat(70_000), length: fc.integer({ min: 1, max: 900 }) }),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => {
    const bytes: number[] = []
    for (const piece of pieces) {
      if (piece instanceof Uint8Array) bytes.push(...piece)
      else for (let i = 0; i < piece.length; i++) bytes.push(bytes.at(-1 - piece.back) ?? i & 255)
    }
    return Uint8Array.from(bytes)
  })

/** What decoding a block comes to by the description of the format; nothing where it is none. */
function decodeSlowly(block: Uint8Array, decodedBytes: number): Uint8Array | undefined {
  const out: number[] = []
  let at = 0
  const byte = (): number => block[at++] ?? Number.NaN
  const lengthFrom = (start: number): number => {
    let length = start
    for (let more = start === 15 ? 255 : 0; more === 255; length += more) more = byte()
    return length
  }
  for (;;) {
    const token = byte()
    for (let i = lengthFrom(token >>> 4); i > 0 && out.length <= decodedBytes; i--) out.push(byte())
    if (at === block.length) break
    const offset = byte() + 256 * byte()
    const length = lengthFrom(token & 15) + 4
    if (!(offset > 0) || offset > out.length || Number.isNaN(length)) return undefined
    for (let i = 0; i < length && out.length <= decodedBytes; i++) out.push(out.at(-offset)!)
    if (at >= block.length || out.length > decodedBytes) return undefined
  }
  return out.length === decodedBytes && !out.some(Number.isNaN) ? Uint8Array.from(out) : undefined
}

/** What our side makes of a block, or the code of what it throws. */
function decoded(block: Uint8Array, decodedBytes: number): Uint8Array | string {
  try {
    return lz4.decompress(block, decodedBytes)
  } catch (error) {
    if (error instanceof CodecError) return error.code
    throw error
  }
}

function blockOf(bytes: Uint8Array): Uint8Array {
  let block = new Uint8Array(0)
  lz4.compress(bytes, { level: 1, windowLog: 0 }, (output) => {
    block = output.slice()
  })
  return block
}

describe('blocks', () => {
  it('are those of the library without the length in front, and come out as they were', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const block = blockOf(bytes)
        const sized = compress(bytes)
        expect(block).toEqual(sized.subarray(4))
        expect(decompress(sized)).toEqual(bytes)
        if (bytes.length === 0) return
        expect(decoded(block, bytes.length)).toEqual(bytes)
        expect(decodeSlowly(block, bytes.length)).toEqual(bytes)
      }),
      { numRuns: 300 },
    )
  })

  it('of 4 MiB go through', () => {
    for (const fill of [(i: number) => i & 255, (i: number) => Math.imul(i, 0x9e3779b1) >>> 24]) {
      const bytes = Uint8Array.from({ length: 4 << 20 }, (_, i) => fill(i))
      expect(Buffer.compare(lz4.decompress(blockOf(bytes), bytes.length), bytes)).toBe(0)
    }
  })

  it('become exactly as much as is stated', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: -300, max: 300 }), (bytes, off) => {
        const decodedBytes = bytes.length + off
        fc.pre(bytes.length > 0 && off !== 0 && decodedBytes > 0)
        expect(decoded(blockOf(bytes), decodedBytes)).toBe('CODEC_COMPRESSION')
      }),
    )
  })
})

describe('blocks of an enemy', () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255) })

  it('are refused, or what the description says of them', () => {
    fc.assert(
      fc.property(
        anyBytes,
        fc.array(change, { maxLength: 4 }),
        fc.nat({ max: 5 }),
        fc.integer({ min: -2, max: 2 }),
        (bytes, changes, cut, off) => {
          const whole = blockOf(bytes)
          const block = whole.slice(0, Math.max(1, whole.length - cut))
          for (const { at, byte } of changes) block[at % block.length] = byte
          const decodedBytes = Math.max(1, bytes.length + off)
          const expected = decodeSlowly(block, decodedBytes) ?? 'CODEC_COMPRESSION'
          expect(decoded(block, decodedBytes)).toEqual(expected)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('of any bytes, too', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60, size: 'max' }),
        fc.integer({ min: 1, max: 400 }),
        (block, decodedBytes) => {
          const expected = decodeSlowly(block, decodedBytes) ?? 'CODEC_COMPRESSION'
          expect(decoded(block, decodedBytes)).toEqual(expected)
        },
      ),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['nothing', [], 4],
    ['a token without its literals', [0x40, 1, 2, 3], 4],
    ['a length without an end', [0xf0, 255, 255], 600],
    ['a length far above what is stated', [0xf0, ...Array(300).fill(255), 0], 1000],
    ['half an offset', [0x10, 1, 1], 20],
    ['an offset of 0', [0x10, 1, 0, 0, 0x10, 1], 6],
    ['an offset behind the start', [0x10, 1, 2, 0, 0x10, 1], 6],
    ['an offset before anything was made', [0x00, 1, 0, 0x10, 1], 5],
    ['a match at the end', [0x10, 1, 1, 0], 5],
    ['a match that makes too much', [0x1f, 1, 1, 0, 255, 0, 0x00], 20],
    ['one byte too many', [0x50, 1, 2, 3, 4, 5], 4],
    ['one byte too few', [0x50, 1, 2, 3, 4, 5], 6],
  ])('%s is refused', (_, block, decodedBytes) => {
    const check = (): void => checkLz4Block(Uint8Array.from(block), decodedBytes)
    expect(check).toThrow(CodecError)
    expect(check).toThrow(/^An LZ4 block /)
  })

  it('whose offset is just the start is right', () => {
    expect(decoded(Uint8Array.of(0x10, 7, 1, 0, 0x10, 9), 6)).toEqual(
      Uint8Array.of(7, 7, 7, 7, 7, 9),
    )
  })
})
