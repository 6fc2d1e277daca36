import { describe, expect, test } from 'vitest'
import { StreamError } from './stream-format.ts'
import { badStreams, type GoodStream, goodStreams, memoryOf, ReadStream } from './stream-vectors.ts'

/** What came of reading a stream to its end, in the words of a vector. */
function told({ reader, setup, blocks, marked, rest }: ReadStream, stream: GoodStream): object {
  reader.end()
  const names = Object.keys(stream.blocks)
  const areSame = names.map((name, index) => {
    return Buffer.compare(blocks[index]!.bytes, memoryOf(stream.memory[name]!)) === 0
  })
  const { markedPages, isPastMemory } = reader
  return { setup, areSame, marked, markedPages, isPastMemory, rest }
}

function wanted({ machine, blocks, marked, rest }: GoodStream): object {
  const list = Object.entries(blocks).map(([name, byteLength]) => ({ name, byteLength }))
  const pages = list.map(({ name }) => marked[name]!)
  return {
    setup: { machine, blocks: list },
    areSame: list.map(() => true),
    marked: pages,
    markedPages: pages.flat().length,
    isPastMemory: true,
    rest,
  }
}

/** Every place that is not in the midst of a page, and some that are. */
function* cutsOf({ length }: Uint8Array): Generator<number> {
  const isNear = (at: number): boolean => at % 4096 < 300 || at % 4096 > 3800
  for (let cut = 1; cut < length; cut += isNear(cut) ? 1 : 97) yield cut
}

describe('a stream', () => {
  for (const stream of goodStreams) {
    test(`${stream.name}`, () => {
      expect(told(new ReadStream().read(stream.bytes), stream)).toEqual(wanted(stream))
    })

    test(`${stream.name}, cut in two anywhere`, () => {
      for (const cut of cutsOf(stream.bytes)) {
        expect(told(new ReadStream().read(stream.bytes, [cut]), stream)).toEqual(wanted(stream))
      }
    })

    test(`${stream.name}, byte by byte`, () => {
      const cuts = Array.from({ length: stream.bytes.length - 1 }, (_, i) => i + 1)
      expect(told(new ReadStream().read(stream.bytes, cuts), stream)).toEqual(wanted(stream))
    })
  }

  test('that ends early is refused at its end, and not before', () => {
    const { bytes, rest } = goodStreams[1]!
    for (const cut of cutsOf(bytes.subarray(0, bytes.length - rest.length / 2))) {
      const read = new ReadStream().read(bytes.subarray(0, cut))
      expect(() => read.reader.end()).toThrow(StreamError)
    }
  })

  test('that is marked twice counts a page once, until the mark is cleared', () => {
    const { bytes } = goodStreams[2]!
    const read = new ReadStream().read(bytes)
    expect(read.reader.markedPages).toBe(2)
  })
})

describe('a broken stream', () => {
  for (const { name, bytes, error } of badStreams) {
    test(`${name}: a typed error`, () => {
      expect(() => new ReadStream().read(bytes)).toThrow(
        expect.objectContaining({ name: 'StreamError', code: 'GUEST_FAILED', ...error }),
      )
    })

    test(`${name}, byte by byte`, () => {
      const cuts = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
      expect(() => new ReadStream().read(bytes, cuts)).toThrow(expect.objectContaining(error))
    })
  }

  test('a block of more than 4 GiB is too large', () => {
    const big = Buffer.alloc(9 + 3)
    big.writeUInt8(2)
    big.write('pc', 1)
    big.writeBigUInt64BE(2n ** 33n, 3)
    const sizes = Buffer.alloc(8)
    sizes.writeBigUInt64BE(2n ** 33n + 4n)
    const { bytes } = goodStreams[0]!
    const upTo = Buffer.from(bytes).indexOf(Buffer.from('72616d', 'hex')) + 3 + 8
    const stream = Buffer.concat([bytes.subarray(0, upTo), sizes, big])
    expect(() => new ReadStream().read(stream)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', limit: 'regionBytesMax', value: 2 ** 33 }),
    )
  })

  test('devices with more than 64 MiB of state are too large', () => {
    const read = new ReadStream().read(goodStreams[0]!.bytes)
    const chunk = new Uint8Array(1 << 20)
    const push = (): void => {
      for (let i = 0; i < 64; i++) read.reader.push(chunk)
    }
    expect(push).toThrow(expect.objectContaining({ limit: 'deviceStateBytesMax' }))
  })
})
