/**
 * Static pages between agents: what a destination has already need not come, and what a guest left
 * behind need not come back.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import type { VmRecord } from '@godwit/catalog'
import { Catalog } from '@godwit/catalog'
import type { Report } from '@godwit/core'
import { randomBytes } from '@godwit/testkit'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { callControl } from '../../packages/cli/src/control-connection.ts'
import { until } from '../catalog/fixtures.ts'
import type { AgentProcess } from './agents.ts'
import { beginMigration, guestWhen, move, outcomeOf, startAgent } from './agents.ts'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, startDestination } from './process.ts'

afterAll(endCommandLines)
afterEach(endProcesses)

const busy = { timeout: 60_000 }
const pair = ['--os', 'debian/13', '--hypervisor', 'qemu/10']
/** Of a guest's memory: what all have, what it alone has, and where it stores. */
const [sharedPages, ownPages, storedPages] = [400, 100, 16]
const filePages = sharedPages + ownPages

/** Memory of a guest: what all have, in an order of its own, then what it alone has. */
function imageOf(seed: number): string {
  const path = freshPath(`${seed}.mem`)
  const shared = randomBytes(sharedPages * 4096, 1)
  const at = (seed % sharedPages) * 4096
  const own = randomBytes(ownPages * 4096, seed)
  writeFileSync(path, Buffer.concat([own, shared.subarray(at), shared.subarray(0, at)]))
  return path
}

/** A catalog with a map of two guests that are nowhere. */
async function learned(): Promise<string> {
  const catalog = freshPath('fleet.db')
  const images = [imageOf(11), imageOf(12)]
  const learn = await runCommandLine('catalog', 'learn', ...images, ...pair, '--catalog', catalog)
  expect(learn).toMatchObject({ code: 0 })
  return catalog
}

async function find(catalog: string, name: string): Promise<VmRecord | undefined> {
  const opened = await Catalog.open(catalog)
  const vm = await opened.entries.find('vm', name)
  await opened.close()
  return vm
}

/** A guest that stores to the first of its pages all the time, and counts its steps. */
async function runWriter({ control }: AgentProcess, name: string, seed: number): Promise<void> {
  const guest = `writer,file=${imageOf(seed)},wss=${storedPages * 4}KiB,rate=2000`
  const options = ['--memory', '4MiB', '--name', name, ...pair, '--control', control]
  expect(await runCommandLine('run', guest, ...options)).toMatchObject({ code: 0 })
}

/** The guest goes to where it ends, and is what it would be if it had never moved. */
async function prove(agent: AgentProcess, name: string): Promise<void> {
  const judge = await startDestination('--once')
  await guestWhen(agent, name, ({ state }) => state === 'running')
  const json = freshPath('report.json')
  const way = ['migrate', name, '--to', judge.address, '--control', agent.control, '--json', json]
  const ended = await runCommandLine(...way)
  expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)])
  const { memory, guestProof } = readReport(json)
  expect([memory?.equal, guestProof?.continuous]).toEqual([true, true])
  expect(guestProof!.stepsAfter).toBeGreaterThan(0)
}

/** A line of an agent's log, once it is there. */
async function logged({ process }: AgentProcess, pattern: RegExp): Promise<object> {
  const { input } = await process.line(pattern)
  return JSON.parse(input) as object
}

/** What an agent's log says of a migration that is over. */
function endedAt(agent: AgentProcess, guest: string): Promise<object> {
  return logged(
    agent,
    new RegExp(`"guest":"${guest}".*"msg":"(a migration to here|migration) ended"`),
  )
}

/** Moves a guest that counts no steps. */
async function moveNow(from: AgentProcess, name: string, to: AgentProcess): Promise<Report> {
  await guestWhen(from, name, ({ state }) => state === 'running')
  return outcomeOf(from, await beginMigration(from, name, to))
}

function expectWhole(report: Report): void {
  expect(report).toMatchObject({ outcome: 'completed', memory: { equal: true } })
}

