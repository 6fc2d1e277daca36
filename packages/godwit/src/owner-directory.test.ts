import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { OWNER_RECORDS_MAX, OwnerDirectory } from './owner-directory.ts'
import { OwnerFile, readOwnerFile } from './owner-file.ts'

const root = mkdtempSync(join(tmpdir(), 'godwit-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
const freshPath = (): string => join(root, `${count++}`)
const session = '00112233445566778899aabbccddeeff'
const facts = { session, guest: 'idle', memoryBytes: 4096, peer: '127.0.0.1:9' } as const

/** Another process writes these, in order, and is gone without a word. */
function writeElsewhere(path: string, role: string, states: readonly string[]): void {
  const url = new URL('./owner-directory.ts', import.meta.url).href
  const script = `
    const { OwnerDirectory } = await import(${JSON.stringify(url)})
    const facts = { ...${JSON.stringify(facts)}, role: ${JSON.stringify(role)} }
    const log = await new OwnerDirectory(${JSON.stringify(path)}).open(facts)
    for (const state of ${JSON.stringify(states)}) {
      await log.write({ state, epoch: 1, postCopy: false })
    }
    process.kill(process.pid, 'SIGKILL')
  `
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  expect([signal, stderr.toString()]).toEqual(['SIGKILL', ''])
}

describe('an owner directory', () => {
  it('finds what this process has written', async () => {
    const owners = new OwnerDirectory(freshPath())
    expect(owners.find(session, 'source')).toBeUndefined()
    const log = await owners.open({ ...facts, role: 'source' })
    await log.write({ state: 'owner', epoch: 0, postCopy: false })
    expect(owners.find(session, 'source')).toMatchObject({ ...facts, state: 'owner', epoch: 0 })
    await log.write({ state: 'released', epoch: 1, postCopy: true })
    expect(owners.find(session, 'source')).toMatchObject({ state: 'released', postCopy: true })
    expect(owners.find(session, 'destination')).toBeUndefined()
    expect(owners.left('source')).toEqual([])
    await log.close(false)
    expect(owners.find(session, 'source')).toMatchObject({ state: 'released' })
  })

  it('keeps nothing of what nobody will ask for', async () => {
    const owners = new OwnerDirectory(freshPath())
    const log = await owners.open({ ...facts, role: 'destination' })
    await log.write({ state: 'reserved', epoch: 0, postCopy: false })
    await log.close(true)
    expect(readdirSync(owners.path)).toEqual([])
  })

  it.each([
    ['destination', ['reserved', 'prepared'], 'prepared'],
    ['destination', ['reserved', 'prepared', 'owner'], 'lost'],
    ['destination', ['reserved', 'prepared', 'refused'], 'refused'],
    ['source', ['owner', 'released'], 'released'],
    ['source', ['owner'], 'owner'],
  ] as const)('knows what a %s left that was killed after %j', (role, states, state) => {
    const path = freshPath()
    writeElsewhere(path, role, states)
    const owners = new OwnerDirectory(path)
    expect(owners.left(role)).toMatchObject([{ ...facts, role, state }])
    expect(owners.find(session, role)).toMatchObject({ state })
  })

  it('refuses for good what a killed process held', async () => {
    const path = freshPath()
    writeElsewhere(path, 'destination', ['reserved', 'prepared'])
    await new OwnerDirectory(path).refuse(session)
    expect(new OwnerDirectory(path).find(session, 'destination')).toMatchObject({
      ...facts,
      state: 'refused',
    })
  })

  it.each([
    [['reserved', 'prepared', 'owner'], 'lost', 'owner'],
    [['reserved', 'prepared'], 'prepared', 'prepared'],
    [['reserved', 'prepared', 'owner', 'ended'], 'ended', 'ended'],
  ] as const)('takes over what outlived a killed process after %j', async (states, was, is) => {
    const path = freshPath()
    writeElsewhere(path, 'destination', states)
    const owners = new OwnerDirectory(path)
    expect(owners.find(session, 'destination')).toMatchObject({ state: was })
    await owners.adopt(session)
    await owners.adopt('ff'.repeat(16))
    const record = { ...facts, state: is, epoch: 1 }
    expect(new OwnerDirectory(path).find(session, 'destination')).toMatchObject(record)
    expect(owners.left('destination')).toHaveLength(is === 'owner' ? 0 : 1)
  })

  it.runIf(process.platform === 'linux')(
    'does not refuse what another living process has',
    async () => {
      const owners = new OwnerDirectory(freshPath())
      const log = await owners.open({ ...facts, role: 'destination' })
      await log.write({ state: 'prepared', epoch: 1, postCopy: false })
      const path = join(owners.path, `${session}.destination`)
      // Process 1 is always there.
      const stat = readFileSync('/proc/1/stat', 'utf8')
      const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      const record = JSON.parse(readOwnerFile(readFileSync(path))!) as { holder: string }
      const file = await OwnerFile.open(path)
      await file.write(JSON.stringify({ ...record, holder: `${boot}/1/${start}` }))
      await file.close()
      await expect(owners.refuse(session)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
      expect(owners.find(session, 'destination')).toMatchObject({ state: 'prepared' })
    },
  )

  it('makes room for one more by the oldest that tells how it ended', async () => {
    const owners = new OwnerDirectory(freshPath())
    const name = (n: number): string => n.toString(16).padStart(32, '0')
    const first = await owners.open({ ...facts, session: name(0), role: 'destination' })
    await first.write({ state: 'owner', epoch: 1, postCopy: false })
    const bytes = readFileSync(join(owners.path, `${name(0)}.destination`))
    for (let n = 1; n < OWNER_RECORDS_MAX; n++) {
      writeFileSync(join(owners.path, `${name(n)}.destination`), bytes)
    }
    const one = { ...facts, session: name(OWNER_RECORDS_MAX), role: 'destination' } as const
    await expect(owners.open(one)).rejects.toThrow(/all may be wanted/)
    await first.write({ state: 'ended', epoch: 1, postCopy: false })
    await owners.open(one)
    expect(owners.find(name(0), 'destination')).toBeUndefined()
    expect(owners.find(name(1), 'destination')).toMatchObject({ state: 'owner' })
  })

  it('tells of what is damaged, and answers nothing by it', () => {
    const owners = new OwnerDirectory(freshPath())
    const name = `${session}.destination`
    writeFileSync(join(owners.path, name), 'not a record')
    expect(owners.damaged).toEqual([name])
    expect(owners.find(session, 'destination')).toBeUndefined()
    return expect(owners.refuse(session)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
  })

  it('leaves what is not its own, and clears what was never finished', () => {
    const path = freshPath()
    const owners = new OwnerDirectory(path)
    writeFileSync(join(owners.path, 'notes.txt'), '')
    const torn = join(owners.path, `${session}.source.tmp`)
    writeFileSync(torn, '')
    utimesSync(torn, 1, 1)
    expect(readdirSync(new OwnerDirectory(path).path)).toEqual(['notes.txt'])
  })

  it('that cannot be is told at once', () => {
    const file = freshPath()
    writeFileSync(file, '')
    expect(() => new OwnerDirectory(file)).toThrow(
      expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
    )
  })
})
