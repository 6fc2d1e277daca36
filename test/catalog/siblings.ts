/**
 * Guests that have much in common; the same for every database.
 *
 * @module
 */
import { Catalog, SIBLINGS_MAX } from '@godwit/catalog'
import { describe, expect, it } from 'vitest'
import { until, vm } from './fixtures.ts'

export function siblingsSuite(freshUrl: () => string): void {
  describe('guests', () => {
    it('are found as siblings: of the pair, on the machine, not expired', async () => {
      const catalog = await Catalog.open(freshUrl())
      const { entries } = catalog
      const { os, hypervisor, machine: place } = vm('db')
      const pair = { os: os!, hypervisor: hypervisor! }
      await entries.add('vm', vm('db', { id: 'db' }))
      await entries.add('vm', vm('away', { id: 'away', machine: 'elsewhere' }))
      await entries.add('vm', vm('other', { id: 'other', os: { name: 'other', version: '1' } }))
      await entries.add('vm', vm('unknown', { id: 'unknown', os: null }))
      const gone = { id: 'gone', name: 'gone', ...pair, machine: place, state: 'running' } as const
      const sizes = { memoryBytes: 4096, pageBytes: 4096 }
      await catalog.agent('late', 1).claimGuest({ ...gone, ...sizes })
      await until(async () => (await entries.list('vm')).every(({ id }) => id !== 'gone'))
      const names = (await entries.siblings(pair, place)).map(({ name }) => name)
      expect(names).toEqual(['db'])
      for (let n = 0; n < SIBLINGS_MAX; n++) {
        const [last] = await entries.siblings(pair, place)
        // Of two in the same millisecond any is the first.
        await until(async () => (await catalog.nowMs()) > last!.updatedMs)
        await entries.add('vm', vm(`d${n}`, { id: `d${n}` }))
      }
      const newest = Array.from({ length: SIBLINGS_MAX }, (_, n) => `d${SIBLINGS_MAX - 1 - n}`)
      expect((await entries.siblings(pair, place)).map(({ id }) => id)).toEqual(newest)
      await catalog.close()
    })
  })
}