describe('agents with a catalog', () => {
  it('leave out what a guest of the kind has that runs there', busy, async () => {
    const catalog = await learned()
    const at = (machine: string): string[] => ['--catalog', catalog, '--machine', machine]
    const [a, b] = [await startAgent(...at('a')), await startAgent(...at('b'))]
    await runWriter(b, 'there', 13)
    await until(async () => (await find(catalog, 'there'))?.machine === 'b')
    await runWriter(a, 'one', 14)
    await runWriter(a, 'two', 14)
    const without = await move(a, 'one', await startAgent(), '--static', 'none')
    expectWhole(without)
    expect(without.static).toBeUndefined()

    const report = await move(a, 'two', b)
    expectWhole(report)
    const known = { entries: sharedPages, heldEntries: sharedPages, pages: sharedPages }
    expect(report.static).toMatchObject({ os: 'debian/13', mode: 'content', ...known })
    expect(report.pages).toMatchObject({ static: sharedPages })
    expect(report.wireBytes).toBeLessThan(without.wireBytes * 0.4)
    for (const agent of [a, b]) {
      expect(await endedAt(agent, 'two')).toMatchObject({ level: 'info', static: known })
    }
    const found = await logged(b, new RegExp(`static pages: ${sharedPages} are in there`))
    expect(found).toMatchObject({ level: 'info' })
    const status = (guest: string): Promise<object> => callControl(b.control, 'status', { guest })
    await until(async () => 'staticPages' in (await status('two')))
    expect(await status('two')).toMatchObject({ staticPages: sharedPages })
    expect(await status('there')).not.toHaveProperty('staticPages')
    await prove(b, 'two')
  })

  it('look in a guest that has come, and in one that is named', busy, async () => {
    const catalog = await learned()
    const at = (machine: string): string[] => ['--catalog', catalog, '--machine', machine]
    const a = await startAgent(...at('a'))
    const b = await startAgent(...at('b'))
    const c = await startAgent(...at('c'), '--sibling', 'first')
    await runWriter(a, 'first', 15)
    const first = await move(a, 'first', b)
    expectWhole(first)
    expect(first.static).toMatchObject({ heldEntries: 0, pages: 0 })
    await until(async () => (await find(catalog, 'first'))?.machine === 'b')
    await runWriter(a, 'second', 16)
    expect((await move(a, 'second', b)).static).toMatchObject({ pages: sharedPages })

    expect(await move(b, 'first', c)).toMatchObject({ static: { pages: 0 } })
    const none = await logged(c, /sibling first: no such guest is here, nor a file/)
    expect(none).toMatchObject({ level: 'warn' })
    await guestWhen(b, 'second', ({ state }) => state === 'running')
    expect((await move(b, 'second', c)).static).toMatchObject({ pages: sharedPages })
    await prove(c, 'second')
  })

  it('look in files, unless they are told not to', busy, async () => {
    const catalog = await learned()
    const told = ['--catalog', catalog]
    const b = await startAgent(...told, '--machine', 'b', '--sibling', imageOf(17))
    const c = await startAgent(...told, '--machine', 'c', '--static', 'none')
    await b.process.line(/looked through files of memory for a static map/)
    const json = freshPath('report.json')
    const guest = [`image,file=${imageOf(18)}`, '--vm-name', 'db1', ...pair, '--warmup', '1ms']
    const way = ['--to', b.address, ...told, '--machine', 'a', '--json', json]
    expect(await runCommandLine('send', ...guest, ...way)).toMatchObject({ code: 0 })
    expect(readReport(json).static).toMatchObject({ pages: sharedPages })
    // The agent has made a name up, and finds the map by that which it has in the catalog.
    await until(async () => (await find(catalog, 'db1'))?.machine === 'b')
    const report = await moveNow(b, 'image-1', c)
    expectWhole(report)
    // Offered, and in vain.
    expect(report.static).toMatchObject({ entries: 0, pages: 0 })
  })

  it('go on without one that cannot be had, and say so', busy, async () => {
    const damaged = freshPath('fleet.db')
    writeFileSync(damaged, 'no database')
    const catalog = await learned()
    const a = await startAgent('--catalog', catalog, '--machine', 'a')
    for (const [name, away] of [
      ['one', 'postgres://godwit@127.0.0.1:9/fleet'],
      ['two', damaged],
    ] as const) {
      const b = await startAgent('--catalog', away)
      await b.process.line(/CATALOG_UNAVAILABLE.*no static pages; everything else goes on/)
      await runWriter(a, name, 19)
      const report = await move(a, name, b)
      expectWhole(report)
      expect(report.static).toMatchObject({ heldEntries: 0, pages: 0 })
      expect(await endedAt(b, name)).toMatchObject({ outcome: 'completed' })
    }
  })
})

