/**
 * QEMU's migration stream, read in chunks to memory in parts, against a reader that has all of it
 * at hand. The number in front of an input says where both are cut.
 *
 * @module
 */
import { formatBytes, LimitError } from '@godwit/core'
import {
  type BlockMemory,
  StreamError,
  type StreamSetup,
} from '../../../packages/qemu/src/stream-format.ts'
import { StreamReader } from '../../../packages/qemu/src/stream-reader.ts'
import { badStreams, goodStreams } from '../../../packages/qemu/src/stream-vectors.ts'
import type { Field, Random } from '../mutator.ts'
import { interesting, joined, pick, randomBytes } from '../mutator.ts'
import { type ModelStream, Refusal, StreamModel, tooMuch } from '../stream-model.ts'
import type { Target } from '../target.ts'
import { GuardedBytes, must, numberBytes, outcomeOf, splitNumber } from '../target.ts'

const pageBytes = 4096
/** Of all blocks of a stream together: more of it would cost time only. */
const pagesMax = 64
const inputBytesMax = 48 * 1024
const codes = ['GUEST_FAILED', 'LIMIT_EXCEEDED', 'NO_ROOM'] as const
/** What is named in labels as it is; other records are named by a stream. */
const ours: ReadonlySet<string> = new Set(
  badStreams.map(({ error }) => error.record).filter((record) => !/\d|vfio|timer/.test(record)),
)

const seeds = [...goodStreams, ...badStreams].flatMap(({ bytes }) => {
  return [0, 1, 7, 4099].map((cut) => joined(numberBytes(cut), bytes.subarray(0, inputBytesMax)))
})

/** A part of a block, with nothing behind it that may be written. */
interface GuardedPart extends BlockMemory {
  readonly guarded: GuardedBytes
}

function guardedPart(pages: number): GuardedPart {
  const guarded = new GuardedBytes(pages * pageBytes)
  guarded.bytes.fill(0)
  const notes = { touched: new Uint8Array(pages), marks: new Uint8Array(pages) }
  return { guarded, bytes: guarded.bytes, ...notes }
}

class Read {
  blocks: readonly (readonly GuardedPart[])[] = []
  setup: StreamSetup | undefined
  readonly reader = new StreamReader((setup) => this.#begin(setup))
  readonly #partPages: number

  /** @param partPages - pages of a part of a block, but for its last */
  constructor(partPages: number) {
    this.#partPages = partPages
  }

  #begin(setup: StreamSetup): readonly (readonly GuardedPart[])[] {
    must(this.setup === undefined, 'memory is made once')
    this.setup = setup
    const all = setup.blocks.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (all > pagesMax * pageBytes) {
      const facts = { limit: 'memory', value: all, maximum: pagesMax * pageBytes }
      throw new LimitError('NO_ROOM', `${formatBytes(all)} of memory`, facts)
    }
    const most = this.#partPages
    this.blocks = setup.blocks.map(({ byteLength }) => {
      const pages = byteLength / pageBytes
      return Array.from({ length: Math.ceil(pages / most) }, (_, i) =>
        guardedPart(Math.min(most, pages - i * most)),
      )
    })
    return this.blocks
  }

  /** In chunks of memory of their own, which is another's as soon as it was read. */
  read(bytes: Uint8Array, chunkBytes: number): void {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.slice(at, at + chunkBytes)
      this.reader.push(chunk)
      chunk.fill(0xee)
    }
    this.reader.end()
  }

  /** That it is what the model has. */
  check({ machine, blocks, rest }: ModelStream): void {
    const { reader, setup } = this
    must(reader.isPastMemory, 'memory is over when all was read')
    const shapes = blocks.map(({ name, bytes }) => ({ name, byteLength: bytes.length }))
    must(JSON.stringify(setup) === JSON.stringify({ machine, blocks: shapes }), 'what there is')
    let marked = 0
    for (const [index, parts] of this.blocks.entries()) {
      const model = blocks[index]!
      const bytes = Buffer.concat(parts.map((part) => part.bytes))
      must(Buffer.compare(bytes, model.bytes) === 0, 'memory is what came')
      const [marks, touched] = [parts.map((part) => part.marks), parts.map((part) => part.touched)]
      for (const [notes, what] of [
        [marks, 'marked'],
        [touched, 'touched'],
      ] as const) {
        const isNoted = notes.flatMap((part) => [...part])
        for (const [page, note] of isNoted.entries()) {
          must(
            (note !== 0) === model.stored.has(page),
            `pages that came are ${what}, and no others`,
          )
        }
      }
      marked += model.stored.size
    }
    must(reader.markedPages === marked, 'a marked page is counted once')
    must(Buffer.compare(Buffer.concat(reader.rest), rest) === 0, 'what follows is kept as it came')
  }
}

