import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SiblingImage } from './images.ts'
import { castOf, imagesWith, readImages } from './images.ts'

function image(i: number): SiblingImage {
  return { name: `${i}`, kaslr: i % 2 === 0 ? 'on' : 'off', file: `${i}.ram`, memoryBytes: 4096 }
}

function images(count: number): SiblingImage[] {
  return Array.from({ length: count }, (_, i) => image(2 * i))
}

describe('castOf', () => {
  it.each([3, 4, 5, 6])(
    'of %i images, each is the guest once, and never its own sample',
    (count) => {
      const casts = Array.from({ length: count }, (_, i) => castOf(images(count), i))
      expect(new Set(casts.map(({ guest }) => guest.name)).size).toBe(count)
      for (const { guest, sibling, samples } of casts) {
        expect(sibling).not.toEqual(guest)
        expect(samples).not.toContainEqual(guest)
        expect(new Set(samples.map(({ name }) => name)).size).toBe(2)
      }
    },
  )

  it('learns from others than the sibling where there are enough', () => {
    expect(castOf(images(4), 7).samples).not.toContainEqual(castOf(images(4), 7).sibling)
    expect(castOf(images(3), 7).samples).toContainEqual(castOf(images(3), 7).sibling)
  })
})

describe('readImages', () => {
  it('finds what the list names', () => {
    const folder = mkdtempSync(join(tmpdir(), 'godwit-test-'))
    try {
      writeFileSync(join(folder, 'a.ram'), new Uint8Array(8192))
      const listed = { name: 'a', kaslr: 'on', work: 'idle', file: 'a.ram' }
      writeFileSync(join(folder, 'images.json'), JSON.stringify({ images: [listed] }))
      const found = { name: 'a', kaslr: 'on', file: join(folder, 'a.ram'), memoryBytes: 8192 }
      expect(readImages(folder)).toEqual([found])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it.each([undefined, '/nowhere'])('says how to make them when they are not in %s', (folder) => {
    expect(() => readImages(folder)).toThrow(/make\.sh DIR.*--synthetic/)
  })

  it('says so when they are too few of a kind', () => {
    const few = [image(0), image(1), image(2), image(3), image(4)]
    expect(imagesWith(few, 'on')).toHaveLength(3)
    expect(() => imagesWith(few, 'off')).toThrow('2 images with KASLR off')
  })
})
