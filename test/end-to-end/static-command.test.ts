import { readFileSync, statSync, writeFileSync } from 'node:fs'
import type { VmRecord } from '@godwit/catalog'
import { Catalog } from '@godwit/catalog'
import { randomBytes } from '@godwit/testkit'
import type { Report } from '@godwit/core'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import type { Ended } from './process.ts'
import { until } from '../catalog/fixtures.ts'
import {
  askControl,
  endProcesses,
  freshPath,
  readReport,
  startDestination,
  startGodwit,
  statusWhen,
} from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

const pair = ['--os', 'debian/13', '--hypervisor', 'qemu/10']
const sharedPages = 400
const ownPages = 100

/** Memory of a guest: what all have, in an order of its own, then what it alone has. */
function imageOf(seed: number): string {
  const path = freshPath(`${seed}.mem`)
  const shared = randomBytes(sharedPages * 4096, 1)
  const at = (seed % sharedPages) * 4096
  const own = randomBytes(ownPages * 4096, seed)
  writeFileSync(path, Buffer.concat([shared.subarray(at), shared.subarray(0, at), own]))
  return path
}

async function run(...args: string[]): Promise<Ended> {
  const ended = await runCommandLine(...args)
  expect(ended).toMatchObject({ code: 0 })
  return ended
}

/** A catalog with a map of two guests that are nowhere. */
async function learned(...seeds: readonly [number, number]): Promise<string> {
  const catalog = freshPath('fleet.db')
  await run('catalog', 'learn', ...seeds.map(imageOf), ...pair, '--catalog', catalog)
  return catalog
}

async function find(url: string, name: string): Promise<VmRecord | undefined> {
  const catalog = await Catalog.open(url)
  const vm = await catalog.entries.find('vm', name)
  await catalog.close()
  return vm
}

async function send(image: string, to: string, ...args: string[]): Promise<[Report, Ended]> {
  const json = freshPath('report.json')
  const small = ['--warmup', '1ms', '--quiet', '--json', json]
  const ended = await run('send', `image,file=${image}`, '--to', to, ...small, ...args)
  const report = readReport(json)
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
  return [report, ended]
}