describe('the past of a guest of agents', () => {
  it('is kept where it was, and spares nearly all when it comes back', busy, async () => {
    const [folder, other] = [freshPath('images'), freshPath('others')]
    const a = await startAgent('--keep-image', `${folder},max=64MiB`)
    const b = await startAgent('--keep-image', other)
    const c = await startAgent()
    await runWriter(a, 'web1', 21)
    const first = await move(a, 'web1', b)
    expectWhole(first)
    expect(first.static).toBeUndefined()
    expect(readdirSync(folder)).toHaveLength(1)
    // It goes on where nothing is looked up, and is known of there all the same.
    await guestWhen(b, 'web1', ({ state }) => state === 'running')
    const raw = await move(b, 'web1', c, '--mode', 'post-copy', '--encode', 'raw')
    expectWhole(raw)
    expect(raw.static).toBeUndefined()
    await guestWhen(c, 'web1', ({ state }) => state === 'running')
    const back = await move(c, 'web1', a)
    expectWhole(back)
    const pages = filePages - storedPages
    expect(back.static!.pages).toBeGreaterThanOrEqual(pages)
    expect(back.wireBytes).toBeLessThan(first.wireBytes * 0.3)
    const came = await logged(a, /"msg":"a migration to here ended"/)
    expect(came).toMatchObject({ static: { pages: back.static!.pages } })
    await guestWhen(a, 'web1', ({ state }) => state === 'running')
    // Nor does another agent's place keep what is to be kept elsewhere.
    const third = freshPath('third')
    expectWhole(await move(a, 'web1', b, '--keep-image', third))
    expect([readdirSync(folder), readdirSync(third)].map(({ length }) => length)).toEqual([1, 1])
    await prove(b, 'web1')
  })

  it('is kept of guests that are moved away when their agent ends', busy, async () => {
    const catalog = await learned()
    const b = await startAgent('--catalog', catalog, '--sibling', imageOf(23))
    const folder = freshPath('images')
    const to = ['--evacuate-to', b.address, '--keep-image', folder, '--catalog', catalog]
    const a = await startAgent(...to, '--machine', 'a')
    await runWriter(a, 'web1', 24)
    await guestWhen(a, 'web1', ({ steps = 0 }) => steps > 50)
    a.process.signal('SIGTERM')
    expect(await a.process.ended).toMatchObject({ code: 0 })
    expect(await endedAt(b, 'web1')).toMatchObject({ static: { pages: sharedPages } })
    expect(readdirSync(folder)).toHaveLength(1)
    await prove(b, 'web1')
  })
})

describe('an agent whose static options are wrong', () => {
  it.each<[string[], number, RegExp]>([
    [['--sibling', 'db1'], 2, /USAGE: .*--catalog URL is missing/],
    [['--sibling', 'db1', '--catalog', 'none.db', '--static', 'none'], 2, /USAGE: .*static none/],
    [['--sibling', '/no/such/file', '--catalog', 'none.db'], 2, /USAGE: .*no such file/],
    [['--static', 'escdr-content'], 2, /USAGE: .*auto, none/],
    [['--keep-image', 'images,max=lots'], 2, /USAGE: .*"lots"/],
    [['--keep-image', '/dev/null/images'], 2, /FILE_UNWRITABLE/],
    [['--images-out', 'keys'], 2, /USAGE: .*--images-out/],
  ])('%j', async (args, code, text) => {
    const stateDir = freshPath('state')
    const own = ['--listen', '127.0.0.1:0', '--state-dir', stateDir]
    const ended = await runCommandLine('agent', ...own, ...args)
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(text) })
    expect(existsSync('none.db')).toBe(false)
  })
})
