/**
 * Static maps and what was learnt; the same for every database.
 *
 * @module
 */
import { Catalog, MAP_VERSIONS_MAX } from '@godwit/catalog'
import { describe, expect, it } from 'vitest'
import { parseCatalogUrl } from '../../packages/catalog/src/catalog-url.ts'
import { openDatabase } from '../../packages/catalog/src/open-database.ts'
import { failure, mapKey } from './fixtures.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

export function mapsSuite(freshUrl: () => string): void {
  describe('static maps', () => {
    it('are kept by version, the newest ones, with the state of learning', async () => {
      const catalog = await Catalog.open(freshUrl())
      const { maps } = catalog
      expect(await maps.find(mapKey)).toBeUndefined()
      expect(await maps.findLearning(mapKey)).toBeUndefined()
      await maps.learnt({ ...mapKey, fromRevision: 0, state: bytes(0, 255), map: undefined })
      expect(await maps.find(mapKey)).toBeUndefined()
      for (let version = 1; version <= MAP_VERSIONS_MAX + 2; version++) {
        const map = { version, bytes: bytes(7, version) }
        await maps.learnt({ ...mapKey, fromRevision: version, state: bytes(version), map })
      }
      const versions = (await maps.list()).map(({ version }) => version)
      expect(versions).toEqual(Array.from({ length: MAP_VERSIONS_MAX }, (_, index) => index + 3))
      const newest = (await maps.find(mapKey))!
      expect(newest).toMatchObject({ version: 10, bytes: bytes(7, 10), bytesLength: 2 })
      expect((await maps.find(mapKey, 3))?.bytes).toEqual(bytes(7, 3))
      const { bytes: _bytes, ...described } = newest
      expect(await maps.describe(mapKey, 10)).toEqual(described)
      expect(await maps.describe(mapKey, 2)).toBeUndefined()
      expect((await maps.findDigest(mapKey, newest.digest))?.version).toBe(10)
      expect(await maps.findLearning(mapKey)).toMatchObject({ revision: 11, bytes: bytes(10) })
      expect(await maps.find({ ...mapKey, pageBytes: 8192 })).toBeUndefined()
      const later = { ...mapKey, os: { name: 'debian', version: '13' } }
      expect(await maps.find(later)).toBeUndefined()
      await maps.remove(mapKey)
      await failure('CATALOG_UNKNOWN', maps.remove(mapKey))
      expect(await maps.listLearning()).toEqual([])
      await catalog.close()
    })

    it('of two who learn from the same state one is told to do it again', async () => {
      const catalog = await Catalog.open(freshUrl())
      const { maps } = catalog
      const learnt = { ...mapKey, fromRevision: 0, state: bytes(1), map: undefined }
      await maps.learnt(learnt)
      const error = await failure('CATALOG_CONFLICT', maps.learnt({ ...learnt, state: bytes(2) }))
      expect(error.retryable).toBe(true)
      expect((await maps.findLearning(mapKey))?.bytes).toEqual(bytes(1))
      await maps.remove(mapKey)
      // What it was learnt from is gone: it must not come back by this.
      await failure('CATALOG_CONFLICT', maps.learnt({ ...learnt, fromRevision: 1 }))
      await catalog.close()
    })

    it('that were damaged in the database are not given out', async () => {
      const url = freshUrl()
      const catalog = await Catalog.open(url)
      const map = { version: 1, bytes: bytes(1, 2, 3) }
      await catalog.maps.learnt({ ...mapKey, fromRevision: 0, state: bytes(9), map })
      const database = await openDatabase(parseCatalogUrl(url), false)
      await database.query('UPDATE godwit_map SET bytes = $1', [bytes(1, 2, 4)])
      const { message } = await failure('CATALOG_ENTRY', catalog.maps.find(mapKey))
      expect(message).toMatch(/^The static map of debian\/12 on qemu\/8\.2\.0 .* is damaged$/)
      await database.close()
      await catalog.close()
    })

    it('are not empty, and not of no pair', async () => {
      const catalog = await Catalog.open(freshUrl())
      const learnt = { ...mapKey, fromRevision: 0, state: bytes(), map: undefined }
      await failure('CATALOG_ENTRY', catalog.maps.learnt(learnt))
      const odd = { ...learnt, state: bytes(1), pageBytes: 4097 }
      await failure('CATALOG_ENTRY', catalog.maps.learnt(odd))
      expect(await catalog.maps.listLearning()).toEqual([])
      await catalog.close()
    })
  })
}
