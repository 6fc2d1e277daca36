/**
 * `godwit` as processes with a catalog between them.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { VmRecord } from '@godwit/catalog'
import { Catalog } from '@godwit/catalog'
import { decodeStaticMap } from '@godwit/static'
import { afterEach, describe, expect, it } from 'vitest'
import {
  endProcesses,
  freshPath,
  readReport,
  runGodwit,
  startDestination,
  startGodwit,
} from '../end-to-end/process.ts'
import { until } from './fixtures.ts'
import { runHere } from './run-here.ts'

const small = ['writer,rate=100', '--memory', '8MiB', '--quiet']
const releases = ['--os', 'debian/12', '--hypervisor', 'qemu/8.2']
const known = {
  os: { name: 'debian', version: '12' },
  hypervisor: { name: 'qemu', version: '8.2' },
}

/** Agents that tell a catalog, in every database. */
export function agentCommandsSuite(freshUrl: () => string): void {
  describe('receive and send', () => {
    afterEach(endProcesses)

    it('tell where a guest is, from its start to its end', async () => {
      const url = freshUrl()
      const catalog = await Catalog.open(url)
      const find = async (): Promise<VmRecord | undefined> => catalog.entries.find('vm', 'db')
      const told = ['--catalog', url]
      const receiving = await startDestination(...told, '--machine', 'b', '--memory-limit', '64MiB')
      await until(async () => (await catalog.entries.list('machine')).length === 1)
      const [machine] = await catalog.entries.list('machine')
      expect(machine).toMatchObject({ name: 'b', address: receiving.address, freeBytes: 2 ** 26 })

      const named = ['--vm-name', 'db', '--machine', 'a', ...releases]
      // Slow, so that it is seen on its way however busy the machine is.
      const slow = ['--max-bandwidth', '40Mbit', '--warmup', '0ms', '--to', receiving.address]
      const sending = startGodwit('send', ...small, ...told, ...named, ...slow)
      await until(async () => (await find())?.state === 'migrating')
      expect(await find()).toMatchObject({ ...known, machine: 'a', epoch: 0, pageBytes: 4096 })
      expect((await sending.ended).code).toBe(0)
      await until(async () => (await find())?.state === 'running')
      const moved = { machine: 'b', epoch: 1, session: null, memoryBytes: 2 ** 23 }
      expect(await find()).toMatchObject({ ...known, ...moved })

      // The guest runs there: it takes a second one.
      receiving.process.signal('SIGINT')
      await receiving.process.line(/go on here/)
      receiving.process.signal('SIGINT')
      await receiving.process.ended
      expect(await catalog.entries.list('machine')).toEqual([])
      expect(await find()).toBeUndefined()
      await catalog.close()
    })
  })
}

/** What does not depend on the database. */
export function commandsSuite(): void {
  describe('godwit catalog', () => {
    afterEach(endProcesses)

    it('adds, lists, shows, exports, imports and removes', async () => {
      const file = freshPath('fleet.db')
      const run = (...args: string[]) => runHere('catalog', ...args, '--catalog', file)
      const vm = ['vm', 'db', ...releases, '--machine', 'a', '--memory', '4GiB']
      const added = [
        await run('add', 'machine', 'a', '--memory', '64GiB', '--free', '1GiB'),
        await run('add', 'link', 'a', 'b', '--cost', '2', '--bandwidth', '10Gbit', '--both'),
        await run('add', ...vm),
      ]
      expect(added.map(({ code, stderr }) => [code, stderr])).toEqual(Array(3).fill([0, '']))
      const exported = freshPath('fleet.jsonl')
      const list = await run('ls')
      expect(list.stdout).toMatch(/^db +debian\/12 +qemu\/8\.2 +a +stopped +4 GiB +made by hand$/m)
      expect(list.stdout).toMatch(/^a +64 GiB +1 GiB +0\.00 +made by hand$/m)
      expect(list.stdout).toMatch(/^b +a +2 +1\.25 GB\/s$/m)
      const json = await run('ls', '--json', '--vms')
      expect(JSON.parse(json.stdout)).toMatchObject({ vms: [{ name: 'db', ...known }] })
      expect((await run('show', 'db')).stdout).toMatch(/^memory +4 GiB$/m)
      const again = await run('add', ...vm)
      expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/CATALOG_CONFLICT/)])
      expect((await run('export', exported)).code).toBe(0)
      const copy = freshPath('copy.db')
      const imported = await runHere('catalog', 'import', exported, '--catalog', copy)
      expect(imported.stderr).toBe('imported: 1 machine, 2 links, 1 guest\n')
      const back = await runHere('catalog', 'export', '-', '--catalog', copy)
      expect(back.stdout).toBe(readFileSync(exported, 'utf8'))
      expect((await run('rm', 'link', 'a', 'b')).code).toBe(0)
      const catalog = await Catalog.open(file)
      expect(await catalog.entries.list('link')).toMatchObject([{ source: 'b' }])
      await catalog.close()
    })

    it('says what to do about what cannot be done', async () => {
      const file = freshPath('fleet.db')
      const bad = freshPath('bad.jsonl')
      writeFileSync(bad, '{"godwit-catalog":1}\n{"vm":{}}\n')
      const run = async (...args: string[]): Promise<string> => {
        const { code, stderr, stdout } = await runHere('catalog', ...args)
        return `${code} ${stderr}${stdout}`
      }
      const answers = [
        await run('ls', '--catalog', file),
        await run('ls'),
        await run('import', bad, '--catalog', freshPath('new.db')),
        await run('import', freshPath('none'), '--catalog', freshPath('new.db')),
        await run('add', 'vm', 'a b', '--machine', 'a', '--memory', '1GiB', '--catalog', file),
        await run('rm', 'vm', 'db', '--catalog', bad),
        await run('ls', '--catalog', 'postgres://u:hush@127.0.0.1:1/x'),
      ]
      expect(answers).toEqual([
        expect.stringMatching(/^2 godwit: CATALOG_UNKNOWN: There is no catalog at .* make one\n$/),
        expect.stringMatching(/^2 godwit: USAGE: Which catalog\? .* GODWIT_CATALOG\n$/),
        expect.stringMatching(/^2 godwit: CATALOG_ENTRY: Line 2 is not usable.*\n$/),
        expect.stringMatching(/^2 godwit: FILE_UNREADABLE: .*\n$/),
        expect.stringMatching(/^2 godwit: USAGE: "a b" is not a name.*\n$/),
        expect.stringMatching(/^1 godwit: CATALOG_UNAVAILABLE: .* file is not a database\n$/),
        expect.stringMatching(/^1 godwit: CATALOG_UNAVAILABLE: .*127\.0\.0\.1:1\n$/),
      ])
      expect(answers.join('')).not.toContain('hush')
      expect(existsSync(file)).toBe(false)
    })
  })
}

