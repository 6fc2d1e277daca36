/**
 * Options that are nearly right: refused before anything begins, not when a guest has come.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { Catalog } from '@godwit/catalog'
import { ImageDirectory, parseKeepImage } from 'godwit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { note } from '../../packages/cli/src/output.ts'
import { findersOf } from '../../packages/cli/src/siblings.ts'
import { runHere } from '../catalog/run-here.ts'
import { endProcesses, freshPath } from './process.ts'

afterEach(endProcesses)

const listen = ['receive', '--listen', '127.0.0.1:0']
const nowhere = ['send', 'idle', '--to', '127.0.0.1:9', '--memory', '1MiB', '--warmup', '0ms']

describe('--keep-image', () => {
  it.each([
    ['DIR,mx=8GiB', /"mx".*DIR,max=8GiB/],
    ['DIR,max=1GiB,max=2GiB', /DIR,max=8GiB/],
    ['DIR,max=1GiB,ttl=3', /DIR,max=8GiB/],
    ['DIR,max=0', /1 MiB/],
    ['DIR,max=8', /1 MiB/],
    ['DIR,max=1023KiB', /1 MiB/],
    ['', /DIR,max=8GiB/],
  ])('is not %j', async (text, reason) => {
    const place = freshPath('images')
    for (const command of [listen, nowhere]) {
      const given = text.replace('DIR', place)
      const { code, stderr } = await runHere(...command, '--keep-image', given)
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^godwit: USAGE: /)])
      expect(stderr).toMatch(reason)
    }
    expect(existsSync(place)).toBe(false)
  })

  it('is a directory, whose name may have a comma', () => {
    expect(parseKeepImage('a,b')).toMatchObject({ path: 'a,b' })
    expect(parseKeepImage('a,b,max=1MiB')).toEqual({ path: 'a,b', bytesMax: 2 ** 20 })
    expect(parseKeepImage('a=b/c,max=8GiB')).toEqual({ path: 'a=b/c', bytesMax: 2 ** 33 })
  })

  it('says how many images had to go', async () => {
    const path = freshPath('images')
    const images = await ImageDirectory.open(path, 2 ** 30)
    const identity = { kind: 'memory', options: {} }
    for (const byte of [1, 2, 3]) {
      const regions = [{ id: 0, name: 'ram', bytes: new Uint8Array(2 ** 19).fill(byte) }]
      await images.store({ identity, regions, pageBytes: 4096 })
    }
    expect((await images.list()).images).toHaveLength(3)
    let notes = ''
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      notes += String(chunk)
      return true
    })
    const keepImage = { path, bytesMax: 2 ** 20 + 2 ** 18, isLimited: true }
    const finders = await findersOf({ keepImage }, () => [])
    spy.mockRestore()
    await finders.close()
    const left = (await images.list()).images.length
    expect(left).toBeLessThan(3)
    expect(notes).toMatch(
      new RegExp(`^${3 - left} of 3 stored images, .* max is 1\\.2[0-9]* MiB in all\\n$`),
    )
  })
})

describe('--images-out', () => {
  it('is a file', async () => {
    const folder = freshPath('folder')
    mkdirSync(folder)
    const answers = [
      await runHere(...listen, '--images-out', folder),
      await runHere(...listen, '--images-out', ''),
    ]
    expect(answers.map(({ code, stderr }) => `${code} ${stderr}`)).toEqual([
      expect.stringMatching(
        /^2 godwit: FILE_UNWRITABLE: .*folder cannot be written: .*director.*\n$/,
      ),
      expect.stringMatching(/^2 godwit: USAGE: --images-out .*\n$/),
    ])
  })
})

describe('a file of secrets', () => {
  it('may come through a pipe, as from a store of secrets', async () => {
    const pipe = freshPath('pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    for (const [bytes, text] of [
      [5, /^godwit: USAGE: .* 16 to 1024 bytes; this one has 5/],
      [10_000, /^godwit: USAGE: .* has \d+ bytes; what belongs there has at most/],
    ] as const) {
      const writer = spawn('sh', ['-c', `head -c ${bytes} /dev/zero > ${pipe}`])
      const { code, stderr } = await runHere(...nowhere, '--psk-file', pipe)
      expect([code, stderr]).toEqual([2, expect.stringMatching(text)])
      await once(writer, 'exit')
    }
  })

  it('is not a device: nobody waits for what never ends', async () => {
    for (const file of ['/dev/zero', '/dev/null']) {
      for (const option of ['--images', '--psk-file']) {
        const { code, stderr } = await runHere(...nowhere, option, file)
        const text =
          /^godwit: FILE_UNREADABLE: .* cannot be read: it is no regular file, and no pipe\n$/
        expect([code, stderr]).toEqual([2, expect.stringMatching(text)])
      }
    }
  })
})

describe('--sibling', () => {
  it('that is no file is said to be a guest that may come', async () => {
    const catalog = freshPath('fleet.db')
    await (await Catalog.open(catalog)).close()
    const settings = { catalog, static: 'auto', sibling: [{ guest: 'nofile.mem' }] } as const
    let notes = ''
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
      notes += String(chunk)
      return true
    })
    await (await findersOf(settings, () => [])).close()
    const quietly = { found: () => {}, lacking: note }
    await (await findersOf(settings, () => [], quietly)).close()
    spy.mockRestore()
    expect(notes).toBe('no file nofile.mem here: a guest of that name is waited for\n')
  })
})
