import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory } from './directory-lock.ts'
import { ownIdentity } from './process-identity.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'godwit-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const script = `
  const { lockDirectory } = await import('${new URL('directory-lock.ts', import.meta.url).href}')
  process.stdin.once('data', () => {
    try {
      lockDirectory(process.argv[1])
      process.stdout.write('mine')
      setInterval(() => {}, 1e6)
    } catch ({ code }) {
      process.stdout.write(code)
      process.exit()
    }
  })
  process.stdout.write('ready')
`

interface Rival {
  /** Resolves with what it says next. */
  next(): Promise<string>
  go(): void
  kill(): Promise<void>
}

function startRival(): Rival {
  const args = ['--input-type=module', '-e', script, directory]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdout.setEncoding('utf8')
  return {
    next: async () => String((await once(child.stdout, 'data'))[0]),
    go: () => void child.stdin.write('go'),
    async kill() {
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

describe('a directory that is locked', () => {
  it('is refused to another, until its process is killed', async () => {
    const rival = startRival()
    await rival.next()
    const answer = rival.next()
    rival.go()
    expect(await answer).toBe('mine')
    expect(() => lockDirectory(directory)).toThrow(
      expect.objectContaining({
        code: 'ADDRESS_IN_USE',
        message: expect.stringMatching(directory),
      }),
    )
    await rival.kill()
    lockDirectory(directory)
    const [name = '', ...others] = readdirSync(directory)
    expect([name, others]).toEqual(['lock.2', []])
    expect(readFileSync(join(directory, name), 'utf8')).toBe(ownIdentity())
  })

  it('has one of many who come at once', async () => {
    writeFileSync(join(directory, 'lock.9'), 'an earlier boot/1/2')
    const rivals = Array.from({ length: 6 }, startRival)
    await Promise.all(rivals.map((rival) => rival.next()))
    const answers = rivals.map((rival) => rival.next())
    for (const rival of rivals) rival.go()
    const said = await Promise.all(answers)
    expect(said.toSorted()).toEqual([...Array<string>(5).fill('ADDRESS_IN_USE'), 'mine'])
    await Promise.all(rivals.map((rival) => rival.kill()))
  })

  it('by a process that is no more is free', () => {
    writeFileSync(join(directory, 'lock.41'), 'an earlier boot/1/2')
    writeFileSync(join(directory, 'lock.7'), ownIdentity())
    lockDirectory(directory)
    expect(readdirSync(directory)).toEqual(['lock.42'])
  })

  it('must be there', () => {
    expect(() => lockDirectory(join(directory, 'none'))).toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
    )
  })
})
