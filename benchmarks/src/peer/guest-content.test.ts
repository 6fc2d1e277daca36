import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Vectors {
  pages: { seed: number; pages: string[]; sha256: string }[]
}

const source = fileURLToPath(new URL('../../guest/load.c', import.meta.url))
const vectorsUrl = new URL('../../../test/vectors/content.json', import.meta.url)
const vectors = JSON.parse(readFileSync(vectorsUrl, 'utf8')) as Vectors
const hasCompiler = spawnSync('gcc', ['--version']).status === 0

// Where there is no compiler, there is no peer to compare with either.
describe.skipIf(!hasCompiler)("the guest's program", () => {
  const folder = mkdtempSync(join(tmpdir(), 'godwit-load-'))
  const program = join(folder, 'load')

  beforeAll(() => {
    const options = ['-O2', '-Wall', '-Wextra', '-Werror']
    const { stderr } = spawnSync('gcc', [...options, '-o', program, source], { encoding: 'utf8' })
    if (stderr !== '') throw new Error(stderr)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each(vectors.pages)('seed $seed gives the golden pages $pages', ({ seed, pages, sha256 }) => {
    const { stdout } = spawnSync(program, [String(seed), ...pages])
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(sha256)
  })
})
