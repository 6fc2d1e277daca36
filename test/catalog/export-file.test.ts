/**
 * Where `godwit catalog export` writes to, and what it leaves alone.
 */
import {
  chmodSync,
  linkSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Catalog } from '@godwit/catalog'
import { afterEach, describe, expect, it } from 'vitest'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { machine } from './fixtures.ts'
import { runHere } from './run-here.ts'
import { fill } from './transfer.ts'

afterEach(endProcesses)

async function filled(): Promise<string> {
  const file = freshPath('fleet.db')
  const catalog = await Catalog.open(file)
  await fill(catalog, Uint8Array.of(1, 2, 3))
  await catalog.close()
  return file
}

const modeOf = (file: string): number => statSync(file).mode & 0o777

describe('godwit catalog export', () => {
  it('does not write over the catalog itself, whatever it is called', async () => {
    const file = await filled()
    const [hard, soft] = [freshPath('hard'), freshPath('soft')]
    linkSync(file, hard)
    symlinkSync(file, soft)
    // Open somewhere else, so that there is a journal.
    const other = await Catalog.open(file)
    await other.entries.add('machine', machine('c'))
    const targets = [file, hard, soft, `${file}-wal`, `${file}-shm`, `${file}-journal`]
    for (const target of targets) {
      const { code, stderr } = await runHere('catalog', 'export', target, '--catalog', file)
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^godwit: USAGE: .* the catalog/)])
    }
    expect(await other.entries.list('machine')).toHaveLength(3)
    await other.close()
    const again = await Catalog.open(file)
    expect(await again.entries.list('machine')).toHaveLength(3)
    await again.close()
  })

  it('writes for its owner only, also where others could read what was there', async () => {
    const [file, target] = [await filled(), freshPath('fleet.jsonl')]
    writeFileSync(target, 'older')
    chmodSync(target, 0o644)
    const link = freshPath('link.jsonl')
    symlinkSync(target, link)
    expect((await runHere('catalog', 'export', link, '--catalog', file)).code).toBe(0)
    expect(modeOf(target)).toBe(0o600)
    expect(readFileSync(target, 'utf8')).toMatch(/^\{"godwit-catalog":1\}\n/)
    expect(readFileSync(link, 'utf8')).toBe(readFileSync(target, 'utf8'))
  })

  it('that fails half-way leaves what was there, and nothing else', async () => {
    const [file, target] = [await filled(), freshPath('fleet.jsonl')]
    const database = new DatabaseSync(file)
    database.exec("UPDATE godwit_map SET bytes = x'00'")
    database.close()
    writeFileSync(target, 'the backup of yesterday')
    const before = readdirSync(dirname(target))
    const { code, stderr } = await runHere('catalog', 'export', target, '--catalog', file)
    expect([code, stderr]).toEqual([2, expect.stringMatching(/CATALOG_ENTRY: .* is damaged/)])
    expect(readFileSync(target, 'utf8')).toBe('the backup of yesterday')
    expect(readdirSync(dirname(target))).toEqual(before)
  })

  it('says what cannot be written', async () => {
    const file = await filled()
    const nowhere = `${freshPath('no')}/fleet.jsonl`
    for (const target of [nowhere, dirname(file)]) {
      const { code, stderr } = await runHere('catalog', 'export', target, '--catalog', file)
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^godwit: FILE_UNWRITABLE: /)])
    }
  })
})