/** Reads it in some way; a label of what came of it, which does not depend on the way. */
function readIn(
  bytes: Uint8Array,
  [chunkBytes, partPages]: readonly [number, number],
  model: ReturnType<StreamModel['read']>,
): string {
  const read = new Read(partPages)
  const { error } = outcomeOf(() => read.read(bytes, chunkBytes), codes)
  for (const { guarded } of read.blocks.flat()) guarded.check('a part of a block')
  if (error === undefined) {
    must(model !== tooMuch && !(model instanceof Refusal), 'what is read is right')
    read.check(model)
    const marks = Math.min(3, read.reader.markedPages)
    return `read ${Math.min(3, model.blocks.length)} ${marks} ${Math.min(3, model.rest.length)}`
  }
  if (!(error instanceof StreamError)) {
    must(model === tooMuch, 'no memory is refused that is not too much')
    return error.code
  }
  const { record, at } = error
  must(model instanceof Refusal, 'what is right is read')
  const found = `${record} at ${at}, and ${model.record} at ${model.at}`
  must(record === model.record && at === model.at, `it is refused where it is wrong: ${found}`)
  return ours.has(record) ? record : 'another record'
}

function run(input: Uint8Array): string {
  const { number, rest: bytes } = splitNumber(input)
  const model = new StreamModel(bytes, pagesMax).read()
  const label = readIn(bytes, [Math.max(1, bytes.length), pagesMax], model)
  const cuts = [1 + (number % 5000), 1 + (number % 7)] as const
  must(readIn(bytes, cuts, model) === label, 'a cut changes nothing')
  return label
}

/** Of a stream; numbers are big-endian. */
const u8 = (value: number): Uint8Array => Uint8Array.of(value)
const u32 = (value: number): Uint8Array => numberBytes(value).toReversed()
const u64 = (value: number): Uint8Array => joined(u32(Math.floor(value / 2 ** 32)), u32(value))
const text = (name: string): Uint8Array => joined(u8(name.length), Buffer.from(name, 'latin1'))

type Blocks = readonly { readonly name: string; readonly pages: number }[]

function someRecord(blocks: Blocks, random: Random): Uint8Array {
  const { name, pages } = pick(blocks, random)
  const isSame = random(2) === 0
  const page = random(20) === 0 ? interesting(random) : random(pages)
  const kind = random(3) === 0 ? 2 : 8
  const flags = random(40) === 0 ? random(0x1000) : kind | (isSame ? 0x20 : 0)
  const head = joined(u64(page * pageBytes + flags), isSame ? u8(0).subarray(1) : text(name))
  if (kind === 2) return joined(head, u8(random(30) === 0 ? 1 : 0))
  return joined(head, new Uint8Array(pageBytes).fill(random(256)))
}

function generate(random: Random): Uint8Array {
  const id = random(5)
  const blocks = Array.from({ length: 1 + random(3) }, (_, i) => {
    const pages = random(40) === 0 ? pagesMax : 1 + random(6)
    return { name: 'ab'.repeat(1 + random(4)) + String(i), pages }
  })
  const pages = blocks.reduce((sum, one) => sum + one.pages, 0)
  const end = joined(u64(0x10), u8(0x7e), u32(random(60) === 0 ? random(5) : id))
  const sizes = blocks.map((one) => joined(text(one.name), u64(one.pages * pageBytes)))
  const first = joined(u8(1), u32(id), text('ram'), u32(0), u32(4))
  const count = 1 + random(3)
  const parts = Array.from({ length: count }, (_, i) => {
    const records = Array.from({ length: random(4) }, () => someRecord(blocks, random))
    return joined(u8(i + 1 === count ? 3 : 2), u32(id), ...records, end)
  })
  return joined(
    numberBytes(random(3) === 0 ? random(40) : random(5000)),
    Buffer.from('QEVM'),
    u32(3),
    u8(7),
    u32(3),
    Buffer.from('q35'),
    joined(first, u64(pages * pageBytes + 4), ...sizes, end),
    ...parts,
    u8(random(9) === 0 ? random(9) : 4),
    randomBytes(random(40), random),
  )
}

/** The last byte of each number, and the one before it, where the flags of a record begin. */
function fieldsOf(input: Uint8Array): readonly Field[] {
  const model = new StreamModel(input.subarray(4), pagesMax)
  model.read()
  const fields = model.numbers.flatMap((end) => [
    { at: 4 + end - 1, byteCount: 1 } as const,
    { at: 4 + end - 2, byteCount: 1 } as const,
  ])
  return [{ at: 0, byteCount: 4 } as const, ...fields.filter(({ at }) => at >= 4)]
}

export const qemuStreams: Target = {
  name: 'qemu-streams',
  seeds,
  reaches: [
    'read 3 3',
    'read 1 0',
    'magic',
    'configuration',
    'sizes',
    'block',
    'page',
    'zero',
    'footer',
    'end',
    'xbzrle',
    'command',
    'another record',
    'NO_ROOM',
    'LIMIT_EXCEEDED',
  ],
  inputBytesMax,
  // Memory thrice, and chunks of a byte.
  allocatedBytesMax: (inputBytes) => (24 << 20) + 256 * inputBytes,
  cpuMsMax: 300,
  fieldsOf,
  generate,
  run,
}
