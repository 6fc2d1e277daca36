/**
 * The tables and their versions; the same for every database.
 *
 * @module
 */
import { Catalog } from '@godwit/catalog'
import { describe, expect, it } from 'vitest'
import { parseCatalogUrl } from '../../packages/catalog/src/catalog-url.ts'
import { MIGRATIONS, migrate } from '../../packages/catalog/src/migrations.ts'
import { openDatabase } from '../../packages/catalog/src/open-database.ts'
import { failure, machine } from './fixtures.ts'

export function schemaSuite(freshUrl: () => string): void {
  describe('tables', () => {
    it('are brought from the version that is there to the one that is wanted', async () => {
      const url = freshUrl()
      const old = await Catalog.open(url)
      await old.entries.add('machine', machine('a'))
      await old.close()
      const database = await openDatabase(parseCatalogUrl(url), false)
      const more = [
        'ALTER TABLE godwit_machine ADD COLUMN room TEXT',
        'CREATE TABLE extra (a TEXT)',
      ]
      await migrate(database, [...MIGRATIONS, more])
      await migrate(database, [...MIGRATIONS, more])
      const rows = await database.query('SELECT name, room FROM godwit_machine')
      expect(rows).toMatchObject([{ name: 'a', room: null }])
      const { message } = await failure('CATALOG_VERSION', Catalog.open(url))
      expect(message).toMatch(/version 2, this release knows 1/)
      await database.close()
    })

    it('stay as they are when a step fails', async () => {
      const url = freshUrl()
      const database = await openDatabase(parseCatalogUrl(url), true)
      const steps = [...MIGRATIONS, ['CREATE TABLE extra (a TEXT)', 'CREATE TABLE extra (a TEXT)']]
      await failure('CATALOG_UNAVAILABLE', migrate(database, steps))
      await failure('CATALOG_UNAVAILABLE', database.query('SELECT * FROM extra'))
      await database.close()
      const catalog = await Catalog.open(url)
      expect(await catalog.entries.list('vm')).toEqual([])
      await catalog.close()
    })
  })
}