/** What guests have in common. */
export function learningSuite(): void {
  describe('godwit catalog learn', () => {
    afterEach(endProcesses)

    it('makes a map of two guests, and goes on from it with the next one', async () => {
      const [url, common] = [freshPath('fleet.db'), randomBytes(50 * 4096)]
      const images = ['a', 'b', 'c'].map((name) => freshPath(`${name}.mem`))
      const zero = new Uint8Array(20 * 4096)
      for (const image of images) {
        writeFileSync(image, Buffer.concat([common, randomBytes(10 * 4096), zero]))
      }
      const [a, b, c] = images as [string, string, string]
      const learn = (...args: string[]) => {
        return runHere('catalog', 'learn', ...releases, '--catalog', url, ...args)
      }
      const first = await learn(a, b)
      expect([first.code, first.stderr]).toEqual([0, ''])
      expect(first.stdout).toMatch(/^static map 2 of debian\/12 on qemu\/8\.2: 50 static pages/m)
      const again = await learn(b)
      expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/nothing of its own/)])

      const catalog = await Catalog.open(url)
      const place = { machine: 'a', memoryBytes: 80 * 4096, pageBytes: 4096, memoryPath: c }
      const ids = { id: 'c', name: 'c', agent: null, session: null, epoch: 0 }
      await catalog.entries.add('vm', { ...ids, ...known, ...place, state: 'stored' })
      const elsewhere = await learn('--vm', 'c', '--machine', 'b')
      expect(elsewhere.stderr).toMatch(/USAGE: The memory of c is on a, not on b/)
      expect((await learn('--vm', 'c', '--machine', 'a', '--json')).code).toBe(0)
      const found = (await catalog.maps.find({ ...known, pageBytes: 4096 }))!
      const map = decodeStaticMap(found.bytes)
      expect(map).toMatchObject({ os: 'debian/12', hypervisor: 'qemu/8.2', sampleCount: 3 })
      expect([found.version, map.version, map.positions.length]).toEqual([3, 3, 50])
      expect(await catalog.maps.list()).toHaveLength(2)
      await catalog.close()
    })
  })
}

/** What a catalog has no say in. */
export function migrationsSuite(): void {
  describe('a migration', () => {
    afterEach(endProcesses)

    it('goes on where its catalog cannot be had, and the password is nowhere', async () => {
      const told = ['--catalog', 'postgres://u:hush@127.0.0.1:1/x']
      const receiving = await startDestination('--once', '--run-for', '100ms', ...told)
      const json = freshPath('report.json')
      const to = ['--to', receiving.address, '--warmup', '0ms', '--json', json]
      const { code, stderr } = await runGodwit('send', ...small, ...told, ...to)
      expect([code, readReport(json).outcome]).toEqual([0, 'completed'])
      expect(stderr).toMatch(/^godwit: CATALOG_UNAVAILABLE: .* \(the catalog is not told/)
      const ended = await receiving.process.ended
      expect(ended.code).toBe(0)
      expect(ended.stderr).toMatch(/CATALOG_UNAVAILABLE/)
      expect(`${stderr}${ended.stderr}${readFileSync(json, 'utf8')}`).not.toContain('hush')
    })

    it('that fails leaves the guest in the catalog where it is', async () => {
      const url = freshPath('fleet.db')
      const catalog = await Catalog.open(url)
      const find = async (): Promise<VmRecord | undefined> => catalog.entries.find('vm', 'db')
      const named = ['--vm-name', 'db', '--machine', 'a', '--catalog', url, '--keep']
      const nowhere = ['--to', '127.0.0.1:1', '--warmup', '0ms']
      const sending = startGodwit('send', ...small, ...nowhere, ...named)
      await sending.line(/CONNECTION_REFUSED/)
      await until(async () => (await find())?.state === 'running')
      expect(await find()).toMatchObject({ machine: 'a', session: null, os: null, epoch: 0 })
      sending.signal('SIGINT')
      await sending.ended
      expect(await find()).toBeUndefined()
      await catalog.close()
    })
  })
}
