import { readFileSync } from 'node:fs'
import { FingerprintTable } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { createKernels, KERNELS_WASM_URL } from './kernels.ts'
import { allocateXxh3Scratch, Xxh3Hasher } from './xxh3-hasher.ts'

const memoryBytes = 1 << 21
const all = [
  createKernels({ wasm: readFileSync(KERNELS_WASM_URL), memoryBytes }),
  createKernels({ memoryBytes }),
]

function noise(byteCount: number): Uint8Array {
  return Uint8Array.from({ length: byteCount }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 23)
}

describe.each(all)('Xxh3Hasher, $active', (kernels) => {
  const { bytes } = kernels
  const scratch = allocateXxh3Scratch(kernels)
  const hasher = new Xxh3Hasher(kernels, 9n, scratch)

  it.each([
    [4096, 200 * 4096 + 17],
    [65536, 7 * 65536 + 1],
    [16384, 16384 * 16],
  ])('gives pages of %i bytes the same, in place, copied or shared', (pageBytes, byteCount) => {
    const data = noise(byteCount + 3)
    const count = Math.ceil(byteCount / pageBytes)
    const shared = new Uint8Array(new SharedArrayBuffer(data.length))
    shared.set(data)
    const own = createKernels({ memoryBytes: 1 << 20 })
    const at = own.allocate(data.length, 4096)
    own.bytes.set(data, at)
    const [out, otherOut] = [own.allocate(1024), own.allocate(1024)]
    const own9 = { staged: at, out, otherOut }
    const inPlace = new Xxh3Hasher(own, 9n, own9)
    const tables = [1, 2, 3, 4, 5].map(() => new FingerprintTable(count + 2, 8))
    hasher.hashPages(data, 3, byteCount + 3, pageBytes, tables[0]!, 1)
    hasher.hashPages(shared, 3, byteCount + 3, pageBytes, tables[1]!, 1)
    inPlace.hashPages(own.bytes, at + 3, at + byteCount + 3, pageBytes, tables[2]!, 1)
    expect(tables[1]!.bytes).toEqual(tables[0]!.bytes)
    expect(tables[2]!.bytes).toEqual(tables[0]!.bytes)
    const other = { hasher: inPlace, into: tables[4]! }
    new Xxh3Hasher(own, 8n, own9).hashPages2(
      own.bytes,
      at + 3,
      at + byteCount + 3,
      pageBytes,
      tables[3]!,
      1,
      other,
    )
    expect(tables[4]!.bytes).toEqual(tables[0]!.bytes)
    expect(tables[3]!.bytes).not.toEqual(tables[0]!.bytes)
    expect([tables[0]!.words64[0], tables[0]!.words64[count + 1]]).toEqual([0n, 0n])
    const key = kernels.createKey(9n)
    const page = data.subarray(3 + (count - 1) * pageBytes, byteCount + 3)
    bytes.set(page, scratch.staged)
    kernels.hash(scratch.staged, page.length, key, scratch.out)
    const last = new DataView(bytes.buffer).getBigUint64(scratch.out, true)
    expect(tables[0]!.words64[count]).toBe(last)
  })

  it('depends on the seed', () => {
    const tables = [new FingerprintTable(1, 8), new FingerprintTable(1, 8)]
    hasher.hashPages(noise(4096), 0, 4096, 4096, tables[0]!, 0)
    new Xxh3Hasher(kernels, 10n, scratch).hashPages(noise(4096), 0, 4096, 4096, tables[1]!, 0)
    expect(tables[0]!.words64[0]).not.toBe(tables[1]!.words64[0])
  })

  it('digests nothing as the test vector of no bytes', () => {
    const digest = new DataView(hasher.digest(new Uint8Array()).buffer)
    expect(digest.getBigUint64(0, true)).toBe(0x2d06800538d394c2n)
  })

  it.each([8, 262144, 262152])('digests %i bytes', (byteCount) => {
    const entries = noise(byteCount)
    const digest = hasher.digest(entries)
    const own = createKernels({ memoryBytes: 1 << 20 })
    const at = own.allocate(byteCount)
    own.bytes.set(entries, at)
    const out = own.allocate(8)
    own.hash(at, byteCount, own.createKey(0n), out)
    expect(digest).toEqual(own.bytes.slice(out, out + 8))
  })
})
