/**
 * Export and import; the same for every database.
 *
 * @module
 */
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Catalog } from '@godwit/catalog'
import type { GodwitError } from '@godwit/core'
import * as fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { failure, guest, link, machine, machineFacts, mapKey, vm } from './fixtures.ts'

/** More than one piece of bytes. */
const mapBytes = Uint8Array.from({ length: 1024 * 1024 + 3 }, (_, index) => index * 7)

/** One of everything. */
export async function fill(catalog: Catalog, map: Uint8Array): Promise<void> {
  const agent = catalog.agent('s')
  await catalog.entries.add('machine', machine('a'))
  await agent.keepMachine({ ...machineFacts('b'), load: 1 / 3 })
  await catalog.entries.add('link', link('a', 'b'))
  await catalog.entries.add('vm', vm('db'))
  await agent.claimGuest({ ...guest('web', 'two'), os: null, hypervisor: null })
  const learnt = { ...mapKey, fromRevision: 0, state: Uint8Array.of(1, 2) }
  await catalog.maps.learnt({ ...learnt, map: { version: 2, bytes: map } })
}

/** The file as a whole. */
export async function textOf(catalog: Catalog): Promise<string> {
  let text = ''
  for await (const line of catalog.export()) text += line
  return text
}

/** The way back, in pieces. */
export async function* chunksOf(text: string, size = 65_536): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const first = '{"godwit-catalog":1}'
const mapLine = (length: number): string =>
  JSON.stringify({
    map: { ...mapKey, version: 1, digest: 'ab'.repeat(32), bytesLength: length, updatedMs: 0 },
  })

const wrongFiles: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['nothing', [], /^Line 1 .* ends/],
  ['something else', ['PK'], /^Line 1 .* not JSON/],
  ['a list', ['[]'], /^Line 1 .* not one entry/],
  ['another JSON', ['{"machine":{}}'], /no exported catalog/],
  ['an unknown kind', [first, '{"__proto__":{}}'], /^Line 2 .* no such entry/],
  ['no end', [first], /^Line 2 .* ends before/],
  ['lines lacking', [first, '{"end":3}'], /lines are lacking/],
  ['lines behind', [first, '{"end":2}', '{"end":3}'], /behind the last/],
  ['a field too many', [first, '{"link":{"source":"a","x":1}}'], /^Line 2 is not usable/],
  ['deep nesting', [first, `{"vm":${'['.repeat(50_000)}${']'.repeat(50_000)}}`], /^Line 2 /],
  ['bytes of nothing', [first, '{"bytes":"AA=="}'], /no entry for these bytes/],
  ['an entry in the place of bytes', [first, mapLine(3), mapLine(3)], /bytes .* lacking/],
  ['the end in the place of bytes', [first, mapLine(3), '{"end":3}'], /bytes are lacking/],
  ['fewer bytes', [first, mapLine(3), '{"bytes":"AAA="}'], /not the next ones/],
  ['odd base64', [first, mapLine(3), '{"bytes":"A AAA"}'], /not the next ones/],
  ['other bytes', [first, mapLine(3), '{"bytes":"AAAA"}'], /not those of the digest/],
  ['more bytes than any map has', [first, mapLine(2 ** 40)], /bytesLength/],
  ['a line without an end', [first, 'x'.repeat(3_000_000)], /longer than any/],
]

