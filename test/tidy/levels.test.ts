import { posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { levelOf, neutral, objection, testkit, tests } from './levels.ts'
import type { Package } from './repository.ts'
import { isTest, listFiles, listPackages, readText, workspaceNames } from './repository.ts'
import { blankTexts, importsOf, packageOf } from './source-text.ts'

const packages = listPackages(listFiles())
/** What users run: neither tests nor the scripts that build or measure. */
const isProduct = (path: string): boolean => path.includes('/src/') && !isTest(path)

/** What the workspace's root gives to every test. */
const rootTools = new Set(['vitest', 'fast-check'])
const nodeNames = /(?<![\w$.#])(?:Buffer|process|require|__dirname|__filename)\b(?!\s*\??:)/g

/** Packages that the sources of `one` import, each with a file that does; not itself. */
function imported(one: Package, which: (path: string) => boolean): Map<string, string> {
  const found = new Map<string, string>()
  for (const path of one.sources.filter(which)) {
    for (const specifier of importsOf(readText(path)).flatMap((each) => resolved(one, each))) {
      const name = packageOf(specifier)
      if (name !== undefined && name !== one.manifest.name) found.set(name, path)
    }
  }
  return found
}

/** What an import is for the runtimes that there are, where the package has a map for it. */
function resolved({ manifest }: Package, specifier: string): readonly string[] {
  const targets = manifest.imports?.[specifier]
  return targets === undefined ? [specifier] : Object.values(targets)
}

describe('the level table', () => {
  it('has every package', () => {
    const names = packages.map(({ manifest }) => manifest.name)
    const known = (name: string) =>
      name === testkit || name === tests || levelOf(name) !== undefined
    expect(names.filter((name) => !known(name))).toEqual([])
  })

  it.each([
    ['@godwit/wire', '@godwit/memory', /level 1.*level 1/],
    ['@godwit/source', '@godwit/destination', /level 4.*level 4/],
    ['@godwit/core', '@godwit/wire', /level 0.*level 1/],
    ['@godwit/session', '@godwit/link', /must not know/],
    ['godwit', '@godwit/guest', /must not know/],
    ['@godwit/cli', '@godwit/testkit', /at run time/],
    ['@godwit/testkit', '@godwit/wire', /testkit imports/],
    ['@godwit/web', '@godwit/core', /has no level/],
  ])('keeps %s from importing %s', (name, other, reason) => {
    expect(objection(name, other)).toMatch(reason)
  })

  it('allows what it should', () => {
    expect(objection('@godwit/codec', '@godwit/wire')).toBeUndefined()
    expect(objection('@godwit/testkit', '@godwit/core')).toBeUndefined()
    expect(objection('@godwit/test', '@godwit/testkit')).toBeUndefined()
  })
})

describe.each(packages.map((one) => [one.manifest.name, one] as const))('%s', (name, one) => {
  const runtime = imported(one, isProduct)
  const everything = imported(one, () => true)

  it('depends on lower levels only', () => {
    const reasons = workspaceNames(one.dependencies).map((other) => objection(name, other))
    expect(reasons.filter((reason) => reason !== undefined)).toEqual([])
  })

  it('declares what it imports', () => {
    const declared = { ...one.devDependencies, ...one.dependencies }
    const undeclared = [...everything].filter(
      ([other]) => !(other in declared || rootTools.has(other)),
    )
    expect(undeclared).toEqual([])
  })

  it.skipIf(name === tests)('needs no tools of tests at run time', () => {
    expect([...runtime].filter(([other]) => !(other in one.dependencies))).toEqual([])
  })

  // The tests' own folder has all packages at hand, whichever its tests need today.
  it.skipIf(name === tests)('uses what it declares', () => {
    const idle = Object.keys(one.dependencies).filter((other) => !runtime.has(other))
    const idleInTests = Object.keys(one.devDependencies).filter(
      (other) => !everything.has(other.replace('@types/', '')),
    )
    expect([...idle, ...idleInTests]).toEqual([])
  })

  it.skipIf(name === tests)('has the references of its dependencies', () => {
    const config = JSON.parse(readText(`${one.folder}/tsconfig.json`)) as {
      references: { path: string }[]
    }
    const references = config.references.map(({ path }) => posix.join(one.folder, path))
    const folders = workspaceNames(one.dependencies).map(
      (other) => packages.find(({ manifest }) => manifest.name === other)!.folder,
    )
    expect(references.sort()).toEqual(folders.sort())
  })

  it.runIf(neutral.has(name))('knows nothing of Node', () => {
    const found = one.sources
      .filter(isProduct)
      .flatMap((path) => nodeIn(readText(path)).map((what) => `${path}: ${what}`))
    expect(found).toEqual([])
  })
})

/** Modules and globals of Node in a source. */
function nodeIn(source: string): readonly string[] {
  const modules = importsOf(source).filter((specifier) => specifier.startsWith('node:'))
  const globals = [...blankTexts(source).matchAll(nodeNames)].map(([name]) => name)
  return [...modules, ...globals]
}

it('a neutral package would be caught', () => {
  expect(nodeIn("import { hash } from 'node:crypto'\nBuffer.from(process.env.A)")).toEqual([
    'node:crypto',
    'Buffer',
    'process',
  ])
  expect(nodeIn('// Buffer\nview.buffer; this.#process(); { process: 1 }')).toEqual([])
})
