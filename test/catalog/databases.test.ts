/**
 * The catalog in every database it can be in: the same tests for each.
 */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalog } from '@godwit/catalog'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCatalogUrl } from '../../packages/catalog/src/catalog-url.ts'
import type { Database } from '../../packages/catalog/src/database.ts'
import { openDatabase } from '../../packages/catalog/src/open-database.ts'
import { agentsSuite, leasesSuite } from './agents.ts'
import { agentCommandsSuite, commandsSuite, learningSuite, migrationsSuite } from './commands.ts'
import { entriesSuite } from './entries.ts'
import { failure, machine, until } from './fixtures.ts'
import { mapsSuite } from './maps.ts'
import { PASSWORD, PostgresServer, findPostgres } from './postgres-server.ts'
import { schemaSuite } from './schema.ts'
import { siblingsSuite } from './siblings.ts'
import {
  chunksOf,
  fill,
  hostileFileSuite,
  slowInputSuite,
  textOf,
  transferSuite,
} from './transfer.ts'
import { writersSuite } from './writers.ts'

const suites = [
  entriesSuite,
  agentsSuite,
  leasesSuite,
  mapsSuite,
  transferSuite,
  hostileFileSuite,
  slowInputSuite,
  schemaSuite,
  siblingsSuite,
  writersSuite,
  agentCommandsSuite,
]

const directory = mkdtempSync(join(tmpdir(), 'godwit-catalog-'))
let files = 0
const freshFile = (): string => join(directory, `${files++}.db`)
afterAll(() => rmSync(directory, { recursive: true }))

commandsSuite()
learningSuite()
migrationsSuite()

describe('in a file', () => {
  for (const suite of suites) suite(freshFile)

  it('that is not there is not made by a look at it', async () => {
    const file = freshFile()
    await failure('CATALOG_UNKNOWN', Catalog.open(file, { create: false }))
    expect(existsSync(file)).toBe(false)
  })

  it('that nobody else may read', async () => {
    const file = freshFile()
    const catalog = await Catalog.open(`sqlite:${file}`)
    const modes = ['', '-wal'].map((suffix) => statSync(`${file}${suffix}`).mode & 0o777)
    expect(modes).toEqual([0o600, 0o600])
    await catalog.close()
  })

  it('that is something else is left alone', async () => {
    const file = freshFile()
    writeFileSync(file, 'a letter, and no database\n'.repeat(100))
    const { message } = await failure('CATALOG_UNAVAILABLE', Catalog.open(file))
    expect(message).toBe(`The catalog ${file}: file is not a database`)
    await failure('CATALOG_UNAVAILABLE', Catalog.open(join(directory, 'no', 'folder.db')))
  })

  it('takes no more lines of an endless import than there can be entries', async () => {
    const catalog = await Catalog.open(freshFile())
    const link = `${JSON.stringify({ link: { source: 'a', destination: 'b', cost: 1 } })}\n`
    const whole = link.replace('1}', '1,"bandwidthBytesPerSecond":1,"updatedMs":0}')
    let lines = 0
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{"godwit-catalog":1}\n')
      for (const some = Buffer.from(whole.repeat(1024)); ; lines += 1024) yield some
    }
    const { message } = await failure('LIMIT_EXCEEDED', catalog.import(endless()))
    expect(message).toBe('Line 262146: a catalog has at most 262144 entries "link"')
    expect(lines).toBe(262_144)
    await catalog.close()
  })

  it('that another keeps from being written: who waits does not stop its thread', async () => {
    const place = parseCatalogUrl(freshFile())
    const catalog = await Catalog.open(place.target)
    const other = await openDatabase(place, false)
    const turns: string[] = []
    let release = (): void => {}
    const held = other.transaction(() => new Promise<void>((resolve) => (release = resolve)))
    const added = catalog.entries.add('machine', machine('a')).then(() => turns.push('added'))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
    turns.push('released')
    release()
    await held
    await added
    expect(turns).toEqual(['released', 'added'])
    await other.close()
    await catalog.close()
  })
})

const postgres = findPostgres()

// Without the package `postgresql` (Debian) there is nothing to test against.
describe.skipIf(postgres === undefined)('in PostgreSQL (package postgresql)', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await PostgresServer.start(postgres!)
  }, 60_000)
  afterAll(() => server?.stop())
  for (const suite of suites) suite(() => server.freshUrl())

  it('takes what was in a file, and gives it back the same', async () => {
    const [file, back] = [await Catalog.open(freshFile()), await Catalog.open(freshFile())]
    await fill(file, Uint8Array.of(0, 92, 255))
    const catalog = await Catalog.open(server.freshUrl())
    await catalog.import(chunksOf(await textOf(file)))
    await back.import(chunksOf(await textOf(catalog)))
    expect(await textOf(back)).toBe(await textOf(file))
    for (const one of [file, back, catalog]) await one.close()
  })

  it('is found again when its connections were cut', async () => {
    const url = server.freshUrl()
    const [catalog, other] = [
      await Catalog.open(url),
      await openDatabase(parseCatalogUrl(url), false),
    ]
    await catalog.entries.add('machine', machine('a'))
    const others = "application_name = 'godwit' AND pid <> pg_backend_pid()"
    const cut = await other.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`,
    )
    expect(cut.length).toBeGreaterThan(0)
    const left = `SELECT pid FROM pg_stat_activity WHERE ${others}`
    await until(async () => (await other.query(left)).length === 0)
    const { entries } = catalog
    const list = () => entries.list('machine').catch(({ code }: { code: string }) => code)
    // One question may still go to the connection that is no more.
    const answers = [await list(), await list()]
    expect(['CATALOG_UNAVAILABLE', answers[1]]).toContainEqual(answers[0])
    expect(answers[1]).toMatchObject([{ name: 'a' }])
    await other.close()
    await catalog.close()
  })

  it('outlives a connection that is cut in the midst of a transaction', async () => {
    const database = await openDatabase(parseCatalogUrl(server.freshUrl()), false)
    await expect(cutInUse(database)).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' })
    expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await database.close()
  })

  it('is told of without its password, whatever fails', async () => {
    const wrong = server.url('wr/ong')
    const urls = [wrong, 'postgres://u:hush%21@127.0.0.1:1/x', 'postgres://u:hush@[1/x']
    for (const url of urls) {
      const error = await Catalog.open(url).catch((thrown: unknown) => thrown)
      const { code } = error as { code: string }
      expect(['CATALOG_UNAVAILABLE', 'USAGE']).toContain(code)
      const text = `${(error as Error).stack} ${JSON.stringify(error)}`
      expect(text).not.toMatch(/hush|wr\/ong|wr%2Fong/)
      expect((error as Error).cause).toBeUndefined()
    }
    const catalog = await Catalog.open(server.freshUrl())
    expect(catalog.place).toBe('postgres://localhost/postgres')
    expect(JSON.stringify(catalog)).not.toContain(PASSWORD)
    await catalog.close()
  })
})

/** A transaction whose connection the server ends while nobody asks it for anything. */
function cutInUse(database: Database): Promise<unknown> {
  return database.transaction(async (statements) => {
    const [row] = await statements.query('SELECT pg_backend_pid() AS pid')
    const { pid } = row as unknown as { pid: number }
    await database.query(`SELECT pg_terminate_backend(${pid})`)
    const left = `SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`
    await until(async () => (await database.query(left)).length === 0)
    await statements.query('SELECT 1')
  })
}
