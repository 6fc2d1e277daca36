import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { imagesWith } from './images.ts'
import { makeSynthetic } from './synthetic.ts'

const pageBytes = 4096

function pagesOf(file: string): string[] {
  const bytes = readFileSync(file)
  const count = bytes.length / pageBytes
  return Array.from({ length: count }, (_, i) =>
    bytes.toString('latin1', i * pageBytes, (i + 1) * pageBytes),
  )
}

it('made-up siblings have pages in common, at the same frame only with KASLR off', () => {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
  try {
    const images = makeSynthetic(folder, 16 * MIB)
    const zero = '\0'.repeat(pageBytes)
    const share = (kaslr: 'on' | 'off', atFrame: boolean): number => {
      const [first, second] = imagesWith(images, kaslr).map(({ file }) => pagesOf(file))
      const there = new Set(first)
      const used = second!.filter((page) => page !== zero)
      const same = (page: string, i: number): boolean =>
        page !== zero && (atFrame ? first![i] === page : there.has(page))
      return second!.filter(same).length / used.length
    }
    expect(share('off', true)).toBeGreaterThan(0.3)
    expect(share('off', true)).toBeLessThan(0.8)
    expect(share('on', false)).toBeGreaterThan(0.2)
    expect(share('on', true)).toBe(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
