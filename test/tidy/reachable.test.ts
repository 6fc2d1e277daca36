import { posix } from 'node:path'
import { expect, it } from 'vitest'
import type { Package } from './repository.ts'
import { isTest, listFiles, listPackages, readText } from './repository.ts'
import { filesNamedIn } from './source-text.ts'

const packages = listPackages(listFiles()).filter(({ folder }) => folder !== 'test')

/** Files from which everything else of a package must be reached. */
function rootsOf({ folder, manifest, sources }: Package): readonly string[] {
  const entries = [...Object.values(manifest.exports ?? {}), ...Object.values(manifest.bin ?? {})]
  // Scripts are run by hand or by a test; the kernels' compiler starts at their index.
  const started = sources.filter((path) => /\/(scripts\/\w+|assembly\/index)\.ts$/.test(path))
  const exported = entries.map((path) => posix.join(folder, path))
  return [...exported, ...started, ...sources.filter(isTest)]
}

/** Files that no root imports, directly or by way of others. */
function deadFiles(
  files: readonly string[],
  roots: readonly string[],
  read: (path: string) => string,
): readonly string[] {
  const known = new Set(files)
  const reached = new Set<string>()
  const queue = [...roots]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path) || !known.has(path)) continue
    reached.add(path)
    for (const name of filesNamedIn(read(path))) {
      queue.push(posix.join(posix.dirname(path), name.replace(/\.js$/, '.ts')))
    }
  }
  return files.filter((path) => !reached.has(path))
}

it.each(packages.map((one) => [one.folder, one] as const))('%s has no dead files', (_, one) => {
  expect(deadFiles(one.sources, rootsOf(one), readText)).toEqual([])
})

it('a dead file would be noticed', () => {
  const texts: Record<string, string> = {
    'p/src/index.ts': "export * from './a.ts'",
    'p/src/a.ts': "new Worker(new URL('./worker.js', import.meta.url))",
    'p/src/worker.ts': '',
    'p/src/old.ts': "import './a.ts' // and from './index.ts'",
  }
  const files = Object.keys(texts)
  expect(deadFiles(files, ['p/src/index.ts'], (path) => texts[path]!)).toEqual(['p/src/old.ts'])
})
