/**
 * Files that are no catalogs, or may only be read: looking at them changes nothing.
 */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Catalog } from '@godwit/catalog'
import { afterEach, describe, expect, it } from 'vitest'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { failure, machine } from './fixtures.ts'
import { runHere } from './run-here.ts'

const reader = fileURLToPath(new URL('./reader.ts', import.meta.url))

afterEach(endProcesses)

/** A database of another program. */
function foreign(sql: string): string {
  const file = freshPath('other.db')
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
  return file
}

const modeOf = (file: string): number => statSync(file).mode & 0o777

describe('a file that is no catalog', () => {
  it.each(['CREATE TABLE songs (name TEXT)', 'PRAGMA application_id = 252006674'])(
    'is left as it is, whatever is asked: %s',
    async (sql) => {
      const file = foreign(sql)
      const [before, beside] = [readFileSync(file), readdirSync(dirname(file))]
      const add = ['add', 'machine', 'a', '--memory', '1GiB']
      for (const command of [['ls'], ['rm', 'vm', 'a'], add]) {
        const { code, stderr } = await runHere('catalog', ...command, '--catalog', file)
        const text = /^godwit: CATALOG_UNKNOWN: .* is a database of something else/
        expect([code, stderr]).toEqual([2, expect.stringMatching(text)])
      }
      expect(readFileSync(file)).toEqual(before)
      expect(readdirSync(dirname(file))).toEqual(beside)
    },
  )

  it('because it is empty is none for who looks, and becomes one for its owner only', async () => {
    const file = freshPath('empty.db')
    writeFileSync(file, '')
    chmodSync(file, 0o644)
    const none = foreign('PRAGMA user_version = 1')
    for (const one of [file, none]) {
      const { message } = await failure('CATALOG_UNKNOWN', Catalog.open(one, { create: false }))
      expect(message).toMatch(/^There is no catalog at .* make one$/)
    }
    expect(statSync(file).size).toBe(0)
    await (await Catalog.open(file)).close()
    expect(modeOf(file)).toBe(0o600)
    const database = new DatabaseSync(file, { readOnly: true })
    expect(database.prepare('PRAGMA application_id').get()).toEqual({ application_id: 0x67776374 })
    database.close()
  })
})

describe('a catalog that may only be read', () => {
  it.each(['by nobody else just now', 'while an agent has it open'])(
    'is listed: %s',
    async (when) => {
      const file = freshPath('fleet.db')
      const catalog = await Catalog.open(file)
      await catalog.entries.add('machine', machine('a'))
      const folder = freshPath('read-only')
      mkdirSync(folder, { mode: 0o755 })
      chmodSync(dirname(folder), 0o755)
      // A copy: whoever tests may be the owner.
      const isOpen = when.startsWith('while')
      if (!isOpen) await catalog.close()
      const suffixes = isOpen ? ['', '-wal', '-shm'] : ['']
      for (const suffix of suffixes) {
        copyFileSync(`${file}${suffix}`, join(folder, `fleet.db${suffix}`))
        chmodSync(join(folder, `fleet.db${suffix}`), 0o444)
      }
      chmodSync(folder, 0o555)
      const { stdout } = await promisify(execFile)(process.execPath, [
        reader,
        join(folder, 'fleet.db'),
      ])
      expect(JSON.parse(stdout)).toEqual(['a'])
      expect(readdirSync(folder)).toHaveLength(suffixes.length)
      chmodSync(folder, 0o755)
      if (isOpen) await catalog.close()
    },
  )
})
