/**
 * The kernels that apply deltas: SIMD, its twin, and the model give the same page. Two bytes of
 * page size are in front of the delta, and one that says what the page holds.
 *
 * @module
 */
import { Workspace, createPrimitives } from '@godwit/codec'
import { nodePrimitives } from 'godwit'
import { someDelta } from '../deltas.ts'
import { changedPage } from '../models.ts'
import type { Field, Random } from '../mutator.ts'
import { joined, pick } from '../mutator.ts'
import type { Target } from '../target.ts'
import { must } from '../target.ts'

const headBytes = 3
const pageBytesMax = 65536
const guardBytes = 4096
const guard = new Uint8Array(guardBytes).fill(0xa5)
const kernels = [await nodePrimitives(), await createPrimitives()].map(
  (primitives) => new Workspace(primitives, 1 << 20).kernels,
)
const places = kernels.map((one) => one.allocate(pageBytesMax + 2 * guardBytes) + guardBytes)

/** The numbers of the first pairs, where they are two bytes long as well as where they are one. */
function fieldsOf(input: Uint8Array): readonly Field[] {
  const fields: Field[] = [{ at: 0, byteCount: 2 }]
  for (let at = headBytes; at + 1 < Math.min(input.length, 64); at++)
    fields.push({ at, byteCount: 1 })
  return fields
}

function generate(random: Random): Uint8Array {
  const pageBytes = pick([1, 7, 64, 100, 4096, 4097, 16384, 65536], random)
  const head = Uint8Array.of((pageBytes - 1) & 0xff, (pageBytes - 1) >>> 8, random(256))
  return joined(head, someDelta(pageBytes, random))
}

interface Decoded {
  readonly code: number
  readonly page: Uint8Array
}

function decode(index: number, page: Uint8Array, delta: Uint8Array, atEnd: boolean): Decoded {
  const one = kernels[index]!
  const at = places[index]!
  const { bytes } = one
  // At the memory's very end, where reading on would trap, or right behind the page's guard.
  const from = atEnd ? bytes.length - delta.length : at + pageBytesMax + guardBytes
  bytes.set(guard, at - guardBytes)
  bytes.set(page, at)
  bytes.set(guard, at + page.length)
  bytes.set(delta, from)
  const code = one.decodeDelta(at, page.length, from, delta.length)
  const before = Buffer.compare(bytes.subarray(at - guardBytes, at), guard)
  const after = bytes.subarray(at + page.length, at + page.length + guardBytes)
  must(before === 0 && Buffer.compare(after, guard) === 0, 'nothing outside the page is written')
  must(Buffer.compare(bytes.subarray(from, from + delta.length), delta) === 0, 'deltas are read')
  return { code, page: bytes.slice(at, at + page.length) }
}

function run(input: Uint8Array): string {
  const pageBytes = 1 + ((input[0] ?? 0) | ((input[1] ?? 0) << 8))
  const settings = input[2] ?? 0
  const page = new Uint8Array(pageBytes).fill(settings)
  const delta = input.subarray(headBytes)
  const [simd, portable] = kernels.map((_, i) => decode(i, page, delta, settings % 2 === 0))
  must(simd!.code === portable!.code, `SIMD says ${simd!.code}, TypeScript ${portable!.code}`)
  must(Buffer.compare(simd!.page, portable!.page) === 0, 'both make the same page')
  const wanted = changedPage(page, delta)
  must((wanted !== undefined) === simd!.code >= 0, 'what is a delta is what the document says')
  if (wanted !== undefined) must(Buffer.compare(simd!.page, wanted) === 0, 'the page is right')
  return `code ${Math.min(simd!.code, 3)}`
}

export const delta: Target = {
  name: 'delta',
  seeds: [Uint8Array.of(99, 0, 1, 3, 1, 7), Uint8Array.of(99, 0, 1)],
  reaches: ['code -1', 'code -2', 'code -3', 'code -4', 'code 0', 'code 3'],
  inputBytesMax: 70_000,
  allocatedBytesMax: () => 4 * 1024 * 1024,
  cpuMsMax: 100,
  fieldsOf,
  generate,
  run,
}
