import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { GodwitError } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import {
  type ContentKind,
  ContentGenerator,
  type ContentMix,
  fillContent,
  parseContentMix,
} from './content.ts'

interface Vectors {
  pages: { seed: number; pages: ContentKind[]; sha256: string }[]
  heapCarry: { seed: number; heapPointerLow: number; pages: number; sha256: string }
  fills: { seed: number; mix: number[]; byteLength: number; sha256: string }[]
}

const vectorsUrl = new URL('../../../test/vectors/content.json', import.meta.url)
const vectors = JSON.parse(readFileSync(vectorsUrl, 'utf8')) as Vectors

function mixOf([zero, text, heap, random]: number[]): ContentMix {
  return parseContentMix([zero, text, heap, random].join('/'))
}

function sha256(...parts: Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

function hashPages(generator: ContentGenerator, kinds: readonly ContentKind[]): string {
  return sha256(...kinds.map((kind) => generator.page(kind).slice()))
}

describe('content', () => {
  it.each(vectors.pages)('seed $seed gives the golden pages $pages', ({ seed, pages, sha256 }) => {
    expect(hashPages(new ContentGenerator(seed), pages)).toBe(sha256)
  })

  it('carries the heap pointer into its high word', () => {
    const { seed, heapPointerLow, pages, sha256 } = vectors.heapCarry
    const generator = new ContentGenerator(seed)
    generator.heapPointer[0] = heapPointerLow
    expect(hashPages(generator, Array<ContentKind>(pages).fill('heap'))).toBe(sha256)
  })

  it.each(vectors.fills)('fills $byteLength bytes as $mix, seed $seed', (vector) => {
    const bytes = new Uint8Array(vector.byteLength)
    fillContent(bytes, { mix: mixOf(vector.mix), seed: vector.seed })
    expect(sha256(bytes)).toBe(vector.sha256)
  })

  it('fills pieces as if they were one', () => {
    const options = { mix: mixOf([20, 30, 30, 20]), seed: 4 }
    const whole = new Uint8Array((4 << 20) + 777)
    fillContent(whole, options)
    const cut = [1, 3_000_001, 4096]
    const parts = cut.map((length) => new Uint8Array(length))
    parts.push(new Uint8Array(whole.length - 1 - 3_000_001 - 4096))
    fillContent(parts, options)
    expect(sha256(...parts)).toBe(sha256(whole))
    expect(sha256(whole)).not.toBe(sha256(new Uint8Array(whole.length)))
  })

  it.each(['40/30/20', '40/30/20/11', '-1/41/30/30', '1e1/30/30/30', '', '100/0/0/0/0'])(
    'refuses the mix "%s"',
    (text) => {
      expect(() => parseContentMix(text)).toThrow(GodwitError)
    },
  )
})
