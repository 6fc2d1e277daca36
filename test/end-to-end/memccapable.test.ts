import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { closeClients } from './memcached-client.ts'
import { endRelayed, hop, startRelayed } from './memcached-hops.ts'
import { isInstalled } from './process.ts'

const run = promisify(execFile)

afterAll(async () => {
  closeClients()
  await endRelayed()
})

/** All tests of somebody else's program: 27 of the ASCII protocol, 27 of the binary one. */
const testCount = 54

/** What did not pass. */
async function complaints(port: number): Promise<readonly string[]> {
  const args = ['-h', '127.0.0.1', '-p', String(port), '-v']
  const { stdout, stderr } = await run('memccapable', args).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  )
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
  const others = lines.filter((line) => !line.includes('[pass]') && line !== 'All tests passed')
  const passed = lines.length - others.length - (lines.includes('All tests passed') ? 1 : 0)
  return passed === testCount ? others : [...others, `${passed} of ${testCount} passed`]
}

// Most of its time it waits for keys to expire.
describe.concurrent('memccapable', () => {
  it.skipIf(!isInstalled('memccapable')).each([1, 2])(
    'passes by threads=%d in all of a migration (needs apt-get install libmemcached-tools)',
    async (threads) => {
      const { guest, relay } = await startRelayed(8 * 2 ** 20, threads)
      expect(await complaints(guest.place.port)).toEqual([])
      let owner = guest
      let hops = 0
      let isGoing = true
      const during = complaints(relay.place.port).finally(() => {
        isGoing = false
      })
      // One migration after the other, so that there is one whatever it is at.
      while (isGoing) {
        owner = await hop(owner, relay)
        hops++
      }
      expect(await during).toEqual([])
      expect(hops).toBeGreaterThan(1)
      expect(await complaints(owner.place.port)).toEqual([])
    },
    60_000,
  )
})