export function transferSuite(freshUrl: () => string): void {
  describe('export and import', () => {
    it('bring all of it back exactly, maps included', async () => {
      const [from, to] = [await Catalog.open(freshUrl()), await Catalog.open(freshUrl())]
      await fill(from, mapBytes)
      const text = await textOf(from)
      const counts = await to.import(chunksOf(text, 1000))
      expect(counts).toEqual({ machine: 2, link: 1, vm: 2, map: 1, learning: 1 })
      expect(await textOf(to)).toBe(text)
      expect((await to.maps.find(mapKey))?.bytes).toEqual(mapBytes)
      expect(await to.entries.find('vm', 'db')).toEqual(await from.entries.find('vm', 'db'))
      // Twice is once.
      await to.import(chunksOf(text))
      expect(await textOf(to)).toBe(text)
      await from.close()
      await to.close()
    })

    it('take a file as a whole or not at all', async () => {
      const [from, to] = [await Catalog.open(freshUrl()), await Catalog.open(freshUrl())]
      await fill(from, Uint8Array.of(1, 2, 3))
      const text = await textOf(from)
      const cuts = [1, 100, text.length >> 1, text.length - 10, text.length - 1]
      for (const cut of cuts) {
        await failure('CATALOG_ENTRY', to.import(chunksOf(text.slice(0, cut))))
      }
      const empty = await Catalog.open(freshUrl())
      expect(await textOf(to)).toBe(await textOf(empty))
      for (const one of [from, to, empty]) await one.close()
    })

    it('refuse what is no export, and say which line', async () => {
      const catalog = await Catalog.open(freshUrl())
      const messages: string[] = []
      for (const [, lines] of wrongFiles) {
        const text = lines.map((line) => `${line}\n`).join('')
        const { message } = await failure('CATALOG_ENTRY', catalog.import(chunksOf(text)))
        messages.push(message)
      }
      const reasons = wrongFiles.map(([, , reason]) => expect.stringMatching(reason) as string)
      expect(messages).toEqual(reasons)
      expect(Math.max(...messages.map(({ length }) => length))).toBeLessThan(200)
      const newer = `{"godwit-catalog":${'['.repeat(50_000)}${']'.repeat(50_000)}}\n`
      await failure('CATALOG_VERSION', catalog.import(chunksOf(newer)))
      await catalog.close()
    })
  })
}

/** Input that takes its time. */
export function slowInputSuite(freshUrl: () => string): void {
  describe('an import that waits for its input', () => {
    it('keeps nobody else from writing, and leaves nothing behind', async () => {
      const [url, folder] = [freshUrl(), mkdtempSync(join(tmpdir(), 'godwit-spool-'))]
      vi.stubEnv('TMPDIR', folder)
      const [from, to] = [await Catalog.open(freshUrl()), await Catalog.open(url)]
      await fill(from, mapBytes)
      const text = await textOf(from)
      const [begun, rest] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const slow = async function* (): AsyncGenerator<Uint8Array> {
        yield* chunksOf(text.slice(0, 1000))
        begun.resolve()
        await rest.promise
        yield* chunksOf(text.slice(1000))
      }
      const importing = to.import(slow())
      await begun.promise
      const agent = await Catalog.open(url)
      expect(await agent.agent('x').keepMachine(machineFacts('x'))).toBe(true)
      expect(await to.entries.list('machine')).toMatchObject([{ name: 'x' }])
      expect(readdirSync(folder)).toEqual([])
      rest.resolve()
      expect(await importing).toEqual({ machine: 2, link: 1, vm: 2, map: 1, learning: 1 })
      expect((await to.maps.find(mapKey))?.bytes).toEqual(mapBytes)
      expect(await to.entries.list('machine')).toHaveLength(3)
      vi.unstubAllEnvs()
      rmdirSync(folder)
      for (const one of [from, to, agent]) await one.close()
    })
  })
}

/** Files that somebody made to do harm. */
export function hostileFileSuite(freshUrl: () => string): void {
  describe('a file to import', () => {
    it('that is broken is an error of ours, whatever is broken', async () => {
      const [from, to] = [await Catalog.open(freshUrl()), await Catalog.open(freshUrl())]
      await fill(from, Uint8Array.of(1, 2, 3))
      const bytes = Buffer.from(await textOf(from))
      const codes = new Set<string>()
      const property = fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.nat(255),
        async (at, value) => {
          const broken = Uint8Array.from(bytes)
          broken[at] = value
          const chunks = chunksOf(Buffer.from(broken).toString('latin1'))
          const code = await to.import(chunks).then(
            () => 'none',
            (error: unknown) => (error as GodwitError).code,
          )
          codes.add(code)
        },
      )
      await fc.assert(property, { numRuns: 30 })
      expect(['none', 'CATALOG_ENTRY', 'CATALOG_VERSION']).toEqual(
        expect.arrayContaining([...codes]),
      )
      await from.close()
      await to.close()
    })

    it('is not believed where it has heard of agents in the future', async () => {
      const catalog = await Catalog.open(freshUrl())
      const lease = { updatedMs: 5, heartbeatMs: 8e15, leaseMs: 1 }
      const entry = { machine: { ...machine('a'), agent: 'x', ...lease } }
      const text = `${first}\n${JSON.stringify(entry)}\n{"end":3}\n`
      await catalog.import(chunksOf(text))
      const found = await catalog.entries.find('machine', 'a')
      expect(found!.heartbeatMs).toBeLessThanOrEqual(await catalog.nowMs())
      expect(found!.updatedMs).toBe(5)
      await catalog.close()
    })
  })
}
