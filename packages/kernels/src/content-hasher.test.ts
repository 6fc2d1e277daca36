import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { WriteSha } from './content-hasher.ts'
import { ContentHasher, SHA_BYTES, allocateContentScratch } from './content-hasher.ts'
import { KERNELS_WASM_URL, createKernels } from './kernels.ts'

const pageBytes = 4096
const sha256 = (page: Uint8Array): Uint8Array => createHash('sha256').update(page).digest()
const writeSha: WriteSha = (page, into, at) => into.set(sha256(page).subarray(0, SHA_BYTES), at)
const wasm = readFileSync(KERNELS_WASM_URL)

/** Pages in the kernels' memory, `shift` bytes behind a multiple of 64. */
function hashingOf(pagesMax: number, shift: number) {
  const kernels = createKernels({ wasm, memoryBytes: pagesMax * pageBytes + 65536 })
  const at = kernels.allocate(pagesMax * pageBytes + shift, 64) + shift
  const scratch = allocateContentScratch(kernels)
  const hasher = new ContentHasher({ kernels, scratch, writeSha, pageBytes, pagesMax })
  const bytes = kernels.bytes.subarray(at, at + pagesMax * pageBytes)
  const page = (index: number): Uint8Array => {
    return bytes.subarray(index * pageBytes, (index + 1) * pageBytes)
  }
  return { kernels, hasher, at, bytes, page }
}

describe('a content hash', () => {
  it('is the low word of XXH3 with seed 0, and the beginning of SHA-256', () => {
    // More than are looked at in one go, and not where lines of a cache begin.
    const count = 300
    const { kernels, hasher, at, bytes, page } = hashingOf(count, 8)
    for (let i = 0; i < count; i++) if (i !== 7 && i !== 290) page(i).fill(1 + (i % 255), i, i + 9)
    hasher.look(at, bytes.length)
    const zeros = Array.from({ length: count }, (_, i) => i).filter((i) => hasher.isZero(i))
    expect(zeros).toEqual([7, 290])
    const [key, out] = [kernels.createKey(0n), kernels.allocate(8)]
    const into = new Uint8Array(40)
    for (const i of [0, 7, 255, 256, 299]) {
      kernels.hash(at + i * pageBytes, pageBytes, key, out)
      const expected = new Uint8Array(32)
      expected.set(kernels.bytes.subarray(out, out + 4))
      expected.set(sha256(page(i)).subarray(0, 28), 4)
      hasher.finish(i, page(i))
      expect(hasher.bytes).toEqual(expected)
      hasher.hashPage(i, page(i), into, 5)
      expect(into.subarray(5, 37)).toEqual(expected)
    }
  })

  it('is known from others by every word', () => {
    const { hasher, at, page } = hashingOf(1, 0)
    page(0).fill(3)
    hasher.look(at, pageBytes)
    hasher.finish(0, page(0))
    const words = new Uint32Array(10)
    words.set(hasher.words, 2)
    expect(hasher.equals(words, 2)).toBe(true)
    for (let i = 2; i < 10; i++) {
      words[i]! ^= 1
      expect(hasher.equals(words, 2)).toBe(false)
      words[i]! ^= 1
    }
  })

  it('of a page behind others is not kept from the last look', () => {
    const { hasher, at, page } = hashingOf(2, 0)
    hasher.look(at, 2 * pageBytes)
    expect([hasher.isZero(0), hasher.isZero(1)]).toEqual([true, true])
    page(0).fill(1)
    hasher.look(at, pageBytes)
    expect(hasher.isZero(0)).toBe(false)
  })
})
