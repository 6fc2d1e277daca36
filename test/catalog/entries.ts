/**
 * Entries made by hand; the same for every database.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import { describe, expect, it } from 'vitest'
import { parseCatalogUrl } from '../../packages/catalog/src/catalog-url.ts'
import { openDatabase } from '../../packages/catalog/src/open-database.ts'
import { failure, link, machine, vm } from './fixtures.ts'

const wrongGuests = [
  ['a name that a terminal obeys', { name: '\u001b[31m' }],
  ['a name that is too long', { name: 'a'.repeat(65) }],
  ['a release without a version', { os: { name: 'debian', version: '' } }],
  ['no memory', { memoryBytes: 0 }],
  ['more memory than there is', { memoryBytes: 2 ** 49 }],
  ['half a byte', { memoryBytes: 4096.5 }],
  ['not a number', { memoryBytes: Number.NaN }],
  ['pages of 5000 bytes', { pageBytes: 5000 }],
  ['a state that is none', { state: 'sleeping' as 'stopped' }],
  ['stored nowhere', { memoryPath: null }],
  ['a path with a line feed', { memoryPath: 'a\nb' }],
  ['a path that is no text', { memoryPath: '\ud800' }],
  ['a session that is none', { session: "' OR 1=1 --" }],
] as const

export function entriesSuite(freshUrl: () => string): void {
  describe('entries', () => {
    it('are found as they were added, and by name', async () => {
      const catalog = await Catalog.open(freshUrl())
      const { entries } = catalog
      await entries.add('machine', machine('b'))
      await entries.add('machine', machine('a'))
      await entries.add('machine', machine('B'))
      await entries.add('link', link('a', 'b'))
      await entries.add('vm', vm('db'))
      const unknown = vm('idle', { os: null, hypervisor: null, state: 'stopped', memoryPath: null })
      await entries.add('vm', unknown)
      const lease = { updatedMs: expect.any(Number), heartbeatMs: null, leaseMs: null }
      expect(await entries.find('vm', 'db')).toEqual({ ...vm('db'), ...lease })
      expect(await entries.find('vm', 'idle')).toEqual({ ...unknown, ...lease })
      expect(await entries.find('machine', 'a')).toEqual({ ...machine('a'), ...lease })
      const { updatedMs } = lease
      expect(await entries.list('link')).toEqual([{ ...link('a', 'b'), updatedMs }])
      expect((await entries.list('machine')).map(({ name }) => name)).toEqual(['B', 'a', 'b'])
      await catalog.close()
    })

    it('are replaced only where that is asked for, and removed', async () => {
      const catalog = await Catalog.open(freshUrl())
      const { entries } = catalog
      await entries.add('link', link('a', 'b'))
      await failure('CATALOG_CONFLICT', entries.add('link', { ...link('a', 'b'), cost: 7 }))
      expect((await entries.find('link', 'a', 'b'))?.cost).toBe(1.5)
      await entries.add('link', { ...link('a', 'b'), cost: 7 }, true)
      expect((await entries.find('link', 'a', 'b'))?.cost).toBe(7)
      await entries.remove('link', 'a', 'b')
      await failure('CATALOG_UNKNOWN', entries.remove('link', 'a', 'b'))
      expect(await entries.list('link')).toEqual([])
      await catalog.close()
    })

    it('are refused where they are not what they must be', async () => {
      const catalog = await Catalog.open(freshUrl())
      for (const [, change] of wrongGuests) {
        const added = catalog.entries.add('vm', vm('db', change))
        const { message } = await failure('CATALOG_ENTRY', added)
        expect(message).toMatch(/^This guest is not usable(?: in [\w.]+)?: [\x20-\x7e]+$/)
      }
      expect(await catalog.entries.list('vm')).toEqual([])
      await catalog.close()
    })

    it('that somebody else wrote into the database are named, not believed', async () => {
      const url = freshUrl()
      const catalog = await Catalog.open(url)
      await catalog.entries.add('vm', vm('db'))
      const database = await openDatabase(parseCatalogUrl(url), false)
      await database.query("UPDATE godwit_vm SET machine = '\u001b[2J'")
      const { message } = await failure('CATALOG_ENTRY', catalog.entries.list('vm'))
      expect(message).toBe('A guest in the catalog (db) is not usable in machine: not a name')
      await catalog.entries.remove('vm', 'db')
      expect(await catalog.entries.list('vm')).toEqual([])
      await database.close()
      await catalog.close()
    })
  })
}
