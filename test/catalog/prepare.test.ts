/**
 * What `receive` looks through when it starts.
 */
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Catalog } from '@godwit/catalog'
import { Learning, encodeStaticMap } from '@godwit/static'
import { randomBytes } from '@godwit/testkit'
import { NodeStaticFinder } from 'godwit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { findersOf } from '../../packages/cli/src/siblings.ts'
import { endProcesses, freshPath, startGodwit } from '../end-to-end/process.ts'
import { vm } from './fixtures.ts'

afterEach(async () => {
  vi.restoreAllMocks()
  await endProcesses()
})

const hypervisor = { name: 'h', version: '1' }
const osOf = (n: number) => ({ name: `os-${String(n).padStart(2, '0')}`, version: '1' })

/** A catalog with so many maps; guests of those in `withFiles` have their memory in a file here. */
async function made(count: number, withFiles: readonly number[]): Promise<string> {
  const url = freshPath('fleet.db')
  const catalog = await Catalog.open(url)
  const file = freshPath('a.mem')
  writeFileSync(file, randomBytes(8 * 4096, 1))
  for (let n = 0; n < count; n++) {
    const os = osOf(n)
    const names = { os: `${os.name}/1`, hypervisor: 'h/1', pageBytes: 4096 }
    const set = { hashes: new Uint8Array(32).fill(n), positions: new Uint32Array(0) }
    const bytes = encodeStaticMap({ ...names, version: 1, sampleCount: 2, ...set })
    const state = Learning.begin(names).encode()
    const key = { os, hypervisor, pageBytes: 4096, fromRevision: 0 }
    await catalog.maps.learnt({ ...key, state, map: { version: 1, bytes } })
    if (!withFiles.includes(n)) continue
    const entry = { os, hypervisor, machine: 'here', memoryPath: file }
    await catalog.entries.add('vm', vm(`vm-${n}`, entry))
  }
  await catalog.close()
  return url
}

/** Prepares, and tells how often a map was looked for, and what was noted. */
async function prepared(url: string): Promise<{ maps: number; notes: string }> {
  const spy = vi.spyOn(NodeStaticFinder.prototype, 'prepare')
  let notes = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    notes += String(chunk)
    return true
  })
  const finders = await findersOf({ catalog: url, machine: 'here', static: 'auto' }, () => [])
  await finders.prepare()
  await finders.close()
  return { maps: spy.mock.calls.length, notes }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

describe('receive that starts', () => {
  it('looks through the files of the catalog for its maps', async () => {
    const url = await made(2, [0, 1])
    const told = ['--catalog', url, '--machine', 'here']
    const process = startGodwit('receive', '--listen', '127.0.0.1:0', ...told)
    expect((await process.line(/^looked through .*$/))[0]).toBe(
      'looked through files of memory for 2 static maps',
    )
    process.signal('SIGINT')
    expect((await process.ended).code).toBe(0)
  })

  it('does so for eight of those that have files, whatever they are called', async () => {
    const first = await prepared(await made(12, range(0, 10)))
    expect(first).toEqual({
      maps: 8,
      notes: 'looked through files of memory for 8 static maps\n',
    })
    vi.restoreAllMocks()
    expect(await prepared(await made(12, [3]))).toMatchObject({ maps: 1 })
    vi.restoreAllMocks()
    expect(await prepared(await made(2, []))).toEqual({ maps: 0, notes: '' })
  })

  it('goes on behind a map that is damaged, and says which it is', async () => {
    const url = await made(3, [0, 1, 2])
    const database = new DatabaseSync(url)
    database.exec("UPDATE godwit_map SET bytes = x'00' WHERE os_name = 'os-01'")
    database.close()
    const { maps, notes } = await prepared(url)
    expect(maps).toBe(2)
    expect(notes.split('\n')).toEqual([
      expect.stringMatching(/^godwit: CATALOG_ENTRY: .*os-01\/1.* \(its files are not looked/),
      'looked through files of memory for 2 static maps',
      '',
    ])
  })
})
