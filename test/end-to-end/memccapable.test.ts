import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { IncomingMemcached, MemcachedGuest, MemcachedHost, parseMemcached } from '@godwit/memcached'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { createRig } from './rig.ts'

const run = promisify(execFile)
const places = (process.env['PATH'] ?? '').split(delimiter)
const isHere = places.some((place) => existsSync(join(place, 'memccapable')))
const guests: { stop(): Promise<void> }[] = []

afterEach(async () => {
  closeClients()
  for (const guest of guests.splice(0)) await guest.stop()
})

/** What did not pass, of the ASCII tests of somebody else's program. */
async function complaints(port: number): Promise<readonly string[]> {
  const args = ['-h', '127.0.0.1', '-p', String(port), '-a', '-v']
  const { stdout, stderr } = await run('memccapable', args).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  )
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '')
  const passed = lines.filter((line) => line.includes('[pass]'))
  expect(passed.length).toBeGreaterThan(0)
  return lines.filter((line) => !line.includes('[pass]') && line !== 'All tests passed')
}

describe('memccapable', () => {
  it.skipIf(!isHere)(
    'passes before and after a migration (needs apt-get install libmemcached-tools)',
    async () => {
      const arrived: IncomingMemcached[] = []
      class Host extends MemcachedHost {
        override async reserve(...parts: Parameters<MemcachedHost['reserve']>) {
          const guest = await super.reserve(...parts)
          arrived.push(guest)
          guests.push({ stop: () => guest.discard() })
          return guest
        }
      }
      const { identity, memoryBytes } = parseMemcached('memcached,port=0', 8 * 2 ** 20)
      const guest = await MemcachedGuest.start(identity, memoryBytes)
      guests.push(guest)
      expect(await complaints(guest.port)).toEqual([])
      await new TextClient(guest.port).set('kept', 'x')
      const rig = await createRig(new Host())
      // It empties the service: what is left tells that it ran on the one that moved.
      const during = complaints(guest.port)
      const migration = await rig.source(guest, { stop: 'max-rounds=30' })
      const report = await migration.run()
      expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
      await guest.stop()
      await during.catch(() => {})
      expect(await complaints(arrived[0]!.port)).toEqual([])
    },
    60_000,
  )
})
