/**
 * A static map, and what was learnt for one, that stand in a catalog under the key of another.
 */
import { writeFileSync } from 'node:fs'
import { Catalog } from '@godwit/catalog'
import { Learning, encodeStaticMap } from '@godwit/static'
import { randomBytes } from '@godwit/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { findersOf } from '../../packages/cli/src/siblings.ts'
import { beginLoading } from '../../packages/cli/src/static-load.ts'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { mapKey } from './fixtures.ts'
import { runHere } from './run-here.ts'

afterEach(endProcesses)

const names = { os: 'debian/12', hypervisor: 'qemu/8.2.0', pageBytes: 4096 }
const wrongs = [
  { ...names, os: 'evil\u001b[2J' },
  { ...names, hypervisor: 'qemu/8.2.1' },
  { ...names, pageBytes: 8192 },
]

/** A catalog with what is of `inside`, under the key of `names`. */
async function stored(inside: typeof names): Promise<string> {
  const url = freshPath('fleet.db')
  const catalog = await Catalog.open(url)
  const learning = Learning.begin(inside)
  const facts = { ...inside, version: 1, sampleCount: 2, positions: new Uint32Array(0) }
  const map = { version: 1, bytes: encodeStaticMap({ ...facts, hashes: new Uint8Array(32) }) }
  await catalog.maps.learnt({ ...mapKey, fromRevision: 0, state: learning.encode(), map })
  await catalog.close()
  return url
}

/** What is written to stderr meanwhile. */
async function notesOf(work: () => Promise<unknown>): Promise<string> {
  let text = ''
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    text += String(chunk)
    return true
  })
  try {
    await work()
  } finally {
    spy.mockRestore()
  }
  return text
}

describe('what a catalog has under a key that is not its own', () => {
  it.each(wrongs)('is not loaded for a guest that is sent: %j', async (inside) => {
    const { os, hypervisor } = mapKey
    const terms = { mode: 'pre-copy', encode: 'auto', pageBytes: 4096 } as const
    const settings = { catalog: await stored(inside), os, hypervisor, ...terms }
    const notes = await notesOf(async () => {
      const load = await beginLoading(settings as unknown as Parameters<typeof beginLoading>[0])
      expect(await load()).toEqual({ images: [] })
    })
    expect(notes).toMatch(/^godwit: CATALOG_ENTRY: The static map of debian\/12 on .*\n$/)
  })

  it.each(wrongs)('is not looked for at a destination: %j', async (inside) => {
    const catalog = await stored(inside)
    const finders = await findersOf({ catalog, static: 'auto' }, () => [])
    const terms = { version: 1, entries: 1, positions: 0, mode: 'content' } as const
    const { os, hypervisor } = names
    const offer = { kind: 'map', os, hypervisor, ...terms, proof: new Uint8Array(16) } as const
    const guest = { pageBytes: 4096, regions: [] }
    const notes = await notesOf(async () => {
      const offered = [{ offer, provesSecret: () => true }]
      const found = finders.finder!.find(offered, guest, new AbortController().signal)
      expect(await found).toEqual([])
    })
    expect(notes).toMatch(/^godwit: CATALOG_ENTRY: The static map of debian\/12 on .*\n$/)
    await finders.close()
  })

  it.each(wrongs)('is not learnt on from: %j', async (inside) => {
    const [url, file] = [await stored(inside), freshPath('a.mem')]
    writeFileSync(file, randomBytes(16 * 4096, 1))
    const key = ['--os', 'debian/12', '--hypervisor', 'qemu/8.2.0', '--catalog', url]
    const { code, stderr } = await runHere('catalog', 'learn', file, ...key)
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^godwit: CATALOG_ENTRY: The learning state of debian\/12 on .*\n$/),
    ])
  })
})
