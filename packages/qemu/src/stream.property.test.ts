import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StreamError } from './stream-format.ts'
import { goodStreams, memoryOf, ReadStream } from './stream-vectors.ts'
import { writeHead, writeMemory } from './stream-writer.ts'
import { LimitError } from '@godwit/core'

const pageBytes = 4096

/** A block: a byte for each page, which it is full of. */
const pages = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 12 })
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 30 }), {
  minLength: 1,
  maxLength: 5,
  selector: (name) => new TextDecoder().decode(new TextEncoder().encode(name)),
})
const someBlocks = names.chain((list) =>
  fc.tuple(...list.map((name) => pages.map((fills) => ({ name, fills })))),
)
const cuts = fc.array(fc.nat(), { maxLength: 12 })

function cutPlaces(asked: readonly number[], length: number): readonly number[] {
  return asked.map((cut) => cut % (length + 1)).toSorted((a, b) => a - b)
}

/** Pages of a part of a block. */
const partPages = fc.integer({ min: 1, max: 13 })

test('what is written is read: every page, both cut anywhere', () => {
  const property = fc.property(someBlocks, cuts, partPages, (blocks, asked, most) => {
    const filled = blocks.map(({ name, fills }) => {
      return { name, bytes: memoryOf(fills.map((byte) => [byte, pageBytes] as const)) }
    })
    const shapes = filled.map(({ name, bytes }) => ({ name, byteLength: bytes.length }))
    const setup = { machine: 'pc-q35-7.2', blocks: shapes }
    const rest = Uint8Array.of(4, 1, 2, 3)
    const stream = Buffer.concat([writeHead(setup), ...writeMemory(filled), rest])
    const read = new ReadStream(most).read(new Uint8Array(stream), cutPlaces(asked, stream.length))
    read.reader.end()
    expect(read.setup).toEqual(setup)
    for (const [index, { bytes }] of filled.entries()) {
      expect(Buffer.compare(read.memory[index]!, bytes)).toBe(0)
    }
    expect(read.rest).toBe('04010203')
  })
  fc.assert(property)
})

/** `read`, or the class of what was thrown. */
function outcomeOf(run: () => void): unknown {
  try {
    run()
    return 'read'
  } catch (thrown) {
    return (thrown as Error).constructor
  }
}

test('whatever is changed in a stream, it is read or refused with a typed error', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 4,
  })
  const property = fc.property(
    fc.constantFrom(...goodStreams),
    changes,
    cuts,
    partPages,
    (good, all, asked, most) => {
      const bytes = good.bytes.slice()
      for (const [at, byte] of all) bytes[at % bytes.length] = byte
      const read = new ReadStream(most)
      const outcome = outcomeOf(() => read.read(bytes, cutPlaces(asked, bytes.length)).reader.end())
      expect(['read', StreamError, LimitError]).toContain(outcome)
    },
  )
  fc.assert(property, { numRuns: 1000 })
})
