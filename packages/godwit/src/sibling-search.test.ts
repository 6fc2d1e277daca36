import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB, NOT_HELD } from '@godwit/core'
import { afterAll, describe, expect, it } from 'vitest'
import { hashSample } from './sample.ts'
import { SiblingCache } from './sibling-cache.ts'
import { searchSiblings } from './sibling-search.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-sibling-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Pages that are full of a number each. */
function memoryOf(...numbers: number[]): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(numbers.length * 4096))
  numbers.forEach((number, page) => bytes.fill(number, page * 4096, (page + 1) * 4096))
  return bytes
}

async function setOf(numbers: readonly number[], positions: readonly number[] = []) {
  const { hashes } = await hashSample({ regions: [memoryOf(...numbers)] }, 4096)
  return { pageBytes: 4096, hashes, positions: Uint32Array.from(positions) }
}

function fileOf(name: string, ...numbers: number[]): string {
  const path = join(folder, name)
  writeFileSync(path, memoryOf(...numbers))
  return path
}

class CountingCache extends SiblingCache {
  hits = 0

  override get(key: string): Uint32Array | undefined {
    const pages = super.get(key)
    if (pages !== undefined) this.hits++
    return pages
  }
}

const content = { mode: 'content' } as const
const failure = 'it was not looked through to its end'

describe('siblings', () => {
  it('have what is found in them, the first one first', async () => {
    const file = fileOf('first', 9, 2, 1)
    const guest = { name: 'guest', regions: [memoryOf(2, 8), memoryOf(7, 3)] }
    const set = await setOf([1, 2, 3, 4])
    const { held, places, siblings } = await searchSiblings(set, [{ file }, guest], content)
    expect([0, 1, 2, 3].map((entry) => held.has(entry))).toEqual([true, true, true, false])
    expect(places.origins).toEqual([file, ...guest.regions])
    expect(places.origins[1]).toBe(guest.regions[0])
    expect([...places.origin]).toEqual([0, 0, 2, NOT_HELD])
    expect([...places.page.subarray(0, 3)]).toEqual([2, 1, 1])
    expect(siblings).toEqual([
      { name: file, heldEntries: 2 },
      { name: 'guest', heldEntries: 1 },
    ])
  })

  it('by page id have only what stands there, counted over all regions', async () => {
    const set = await setOf([1, 2, 3, 4], [0, 2, 3])
    const guest = { name: 'guest', regions: [memoryOf(2, 8), memoryOf(2, 3, 4, 1)] }
    const { held, places } = await searchSiblings(set, [guest], { mode: 'position' })
    expect([0, 1, 2, 3].map((entry) => held.has(entry))).toEqual([false, true, true, false])
    expect([...places.origin.subarray(1, 3)]).toEqual([1, 1])
    expect([...places.page.subarray(1, 3)]).toEqual([0, 1])
  })

  it('of which threads look through large ones have the same', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(20 * MIB))
    const pages = [3, 2000, 4096, 5119]
    for (const page of pages) bytes.fill(1 + (page % 250), page * 4096, (page + 1) * 4096)
    const set = await setOf(
      pages.map((page) => 1 + (page % 250)),
      pages,
    )
    for (const mode of ['position', 'content'] as const) {
      const { places } = await searchSiblings(set, [{ name: 'large', regions: [bytes] }], { mode })
      expect([...places.origin]).toEqual([0, 0, 0, 0])
      expect([...places.page]).toEqual(pages)
    }
  })

  it('that cannot be looked through hold nothing, and say why', async () => {
    const set = await setOf([1])
    const siblings = [
      { file: join(folder, 'missing') },
      { file: folder },
      { name: 'private', regions: [memoryOf(1).slice()] },
      { name: 'many', regions: Array.from({ length: 256 }, () => memoryOf(1)) },
      { file: fileOf('last', 1) },
    ]
    const finds = await searchSiblings(set, siblings, content)
    const failures = finds.siblings.map(({ failure }) => failure)
    expect(failures[0]).toMatch(/ENOENT/)
    expect(failures[1]).toMatch(/no regular file/)
    expect(failures[2]).toMatch(/not shared/)
    expect(failures[3]).toMatch(/too many/)
    expect(finds.siblings[4]).toEqual({ name: join(folder, 'last'), heldEntries: 1 })
    expect([...finds.places.origin]).toEqual([0])
  })

  it('that there was no time for have what was found until then', async () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(4 * MIB))
    for (const [page, number] of [1, 2, 3].entries())
      bytes.fill(number, page * MIB, page * MIB + 4096)
    const set = await setOf([3, 2, 1])
    const stop = new AbortController()
    // The first piece of the memory is looked through by then, and no other.
    setImmediate(() => stop.abort())
    const siblings = [
      { name: 'large', regions: [bytes] },
      { name: 'next', regions: [memoryOf(3)] },
    ]
    const options = { ...content, signal: stop.signal }
    const { held, places, siblings: searched } = await searchSiblings(set, siblings, options)
    expect([0, 1, 2].map((entry) => held.has(entry))).toEqual([false, false, true])
    expect([...places.origin]).toEqual([NOT_HELD, NOT_HELD, 0])
    expect(searched).toEqual([
      { name: 'large', heldEntries: 1, failure },
      { name: 'next', heldEntries: 0, failure },
    ])
  })

  it('are not looked through when nobody waits for it, or nothing is missing', async () => {
    const set = await setOf([1])
    const [stopped] = (
      await searchSiblings(set, [{ name: 'a', regions: [memoryOf(1)] }], {
        ...content,
        signal: AbortSignal.abort(),
      })
    ).siblings
    expect(stopped).toMatchObject({ heldEntries: 0, failure })
    const siblings = [{ name: 'a', regions: [memoryOf(1)] }, { file: join(folder, 'missing') }]
    expect((await searchSiblings(set, siblings, content)).siblings[1]).toEqual({
      name: join(folder, 'missing'),
      heldEntries: 0,
    })
  })
})

