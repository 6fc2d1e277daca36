import { createHash } from 'node:crypto'
import { FingerprintTable } from '@godwit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPrimitives } from './primitives.ts'
import { digestMemory, zeroFingerprints } from './memory-digest.ts'
import { Sha256Hasher, portableSha256 } from './sha256.ts'
import { Workspace } from './workspace.ts'

const hashes = await createPrimitives()
const workspace = new Workspace(hashes, 0)
const native = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest())
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const text = (content: string): Uint8Array => new TextEncoder().encode(content)

describe('xxh64', () => {
  it.each([
    ['', 0n, 'ef46db3751d8e999'],
    ['a', 0n, 'd24ec4f1a98c6e5b'],
    ['abc', 0n, '44bc2cf5ad770999'],
    ['xxhash', 20141025n, 'b559b98d844e0635'],
    ['Nobody inspects the spammish repetition', 0n, 'fbcea83c8a378bf1'],
  ])('of "%s", seed %s', (content, seed, wanted) => {
    expect(hashes.xxh64.hash(text(content), seed).toString(16)).toBe(wanted)
  })

  it('reads its seed as little-endian bytes and writes digests like that', () => {
    const seed = Uint8Array.of(0xe1, 0x53, 0x33, 0x01, 0, 0, 0, 0)
    const hasher = workspace.createHasher('xxh64', seed)
    const table = new FingerprintTable(1, 8)
    hasher.hashPages(text('xxhash'), 0, 6, 64, table, 0)
    expect(table.words64[0]!.toString(16)).toBe('b559b98d844e0635')
    expect(hex(hasher.digest(new Uint8Array(0)))).toBe('99e9d85137db46ef')
  })

  it('takes seeds with the highest bit set', () => {
    const hasher = workspace.createHasher('xxh64', new Uint8Array(8).fill(0xff))
    const table = new FingerprintTable(1, 8)
    hasher.hashPages(new Uint8Array(64), 0, 64, 64, table, 0)
    expect(table.words64[0]).toBe(hashes.xxh64.hash(new Uint8Array(64), 2n ** 64n - 1n))
  })
})

describe('sha256', () => {
  it('is the same native and portable, of views and of shared memory', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.nat(9), (bytes, offset) => {
        const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + offset), offset)
        shared.set(bytes)
        const wanted = hex(native(bytes))
        expect(hex(portableSha256(bytes))).toBe(wanted)
        expect(hex(portableSha256(shared))).toBe(wanted)
        expect(hex(native(shared))).toBe(wanted)
      }),
    )
  })

  it('of a page is that of the seed and the page, short pages too', () => {
    const seed = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    const bytes = Uint8Array.from({ length: 150 }, (_, i) => i)
    for (const sha256 of [native, portableSha256]) {
      const table = new FingerprintTable(5, 32)
      const hasher = new Sha256Hasher(sha256, seed)
      hasher.hashPages(bytes, 0, 150, 64, table, 1)
      hasher.hashPages(bytes, 64, 128, 64, table, 4)
      const wanted = [
        [0, 64],
        [64, 128],
        [128, 150],
        [64, 128],
      ].map(([start, end]) => {
        return hex(native(Uint8Array.of(...seed, ...bytes.subarray(start, end))))
      })
      expect(hex(table.bytes)).toBe('00'.repeat(32) + wanted.join(''))
    }
  })
})

describe('digests of memory', () => {
  it('of what was never sent are those of zero bytes', async () => {
    for (const name of ['xxh64', 'sha256'] as const) {
      const hasher = workspace.createHasher(name, new Uint8Array(8).fill(3))
      for (const length of [1, 63, 64, 65, 128, 200]) {
        const region = { id: 5, name: 'r', bytes: new Uint8Array(length) }
        const pause = (): Promise<void> => Promise.resolve()
        const wanted = await digestMemory(hasher, [region], 64, pause)
        const table = zeroFingerprints(hasher, region, 64)
        expect(hex(hasher.digest(table.bytes))).toBe(hex(wanted.regions[0]!.digest))
        expect(hex(wanted.digest)).toBe(hex(hasher.digest(wanted.regions[0]!.digest)))
      }
    }
  })

  it('go in chunks and give way in between', async () => {
    const hasher = workspace.createHasher('xxh64', new Uint8Array(8))
    const bytes = Uint8Array.from({ length: 5000 * 64 - 3 }, (_, i) => i % 251)
    let pauses = 0
    const regions = [{ id: 0, name: 'r', bytes }]
    const chunked = await digestMemory(hasher, regions, 64, () => {
      pauses++
      return Promise.resolve()
    })
    const table = new FingerprintTable(5000, 8)
    hasher.hashPages(bytes, 0, bytes.length, 64, table, 0)
    expect(hex(chunked.regions[0]!.digest)).toBe(hex(hasher.digest(table.bytes)))
    expect(pauses).toBe(3)
  })
})
