/**
 * Checkpoints at the source: what a destination sends back of a guest that it runs. An input is
 * steps of five bytes: a checkpoint begins, a batch comes, it ends, or the connection is lost.
 *
 * @module
 */
import type { ErrorCode, Region } from '@godwit/core'
import { Workspace, createPrimitives } from '@godwit/codec'
import { BATCH, u64ToBytes } from '@godwit/wire'
import { CheckpointStore } from '../../../packages/source/src/checkpoint-store.ts'
import { formatBatch } from '../batches/batch-text.ts'
import { Prints } from '../batches/world.ts'
import type { Random } from '../mutator.ts'
import type { Target } from '../target.ts'
import { labelOf, must, outcomeOf } from '../target.ts'

const pageBytes = 4096
const seed = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
// Kernels in wasm would be made anew for every input.
const primitives = await createPrimitives()
const createHasher = (workspace: Workspace) => workspace.createHasher('xxh64', seed)
const prints = new Prints(createHasher(new Workspace(primitives, 0)))
const stepBytes = 5
const stepsMax = 40
const ids = [7, 0]
const lengths = [3 * pageBytes, 6 * pageBytes - 1]
const before = lengths.map((length) => new Uint8Array(length).fill(9))
const codes: readonly ErrorCode[] = [
  'CODEC_BATCH',
  'CODEC_PAGE_RANGE',
  'CODEC_ENCODING',
  'CODEC_DIGEST',
  'LIMIT_EXCEEDED',
  'PROTOCOL_STATE',
  'PROTOCOL_TOTALS',
]

interface Sent {
  readonly region: number
  readonly page: number
  readonly content: Uint8Array
}

/** One for all inputs, since its memory takes longer to make than inputs to try. */
const regions: readonly Region[] = before.map((bytes, i) => {
  return { id: ids[i]!, name: `region ${i}`, bytes: bytes.slice() }
})
const store = new CheckpointStore({ regions, pageBytes, primitives, createHasher })
let number = 0

/** What becomes of the store by one input. */
class Bench {
  readonly #before = regions.map(({ bytes }) => bytes.slice())
  readonly #model = regions.map(({ bytes }) => bytes.slice())
  #arriving: Sent[] = []
  #batches = 0
  #digest = 0n
  whole = 0

  /** @throws whatever the store does */
  step([what, a, b, c, d]: readonly number[]): void {
    switch (what! % 8) {
      case 0:
        return this.#begin(a! % 4 === 0 ? b! % 4 : number + 1)
      case 1:
        return this.#end(a! % 16)
      case 2:
        this.#arriving = []
        return a! % 4 === 0 ? store.drop() : undefined
      default:
        return this.#batch(a! % 3, b! % 8, [c!, d!])
    }
  }

  #begin(next: number): void {
    store.begin(next, 0)
    number = next
    this.#arriving = []
    this.#batches = 0
    this.#digest = 0n
  }

  #batch(region: number, first: number, [how, fill]: readonly [number, number]): void {
    const [count, isZero, isWrong] = [1 + (how & 1), (how & 2) > 0, (how & 0xf0) === 0xf0]
    const bytes = before[region] ?? before[0]!
    const pages = Array.from({ length: count }, (_, i) => {
      const at = (first + i) * pageBytes
      const length = Math.max(0, Math.min(pageBytes, bytes.length - at))
      return { region, page: first + i, content: new Uint8Array(length).fill(isZero ? 0 : fill) }
    })
    const encoding = isZero ? 2 : 1 + (how & 0x0c) * (isWrong ? 1 : 0)
    const payload = isZero ? [] : pages.flatMap(({ content }) => [...content])
    const run = { firstPage: first, pageCount: count, encoding, reserved: 0 }
    const runs = [{ ...run, payload: Uint8Array.from(payload) }]
    const body = formatBatch({ header: new Uint8Array(32), runs, rest: new Uint8Array(0) })
    const view = new DataView(body.buffer)
    const digest = prints.digest(pages.map(({ content }) => content)) + (how === 0xff ? 1n : 0n)
    view.setUint32(BATCH.round, number, true)
    view.setUint16(BATCH.region, ids[region] ?? 99, true)
    view.setUint32(BATCH.decodedBytes, 0, true)
    view.setBigUint64(BATCH.digest, BigInt.asUintN(64, digest), true)
    store.add(body)
    this.#batches++
    this.#digest = BigInt.asUintN(64, this.#digest + digest)
    this.#arriving.push(...pages)
  }

  #end(how: number): void {
    const pages = this.#arriving.length + (how === 1 ? 1 : 0)
    store.end({
      number: number + (how === 2 ? 1 : 0),
      batches: this.#batches + (how === 3 ? 1 : 0),
      pages,
      digest: u64ToBytes(this.#digest ^ (how === 4 ? 1n : 0n)),
      pauseMs: 1,
      package: new Uint8Array(3),
    })
    must(how === 0 || how > 4, 'totals that are wrong are noticed')
    this.whole++
    for (const { region, page, content } of this.#arriving) {
      this.#model[region]!.set(content, page * pageBytes)
    }
  }

  /** Before the guest is taken over nothing has become of its memory. */
  check(): void {
    const isSame = (all: readonly Uint8Array[]): boolean =>
      all.every((bytes, i) => Buffer.compare(bytes, regions[i]!.bytes) === 0)
    must(isSame(this.#before), 'the memory of the guest is as it was')
    store.restore()
    must(isSame(this.#model), 'it becomes that of the last whole checkpoint')
    if (this.whole > 0) must(store.last!.number <= number, 'only a whole one counts')
  }
}

function run(input: Uint8Array): string {
  store.drop()
  const bench = new Bench()
  let label = ''
  for (let at = 0; at + stepBytes <= input.length && label === ''; at += stepBytes) {
    const step = [...input.subarray(at, at + stepBytes)]
    const { error } = outcomeOf(() => bench.step(step), codes)
    if (error !== undefined) label = labelOf(error)
  }
  bench.check()
  return label === '' ? `right ${Math.min(bench.whole, 3)}` : label
}

function generate(random: Random): Uint8Array {
  const bytes: number[] = []
  const next = [0, 0]
  const isCareful = random(4) > 0
  for (let left = random(stepsMax); left > 0; left--) {
    const region = random(isCareful ? 2 : 3)
    const what = bytes.length === 0 ? 0 : random(isCareful ? 12 : 8)
    if (isCareful && what < 3) {
      bytes.push(1, 0, 0, 0, 0, 0, 1, 0, 0, 0)
      next.fill(0)
    } else if (isCareful) {
      const count = random(2)
      bytes.push(3, region, next[region]!, count | (random(2) << 1), random(256))
      next[region]! += 1 + count
    } else bytes.push(what, random(256), random(256), random(256), random(256))
  }
  if (bytes.length > 0) bytes[1] = 1
  return Uint8Array.from(bytes)
}

export const checkpoints: Target = {
  name: 'checkpoints',
  seeds: [],
  reaches: ['right 0', 'right 1', 'PROTOCOL_STATE', 'PROTOCOL_TOTALS', 'CODEC_PAGE_RANGE'],
  inputBytesMax: stepBytes * stepsMax,
  allocatedBytesMax: () => 32 << 20,
  cpuMsMax: 300,
  fieldsOf: (input) => Array.from({ length: input.length }, (_, at) => ({ at, byteCount: 1 })),
  generate,
  run,
}
