import { GIB } from '@godwit/core'
import { describe, expect, test } from 'vitest'
import { cutBlocks } from './block-regions.ts'
import { StreamError } from './stream-format.ts'
import { allocateShadow } from './stream-memory.ts'
import { StreamReader } from './stream-reader.ts'
import { badStreams, type GoodStream, goodStreams, memoryOf, ReadStream } from './stream-vectors.ts'
import { writeHead } from './stream-writer.ts'

/** What came of reading a stream to its end, in the words of a vector. */
function told({ reader, setup, memory, marked, rest }: ReadStream, stream: GoodStream): object {
  reader.end()
  const names = Object.keys(stream.blocks)
  const areSame = names.map((name, index) => {
    return Buffer.compare(memory[index]!, memoryOf(stream.memory[name]!)) === 0
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

/** A page of zeros, of the block of the record before. */
function zeroRecord(address: number): Uint8Array {
  const head = Buffer.alloc(9)
  head.writeBigUInt64BE(BigInt(address) | 0x22n)
  return head
}

/** A page full of a byte. @param name - of its block; undefined: that of the record before */
function record(address: number, name: string | undefined, byte: number): Uint8Array {
  const head = Buffer.alloc(8)
  head.writeBigUInt64BE(BigInt(address) | (name === undefined ? 0x28n : 0x08n))
  const called = name === undefined ? [] : [name.length, ...Buffer.from(name)]
  return Buffer.concat([head, Uint8Array.from(called), Buffer.alloc(4096, byte)])
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

  test.each([1, 2, 3])('goes to memory that is in parts of %i pages', (partPages) => {
    for (const stream of goodStreams) {
      expect(told(new ReadStream(partPages).read(stream.bytes), stream)).toEqual(wanted(stream))
    }
  })

  test('has pages of a block of more than 4 GiB on both sides of where it is cut', () => {
    const byteLength = 4 * GIB + 2 * 4096
    const blocks = [{ name: 'pc.ram', byteLength }]
    const shadow = allocateShadow(cutBlocks(blocks))
    const reader = new StreamReader(() => shadow)
    reader.push(writeHead({ machine: 'pc-q35-7.2', blocks }))
    reader.push(Uint8Array.of(2, 0, 0, 0, 2))
    reader.push(record(byteLength - 4096, 'pc.ram', 4))
    for (const [address, byte] of [
      [4 * GIB - 4096, 1],
      [4 * GIB, 3],
      [0, 2],
    ] as const) {
      reader.push(record(address, undefined, byte))
    }
    const [first, second] = shadow[0]!
    expect([first!.bytes.length, second!.bytes.length]).toEqual([4 * GIB, 2 * 4096])
    const firsts = [0, 1, (4 * GIB) / 4096 - 1].map((page) => first!.bytes[page * 4096])
    expect(firsts).toEqual([2, 0, 1])
    expect(first!.bytes.at(-1)).toBe(1)
    expect([second!.bytes[0], second!.bytes[4095], second!.bytes[4096]]).toEqual([3, 3, 4])
    expect([...second!.marks]).toEqual([1, 1])
    expect(reader.markedPages).toBe(4)
    const beyond = record(byteLength, undefined, 5)
    expect(() => reader.push(beyond)).toThrow(expect.objectContaining({ record: 'page' }))
  })

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

  test('counts its pages, those of zeros and those that came before, too', () => {
    const { reader } = new ReadStream()
    const blocks = [{ name: 'pc.ram', byteLength: 4 * 4096 }]
    reader.push(writeHead({ machine: 'pc-q35-7.2', blocks }))
    reader.push(Uint8Array.of(2, 0, 0, 0, 2))
    reader.push(record(0, 'pc.ram', 1))
    reader.push(zeroRecord(4096))
    reader.push(record(0, undefined, 2))
    expect([reader.pages, reader.markedPages]).toEqual([3, 1])
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

  test('blocks of more than 1024 regions of 4 GiB are too large', () => {
    const headOf = (...lengths: readonly number[]): Uint8Array => {
      const blocks = lengths.map((byteLength, index) => ({ name: `m${index}`, byteLength }))
      return writeHead({ machine: 'pc-q35-7.2', blocks })
    }
    const most = 1023 * 4 * GIB
    const reader = new StreamReader(() => [])
    expect(() => reader.push(headOf(most, 4 * GIB))).toThrow(/no list of blocks/)
    for (const lengths of [[most, 4096, 4096], [most + 4 * GIB + 4096]]) {
      expect(() => new ReadStream().read(headOf(...lengths))).toThrow(
        expect.objectContaining({ code: 'LIMIT_EXCEEDED', limit: 'regionsMax', value: 1025 }),
      )
    }
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
