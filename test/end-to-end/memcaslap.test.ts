import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { closeClients, TextClient } from './memcached-client.ts'
import { endRelayed, hop, startRelayed } from './memcached-hops.ts'
import { isInstalled } from './process.ts'

const run = promisify(execFile)

afterEach(async () => {
  closeClients()
  await endRelayed()
})

/** What it says when it has ended, by name. */
function figures(output: string): ReadonlyMap<string, number> {
  const lines = output.matchAll(/^(\w+): (\d+)$/gm)
  return new Map([...lines].map(([, name, value]) => [name!, Number(value)]))
}

async function getsOf(client: TextClient): Promise<number> {
  const stats = await client.ask('stats\r\n', 'END\r\n')
  return Number(/STAT cmd_get (\d+)/.exec(stats)![1])
}

describe('memcaslap', () => {
  it.skipIf(!isInstalled('memcaslap'))(
    'runs through migrations without an error (needs apt-get install libmemcached-tools)',
    async () => {
      const { guest, relay } = await startRelayed(64 * 2 ** 20)
      const server = `127.0.0.1:${relay.place.port}`
      // 16 connections with 1024 items each; every answer is compared with what was set.
      const args = ['-s', server, '-x', '20000', '-T', '1', '-c', '16', '-w', '1k', '-v', '1', '-b']
      const load = run('memcaslap', args)
      const client = new TextClient(relay.place.port)
      let owner = guest
      for (const gets of [1000, 5000, 9000]) {
        // By then it has stored its items, and asks for them.
        while ((await getsOf(client)) < gets);
        owner = await hop(owner, relay, { stop: 'downtime=20ms' })
      }
      const { stdout, stderr } = await load
      expect(stderr).toBe('')
      const found = figures(stdout)
      expect(found.get('cmd_get')).toBeGreaterThan(9000)
      for (const none of ['get_misses', 'verify_misses', 'verify_failed']) {
        expect([none, found.get(none)]).toEqual([none, 0])
      }
    },
    60_000,
  )
})
