import { expect, it } from 'vitest'
import { listFiles, walk } from './repository.ts'

const expected = new Set([
  '.ci',
  '.gitignore',
  '.oxlintrc.json',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'benchmarks',
  'biome.json',
  'docs',
  'package.json',
  'packages',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'test',
  'tsconfig.json',
  'vitest.config.ts',
])

it('the top of the repository holds only what belongs there', () => {
  const entries = new Set(listFiles().map((path) => path.split('/')[0]!))
  expect([...entries].filter((entry) => !expected.has(entry))).toEqual([])
})

it('the files are found in a copy that git does not know, too', () => {
  const found = new Set(walk(''))
  expect(listFiles().filter((path) => !found.has(path))).toEqual([])
})
