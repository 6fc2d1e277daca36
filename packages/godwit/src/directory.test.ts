import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeDirectory } from './directory.ts'

const root = mkdtempSync(join(tmpdir(), 'godwit-directory-'))
afterAll(() => rmSync(root, { recursive: true }))

/** What a line does in a process that may hang: its last words, or that it was ended. */
function tryElsewhere(url: string, line: string): string {
  const script = `
    const module = await import(${JSON.stringify(new URL(url, import.meta.url).href)})
    try { ${line} } catch (thrown) { console.log(thrown.code) }
  `
  const limits = { timeout: 10_000, killSignal: 'SIGKILL' } as const
  const args = ['--input-type=module', '-e', script]
  const { stdout, signal } = spawnSync(process.execPath, args, limits)
  return signal ?? stdout.toString().trim()
}

describe('a directory', () => {
  it('is made with those above it, for its owner, and may be there', () => {
    const path = join(root, 'a', 'b', 'c')
    for (let i = 0; i < 2; i++) makeDirectory(path)
    for (const made of [path, join(root, 'a')]) {
      expect(statSync(made).mode & 0o777).toBe(0o700)
    }
  })

  it('may be a link to one', () => {
    symlinkSync(root, join(root, 'link'))
    makeDirectory(join(root, 'link'))
    makeDirectory(join(root, 'link', 'below'))
    expect(statSync(join(root, 'below')).isDirectory()).toBe(true)
  })

  it('is none where something else is', () => {
    writeFileSync(join(root, 'file'), '')
    symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
    expect(() => makeDirectory(join(root, 'file'))).toThrow('EEXIST')
    expect(() => makeDirectory(join(root, 'file', 'below'))).toThrow('ENOTDIR')
    expect(() => makeDirectory(join(root, 'dangling', 'below'))).toThrow('EEXIST')
    expect(() => makeDirectory('')).toThrow('ENOENT')
  })

  const isProcThere = statSync('/proc/self', { throwIfNoEntry: false }) !== undefined
  const cases: [string, string, string][] = [
    ['of images', './image-directory.ts', 'await module.ImageDirectory.open(PATH)'],
    ['of owners', './owner-directory.ts', 'new module.OwnerDirectory(PATH)'],
  ]
  it.runIf(isProcThere).each(cases)('%s that nobody can make is an error', (_, url, line) => {
    for (const path of ['/proc/x', '/proc/x/y/z']) {
      const said = tryElsewhere(url, line.replace('PATH', JSON.stringify(path)))
      expect(said).toBe('FILE_UNWRITABLE')
    }
  })
})
