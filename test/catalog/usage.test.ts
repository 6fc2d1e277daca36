/**
 * `godwit catalog`: its help, and what is wrong with a command line.
 */
import { Catalog } from '@godwit/catalog'
import { afterEach, describe, expect, it } from 'vitest'
import { endProcesses, freshPath } from '../end-to-end/process.ts'
import { failure, link } from './fixtures.ts'
import { runHere } from './run-here.ts'

afterEach(endProcesses)

const kinds = ['vm', 'machine', 'link']
const names = ['ls', 'show', 'add', 'rm', 'learn', 'export', 'import', 'place', 'route']
const commands = [
  ...names,
  'simulate',
  ...kinds.map((kind) => `add ${kind}`),
  ...[...kinds, 'map'].map((kind) => `rm ${kind}`),
].map((name) => `catalog ${name}`)

describe('help', () => {
  it.each(['catalog', ...commands])('of %s has an example', async (name) => {
    const { code, stdout } = await runHere(...name.split(' '), '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/\nExamples?:\n +(?:godwit|export) /)
  })

  it('lists every exit code', async () => {
    const { stdout } = await runHere('--help')
    const [, codes] = /Exit codes: ([^]*)/.exec(stdout)!
    for (let code = 0; code <= 8; code++) expect(codes).toMatch(new RegExp(`(?:^|\\s)${code} `))
  })
})

describe('a command line that cannot be read', () => {
  it.each([
    [['catalog', 'add', 'vm', 'a'], /see godwit catalog add vm --help$/],
    [['catalog', 'rm', 'link', 'a'], /see godwit catalog rm link --help$/],
    [['catalog', 'lss'], /see godwit catalog --help$/],
    [['catalog', 'ls', '--vmss'], /see godwit catalog ls --help$/],
    [['sned'], /see godwit --help$/],
  ])('names the help of the command: %j', async (args, text) => {
    const { code, stderr } = await runHere(...args)
    expect([code, stderr.trimEnd()]).toEqual([2, expect.stringMatching(text)])
  })
})

describe('what no entry can be', () => {
  const machine = ['add', 'machine', 'a', '--memory', '4GiB']
  const guest = ['add', 'vm', 'a', '--machine', 'm', '--memory', '4GiB']

  it.each<[string, string[], RegExp]>([
    ['more free than there is', [...machine, '--free', '5GiB'], /USAGE: 5 GiB of 4 GiB/],
    ['no address', [...machine, '--address', 'rack1'], /ADDRESS_INVALID: "rack1"/],
    ['no port', [...machine, '--address', 'rack1:0'], /ADDRESS_INVALID: "rack1:0"/],
    ['no path', [...guest, '--memory-path', ''], /USAGE: A path/],
    ['to itself', ['add', 'link', 'a', 'a'], /USAGE: A link leads/],
    ['half a pair', ['place', '--memory', '1GiB', '--os', 'a/1'], /--os and --hypervisor are/],
    ['the other half', ['place', '--memory', '1GiB', '--hypervisor', 'a/1'], /are needed both/],
  ])('is refused: %s', async (_name, args, text) => {
    const file = freshPath('fleet.db')
    await (await Catalog.open(file)).close()
    const { code, stderr } = await runHere('catalog', ...args, '--catalog', file)
    expect([code, stderr]).toEqual([2, expect.stringMatching(text)])
    const catalog = await Catalog.open(file)
    for (const kind of ['vm', 'machine', 'link'] as const) {
      expect(await catalog.entries.list(kind)).toEqual([])
    }
    await catalog.close()
  })

  it('is added neither there nor back: a link of which one way is there', async () => {
    const file = freshPath('fleet.db')
    const catalog = await Catalog.open(file)
    await catalog.entries.add('link', link('b', 'a'))
    const both = ['add', 'link', 'a', 'b', '--both', '--catalog', file]
    expect((await runHere('catalog', ...both)).stderr).toMatch(/CATALOG_CONFLICT/)
    expect(await catalog.entries.list('link')).toMatchObject([{ source: 'b' }])
    expect((await runHere('catalog', ...both, '--replace')).code).toBe(0)
    expect(await catalog.entries.list('link')).toMatchObject([{ source: 'a' }, { source: 'b' }])
    const pair = [link('c', 'd'), { ...link('d', 'c'), cost: -1 }]
    await failure('CATALOG_ENTRY', catalog.entries.addAll('link', pair))
    expect(await catalog.entries.list('link')).toHaveLength(2)
    await catalog.close()
  })
})