describe('send and receive with a catalog', () => {
  it('leave out what a sibling has, which is a file or a guest that came before', async () => {
    const catalog = await learned(11, 12)
    const told = ['--catalog', catalog, '--machine', 'b']
    const [file, first, second] = [imageOf(13), imageOf(14), imageOf(15)]
    const withFile = await startDestination(...told, '--sibling', file)
    const control = freshPath('control.sock')
    const there = ['--catalog', catalog, '--machine', 'c', '--control', control]
    const withGuests = await startDestination(...there)
    const known = ['--catalog', catalog, ...pair, '--machine', 'a']
    const [report] = await send(first, withFile.address, ...known)
    expect(report.static).toMatchObject({ mode: 'content', os: 'debian/13', entries: sharedPages })
    expect(report.pages).toMatchObject({ static: sharedPages, raw: ownPages })
    expect(report.stages.map(({ name }) => name)).toContain('static')

    const [alone] = await send(first, withGuests.address, ...known, '--vm-name', 'db1')
    expect(alone.static).toMatchObject({ heldEntries: 0, pages: 0 })
    await statusWhen(control, ({ guests }) => (guests as unknown[]).length === 1)
    await until(async () => (await find(catalog, 'db1'))?.state === 'running')
    // What the catalog knows need not be said.
    const record = ['add', 'vm', 'db2', ...pair, '--machine', 'a', '--memory', '2MiB']
    await run('catalog', ...record, '--catalog', catalog)
    const named = ['--catalog', catalog, '--vm-name', 'db2', '--machine', 'a']
    const [last] = await send(second, withGuests.address, ...named)
    expect(last.pages).toMatchObject({ static: sharedPages, raw: ownPages })
  })

  it('do not read a guest that still waits for its pages', async () => {
    const catalog = await learned(41, 42)
    const control = freshPath('control.sock')
    const there = ['--catalog', catalog, '--machine', 'b', '--control', control]
    const { address } = await startDestination(...there, '--sibling', 'db1')
    const known = ['--catalog', catalog, ...pair, '--machine', 'a']
    const slow = ['--mode', 'post-copy', '--max-bandwidth', '256Kbit', '--warmup', '1ms']
    const guest = ['--vm-name', 'db1', '--to', address, '--quiet']
    startGodwit('send', `image,file=${imageOf(43)}`, ...guest, ...slow, ...known)
    await until(async () => (await find(catalog, 'db1'))?.machine === 'b')
    const [report] = await send(imageOf(44), address, ...known)
    expect(report.static).toMatchObject({ entries: sharedPages, heldEntries: 0, pages: 0 })
    const { sessions } = await askControl(control, 'status')
    // The other one may still be listed, as completed.
    expect(sessions).toContainEqual(expect.objectContaining({ state: 'filling' }))
  })

  it('go on with a map that is out of date, and without a catalog', async () => {
    const [old, fresh] = [await learned(21, 22), await learned(23, 24)]
    const file = imageOf(25)
    const { address } = await startDestination('--catalog', old, '--sibling', file)
    const [report] = await send(imageOf(26), address, '--catalog', fresh, ...pair)
    expect(report.static).toMatchObject({ mapVersion: 2, heldEntries: 0, pages: 0 })
    const away = ['--catalog', 'postgres://godwit@127.0.0.1:9/fleet', '--static', 'escdr-content']
    const [without, ended] = await send(imageOf(27), address, ...away, ...pair)
    expect(without.static).toBeUndefined()
    expect(ended.stderr).toMatch(/^godwit: CATALOG_UNAVAILABLE: .* \(no static pages; everything/m)
  })
})

describe('the past of a guest', () => {
  it('is kept where it was, and spares nearly all when it comes back', async () => {
    const [image, folder, keys] = [imageOf(31), freshPath('images'), freshPath('keys')]
    const away = await startDestination('--images-out', keys)
    const [first] = await send(image, away.address, '--keep-image', `${folder},max=8MiB`)
    expect(statSync(keys).mode & 0o777).toBe(0o600)
    const home = await startDestination('--keep-image', folder)
    const [back] = await send(image, home.address, '--images', keys)
    expect(back.pages).toMatchObject({ static: sharedPages + ownPages, raw: 0 })
    expect(back.wireBytes).toBeLessThan(first.wireBytes * 0.05)
    const { images } = JSON.parse(readFileSync(keys, 'utf8')) as { images: { token: string }[] }
    const reports = JSON.stringify([first, back])
    expect(images).toHaveLength(1)
    expect(reports).not.toContain(images[0]!.token)
  })
})

describe('a command line that is wrong', () => {
  /** In the place of a file that everybody can read. */
  const open = 'OPEN'
  const catalog = ['--catalog', 'none.db']
  it.each<[string[], string, RegExp]>([
    [['--static', 'escdr-content'], 'USAGE', /--catalog URL is missing/],
    [['--static', 'escdr-content', ...catalog], 'USAGE', /--os NAME\/VERSION and --hyperv/],
    [['--static', 'escdr-content', ...catalog, '--os', 'a/1'], 'USAGE', /are missing/],
    [['--static', 'escdr-position', ...catalog, ...pair, '--encode', 'raw'], 'USAGE', /raw/],
    [['--static', 'escdr-position', ...catalog, ...pair, '--mode', 'stop-copy'], 'USAGE', /none/],
    [['--static', 'escdr'], 'USAGE', /escdr-content, escdr-position, none/],
    [['--os', 'debian/13'], 'USAGE', /--os is for a catalog/],
    [['--images', open], 'USAGE', /chmod 600/],
    [['--images', 'gone'], 'FILE_UNREADABLE', /ENOENT/],
    [['--images', open, '--encode', 'raw'], 'USAGE', /raw/],
    [['--images', open, '--mode', 'stop-copy'], 'USAGE', /in rounds/],
    [['--images', open, '--mode', 'post-copy'], 'USAGE', /in rounds/],
    [['--keep-image', ',max=1GiB'], 'USAGE', /DIR,max=8GiB/],
  ])('send %j', async (args, code, text) => {
    const file = freshPath('keys')
    writeFileSync(file, '{}', { mode: 0o644 })
    const given = args.map((arg) => (arg === open ? file : arg))
    const nowhere = ['idle', '--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']
    const ended = await runCommandLine('send', ...nowhere, ...given)
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(
      new RegExp(`^godwit: ${code}: [^\\n]*(?:${text.source})[^\\n]*\\n$`),
    )
  })

  it.each<[string[], string, RegExp]>([
    [['--sibling', 'db1'], 'USAGE', /--catalog URL is missing/],
    [['--sibling', '/no/such/file', ...catalog], 'USAGE', /no such file/],
    [['--sibling', 'db1', '--static', 'none', ...catalog], 'USAGE', /--static none/],
    [['--images-out', '/no/such/place/keys'], 'FILE_UNWRITABLE', /ENOENT/],
    [['--keep-image', 'images,max=lots'], 'USAGE', /"lots"/],
  ])('receive %j', async (args, code, text) => {
    const ended = await runCommandLine('receive', '--listen', '127.0.0.1:0', ...args)
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(
      new RegExp(`^godwit: ${code}: [^\\n]*(?:${text.source})[^\\n]*\\n$`),
    )
  })
})