describe('what was found in a file', () => {
  it('is known the next time, until the file or the set is another', async () => {
    const cache = new CountingCache()
    const file = fileOf('cached', 1, 2)
    utimesSync(file, 1000, 1000)
    const set = await setOf([1, 2, 3])
    const pagesOf = async (what: typeof set): Promise<readonly number[]> => {
      const { held, places } = await searchSiblings(what, [{ file }], { ...content, cache })
      return [...places.page].filter((_, entry) => held.has(entry))
    }
    expect([await pagesOf(set), cache.hits]).toEqual([[0, 1], 0])
    expect([await pagesOf(set), cache.hits]).toEqual([[0, 1], 1])
    expect([await pagesOf(await setOf([2])), cache.hits]).toEqual([[1], 1])
    // Of the same size, and as if it had been written at the same time.
    writeFileSync(file, memoryOf(3, 1))
    utimesSync(file, 1000, 1000)
    expect([await pagesOf(set), cache.hits]).toEqual([[1, 0], 1])
  })

  it('is not known of one that somebody stores to by a mapping', async () => {
    const cache = new CountingCache()
    const set = await setOf([1, 2])
    const file = fileOf('mapped', 1, 2)
    const sibling = { file, isMapped: true } as const
    for (const _ of [1, 2]) {
      const { siblings } = await searchSiblings(set, [sibling], { ...content, cache })
      expect(siblings).toEqual([{ name: file, heldEntries: 2 }])
    }
    expect(cache.hits).toBe(0)
  })

  it('is not known of a file that there was no time for', async () => {
    const stop = new AbortController()
    class StoppingCache extends CountingCache {
      override get(key: string): Uint32Array | undefined {
        setImmediate(() => stop.abort())
        return super.get(key)
      }
    }
    const cache = new StoppingCache()
    const file = join(folder, 'long')
    const bytes = memoryOf(...Array.from({ length: 1024 }, (_, page) => 1 + (page >> 8)))
    writeFileSync(file, bytes)
    const set = await setOf([1, 2, 3, 4])
    const heldBy = async (signal?: AbortSignal): Promise<number> => {
      const options = { ...content, cache, ...(signal && { signal }) }
      return (await searchSiblings(set, [{ file }], options)).siblings[0]!.heldEntries
    }
    expect([await heldBy(stop.signal), cache.hits]).toEqual([1, 0])
    expect([await heldBy(), cache.hits]).toEqual([4, 0])
    expect([await heldBy(), cache.hits]).toEqual([4, 1])
  })

  it('is forgotten for what was used later', () => {
    const cache = new SiblingCache(40)
    const pages = (count: number): Uint32Array => new Uint32Array(count)
    for (const key of ['a', 'b']) cache.set(key, pages(4))
    cache.get('a')
    cache.set('c', pages(5))
    expect(['a', 'b', 'c'].map((key) => cache.get(key)?.length)).toEqual([4, undefined, 5])
    cache.set('large', pages(11))
    expect(cache.get('large')).toBeUndefined()
  })
})
