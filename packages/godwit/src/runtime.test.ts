import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { nodePrimitives } from './runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-runtime-'))
afterAll(() => rmSync(folder, { recursive: true }))

const { sha256, openFile } = await nodePrimitives()

it.each([0, 1, 64, 4096, 65_536])('SHA-256 of %i bytes is that of the standard', (byteCount) => {
  const bytes = Uint8Array.from(randomBytes(byteCount))
  const made = sha256(bytes)
  expect(Buffer.from(made)).toEqual(createHash('sha256').update(bytes).digest())
  // In memory of its own, which is all that there is.
  expect([made.byteLength, made.buffer.byteLength]).toEqual([32, 32])
})

it('a file is read where it is asked to, as far as it goes at that time', () => {
  const path = join(folder, 'memory')
  writeFileSync(path, 'abcdefgh')
  const file = openFile!(path)
  const into = new Uint8Array(6)
  expect(file.read(into, 1, 4, 2)).toBe(4)
  expect(Buffer.from(into).toString('latin1')).toBe('\0cdef\0')
  expect(file.read(into, 0, 6, 5)).toBe(3)
  truncateSync(path, 4)
  expect(file.read(into, 0, 6, 5)).toBe(0)
  unlinkSync(path)
  expect(file.read(into, 0, 6, 3)).toBe(1)
  file.close()
  expect(() => openFile!(path)).toThrow('ENOENT')
})

it('what is no regular file is not waited for', () => {
  const path = join(folder, 'pipe')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  expect(() => openFile!(path)).toThrow('no regular file')
  expect(() => openFile!(folder)).toThrow('no regular file')
})
