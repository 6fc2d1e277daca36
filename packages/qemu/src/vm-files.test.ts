import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ramFilesOf, removeFiles, writeFiles } from './vm-files.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-files-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A folder of sockets, as who started QEMU leaves it. */
function socketsIn(name: string): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const file of ['qmp', 'log']) writeFileSync(join(path, file), '')
  return path
}

describe('files of a VM', () => {
  it('go, and its folder where nothing else is in it', () => {
    const ram = join(folder, 'ram')
    const others = ['alone', 'shared'].map(socketsIn)
    writeFileSync(join(others[1]!, 'mine'), '')
    for (const path of others) {
      writeFileSync(ram, '')
      removeFiles({ qmp: join(path, 'qmp'), ram, keeps: false })
      expect(existsSync(ram)).toBe(false)
    }
    expect(others.map((path) => existsSync(path))).toEqual([false, true])
    expect(existsSync(join(others[1]!, 'mine'))).toBe(true)
    expect(existsSync(join(others[1]!, 'log'))).toBe(false)
  })

  it('go, as they are written down, where its memory is in several', () => {
    const sockets = socketsIn('sockets')
    const rams = ['m0', 'm1'].map((name) => join(folder, name))
    for (const ram of rams) writeFileSync(ram, '')
    writeFiles(sockets, rams)
    removeFiles({ qmp: join(sockets, 'qmp'), keeps: false })
    expect([sockets, ...rams].filter((path) => existsSync(path))).toEqual([])
  })

  it('are its memory, in a folder of somebody else only what is named', () => {
    const sockets = socketsIn('sockets')
    const qmp = join(sockets, 'qmp')
    writeFiles(sockets, ['m0', 'm1'])
    expect(ramFilesOf({ qmp, ram: 'm', keeps: false }, true)).toEqual(['m'])
    expect(ramFilesOf({ qmp, keeps: false }, true)).toEqual(['m0', 'm1'])
    expect(ramFilesOf({ qmp, keeps: false }, false)).toEqual([])
  })

  it('are not known where what is written down is none', () => {
    const sockets = socketsIn('sockets')
    writeFileSync(join(sockets, 'files'), '{"ram":')
    removeFiles({ qmp: join(sockets, 'qmp'), keeps: false })
    expect(existsSync(sockets)).toBe(false)
  })
})
