import { MIB } from '@godwit/core'
import { createKernels } from '@godwit/kernels'
import { describe, expect, it } from 'vitest'
import { createHasher, memoryOf, pageOf, sha256, writeSha } from '../test/guests.ts'
import { StagedHasher, PageKind, allocatePageHashes, hasherBytes } from './content-hash.ts'

/** XXH3 of a page by way of the kernels, and SHA-256, put together anew. */
function contentHash(page: Uint8Array): Uint8Array {
  const kernels = createKernels({ memoryBytes: 1 << 17 })
  const at = kernels.allocate(page.length)
  kernels.bytes.set(page, at)
  const out = kernels.allocate(8)
  kernels.hash(at, page.length, kernels.createKey(0n), out)
  const hash = new Uint8Array(32)
  hash.set(kernels.bytes.subarray(out, out + 4))
  hash.set(sha256(page).subarray(0, 28), 4)
  return hash
}

describe('content hashes', () => {
  it('are of XXH3 and SHA-256, but of neither zero pages nor short ones', () => {
    const bytes = new Uint8Array(4 * 4096 + 100)
    bytes.set(memoryOf([7, 0, 8, 7]))
    bytes.set(pageOf(9).subarray(0, 100), 4 * 4096)
    const { kinds, hashes } = allocatePageHashes(5, 4096)
    createHasher().hashPages(bytes, 0, bytes.length, { pageBytes: 4096, kinds, hashes }, 0)
    const { content, zero, short } = PageKind
    expect([...kinds]).toEqual([content, zero, content, content, short])
    const none = new Uint8Array(32)
    const expected = [contentHash(pageOf(7)), none, contentHash(pageOf(8)), contentHash(pageOf(7))]
    expect(hashes).toEqual(new Uint8Array(Buffer.concat([...expected, none])))
  })

  it('take a short end of zeros for a short page, and no page at all for nothing', () => {
    const into = allocatePageHashes(1, 4096)
    const hasher = createHasher()
    hasher.hashPages(new Uint8Array(0), 0, 0, into, 0)
    hasher.hashPages(new Uint8Array(4095), 0, 4095, into, 0)
    expect([...into.kinds]).toEqual([PageKind.short])
  })

  it.each([4096, 65536])('go on where the staging memory ends: pages of %i bytes', (pageBytes) => {
    const pageCount = (2 * MIB) / pageBytes + 1
    const bytes = new Uint8Array(pageCount * pageBytes)
    for (let page = 0; page < pageCount; page++) bytes.fill(1 + (page % 200), page * pageBytes)
    bytes.fill(0, pageBytes, 2 * pageBytes)
    const into = allocatePageHashes(pageCount + 2, pageBytes)
    createHasher(pageBytes).hashPages(bytes, 0, bytes.length, into, 2)
    for (const page of [0, pageCount - 2, pageCount - 1]) {
      const at = page * pageBytes
      const hash = into.hashes.subarray((page + 2) * 32, (page + 3) * 32)
      expect(hash).toEqual(contentHash(bytes.subarray(at, at + pageBytes)))
    }
    expect(into.kinds[3]).toBe(PageKind.zero)
    expect([...into.kinds.subarray(0, 2)]).toEqual([PageKind.short, PageKind.short])
  })

  it.each([4096, 8192, 16384, 32768, 65536])('need no more memory than they say: %i', (bytes) => {
    const kernels = createKernels({ memoryBytes: hasherBytes })
    expect(() => new StagedHasher(kernels, writeSha, bytes)).not.toThrow()
  })
})
