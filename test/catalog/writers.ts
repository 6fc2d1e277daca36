/**
 * Several who write at once; the same for every database.
 *
 * @module
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Catalog, MAP_VERSIONS_MAX } from '@godwit/catalog'
import { describe, expect, it } from 'vitest'
import { guest, mapKey } from './fixtures.ts'

const run = promisify(execFile)
const writer = fileURLToPath(new URL('./writer.ts', import.meta.url))
const count = 12

export function writersSuite(freshUrl: () => string): void {
  describe('writers', () => {
    it('of two processes: a name has one owner, and nothing that was learnt is lost', async () => {
      const url = freshUrl()
      // Both find nothing and make the tables.
      const start = async (name: string): Promise<string[]> => {
        const { stdout } = await run(process.execPath, [writer, url, name, String(count)])
        return JSON.parse(stdout) as string[]
      }
      const [one, two] = await Promise.all([start('one'), start('two')])
      const names = Array.from({ length: count }, (_, index) => `guest-${index}`)
      expect([...one, ...two].sort()).toEqual(names.sort())
      const catalog = await Catalog.open(url)
      const guests = await catalog.entries.list('vm')
      const owned = (agent: string): string[] =>
        guests.filter((entry) => entry.agent === agent).map(({ name }) => name)
      expect([owned('one'), owned('two')]).toEqual([one.sort(), two.sort()])
      expect((await catalog.maps.findLearning(mapKey))?.revision).toBe(2 * count)
      expect(await catalog.maps.list()).toHaveLength(MAP_VERSIONS_MAX)
      expect(await catalog.entries.list('machine')).toHaveLength(3)
      await catalog.close()
    })

    it('of one process: statements beside a transaction are no part of it', async () => {
      const catalog = await Catalog.open(freshUrl())
      const agents = Array.from({ length: 8 }, (_, index) => catalog.agent(`agent-${index}`))
      const claims = agents.map((agent) => agent.claimGuest(guest('db', agent.agent)))
      const lists = agents.map(() => catalog.entries.list('vm'))
      const won = (await Promise.all(claims)).filter((claim) => claim !== undefined)
      await Promise.all(lists)
      expect(won).toHaveLength(1)
      await catalog.close()
    })
  })
}
