import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GodwitError, KIB, MIB, toHex } from '@godwit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KeptGuest } from './image-directory.ts'
import {
  IMAGE_BYTES_MAX,
  ImageDirectory,
  createImageKey,
  parseKeepImage,
} from './image-directory.ts'
import { hashSample } from './sample.ts'
import { isLost } from './stored-image.ts'

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'godwit-images-')), 'images')
})
afterEach(() => {
  rmSync(join(path, '..'), { recursive: true })
})

/** Two regions, the first with a short end; mostly zero. */
function guestOf(seed: number, contentPages = 3): KeptGuest {
  const first = new Uint8Array(new SharedArrayBuffer(2 * 4096 + 10)).fill(seed)
  const second = new Uint8Array(new SharedArrayBuffer(2 * MIB))
  for (let page = 1; page <= contentPages; page++)
    second.fill(seed + page, page * 4096, page * 4096 + 9)
  return {
    identity: { kind: 'writer', options: { seed, style: 'few' } },
    regions: [
      { id: 0, name: 'low', bytes: first },
      { id: 3, name: 'high', bytes: second },
    ],
    pageBytes: 4096,
  }
}

const nameOf = (id: Uint8Array): string => `${toHex(id)}.image`
const folderOf = (id: Uint8Array): string => join(path, nameOf(id))

describe('an image', () => {
  it('has everything that the guest had, at its page ids', async () => {
    const images = await ImageDirectory.open(path)
    const guest = guestOf(1)
    const { id, token } = await images.store(guest)
    const { facts, set, places } = await images.load(id)
    expect(facts).toMatchObject({ id, token, guest: guest.identity, pageBytes: 4096 })
    expect([id.length, token.length]).toEqual([16, 32])
    expect(facts.regions).toEqual([
      { id: 0, name: 'low', byteLength: 2 * 4096 + 10 },
      { id: 3, name: 'high', byteLength: 2 * MIB },
    ])
    expect([...set.positions]).toEqual([0, 1, 4, 5, 6])
    expect([...places.page]).toEqual([...set.positions])
    expect(new Set(places.origin)).toEqual(new Set([0]))
    const [file] = places.origins as [string]
    const memory = readFileSync(file)
    expect(memory.length).toBe((3 + 512) * 4096)
    for (const [i, first] of [0, 3].entries()) {
      const { bytes } = guest.regions[i]!
      const at = first * 4096
      expect(Buffer.compare(memory.subarray(at, at + bytes.length), bytes)).toBe(0)
    }
    const hashes = await hashSample({ file }, 4096)
    for (const [entry, page] of set.positions.entries()) {
      const own = set.hashes.subarray(entry * 32, (entry + 1) * 32)
      expect(own).toEqual(new Uint8Array(hashes.hashes.slice(page * 32, (page + 1) * 32)))
    }
  })

  it('goes with the oldest where a lower limit is set, and has the key that was said', async () => {
    const roomy = await ImageDirectory.open(path)
    const keys = [createImageKey(), createImageKey()]
    expect(await roomy.store(guestOf(1), keys[0])).toEqual(keys[0])
    const { diskBytes, storedMs } = (await roomy.find(keys[0]!.id))!
    while (Date.now() === storedMs) await new Promise(setImmediate)
    await roomy.store(guestOf(2), keys[1])
    const tight = await ImageDirectory.open(path, Math.ceil((diskBytes + 65_536) * 1.5))
    await tight.trim()
    const left = (await tight.list()).images.map(({ id }) => toHex(id))
    expect(left).toEqual([toHex(keys[1]!.id)])
  })

  it('is nobody else’s to read, and takes no room where it is zero', async () => {
    mkdirSync(path, { mode: 0o755 })
    const images = await ImageDirectory.open(path)
    const { id } = await images.store(guestOf(1))
    const modeOf = (name: string): number => statSync(join(folderOf(id), name)).mode & 0o777
    expect(['', 'memory', 'hashes', 'facts.json'].map(modeOf)).toEqual([0o700, 0o600, 0o600, 0o600])
    expect(statSync(join(folderOf(id), 'memory')).blocks * 512).toBeLessThan(64 * KIB)
    expect((await images.find(id))!.diskBytes).toBeLessThan(128 * KIB)
  })

  it('of memory that is not shared is the same', async () => {
    const images = await ImageDirectory.open(path)
    const guest = guestOf(4)
    const regions = guest.regions.map((one) => ({ ...one, bytes: one.bytes.slice() }))
    const [a, b] = [await images.store(guest), await images.store({ ...guest, regions })]
    const [first, second] = [await images.load(a.id), await images.load(b.id)]
    expect(second.set).toEqual(first.set)
    expect(toHex(a.token)).not.toBe(toHex(b.token))
  })

  it('goes when it is removed, as often as that is asked', async () => {
    const images = await ImageDirectory.open(path)
    const { id } = await images.store(guestOf(1))
    await images.remove(id)
    await images.remove(id)
    expect(readdirSync(path)).toEqual([])
    expect(await images.find(id)).toBeUndefined()
    await expect(images.load(id)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  })
})

describe('a directory of images', () => {
  it('has the newest first, and those of processes that ended', async () => {
    const images = await ImageDirectory.open(path)
    const ids: string[] = []
    for (const seed of [1, 2, 3]) {
      const { id } = await images.store(guestOf(seed))
      age(folderOf(id), (3 - seed) * 1000)
      ids.unshift(toHex(id))
    }
    const list = await (await ImageDirectory.open(path)).list()
    expect(list.images.map(({ id }) => toHex(id))).toEqual(ids)
    expect(list.damaged).toEqual([])
  })

  it('gives up the oldest for a new one, and takes none that is too large', async () => {
    const images = await ImageDirectory.open(path, 900 * KIB)
    const ids: Uint8Array[] = []
    for (const seed of [1, 2, 3]) {
      const { id } = await images.store(guestOf(seed, 80))
      age(folderOf(id), (3 - seed) * 1000)
      ids.push(id)
    }
    const kept = (await images.list()).images.map(({ id }) => toHex(id))
    expect(kept).toEqual([toHex(ids[2]!), toHex(ids[1]!)])
    const tooLarge = images.store(guestOf(4, 300))
    await expect(tooLarge).rejects.toMatchObject({ code: 'NO_ROOM', limit: 'imageBytesMax' })
    expect((await images.list()).images.length).toBe(2)
  })

  it('leaves out what is damaged, says why, and lets it go for room', async () => {
    const images = await ImageDirectory.open(path)
    const damages: ((folder: string) => void)[] = [
      (folder) => truncateSync(join(folder, 'memory'), 4096),
      (folder) => rmSync(join(folder, 'hashes')),
      (folder) => writeFileSync(join(folder, 'facts.json'), '{"format":'),
      (folder) => edit(folder, { regions: [{ id: 0, name: 'x', byteLength: 2 ** 50 }] }),
      (folder) => edit(folder, { token: 'short' }),
      (folder) => edit(folder, { pageBytes: 5000 }),
      (folder) => edit(folder, { contents: 2 ** 40 }),
      (folder) => edit(folder, { padding: 'x'.repeat(2 * MIB) }),
      (folder) => renameSync(folder, join(path, `${'0'.repeat(32)}.image`)),
    ]
    for (const [seed, damage] of damages.entries()) {
      damage(folderOf((await images.store(guestOf(seed))).id))
      const { images: whole, damaged } = await images.list()
      expect([whole.length, damaged.length]).toEqual([0, 1])
      expect(damaged[0]!.reason).not.toBe('')
    }
    const { id } = await images.store(guestOf(20))
    expect(readdirSync(path)).toEqual([nameOf(id)])
  })

  it('removes nothing that is not its own, whatever it is called', async () => {
    const images = await ImageDirectory.open(path)
    const name = '0123456789abcdef'.repeat(2)
    const others = [name, `${name}.tmp`, `${name}.image`, `${'f'.repeat(32)}.image.tmp`]
    for (const other of others) {
      mkdirSync(join(path, other))
      writeFileSync(join(path, other, 'system.journal'), 'of somebody else')
      writeFileSync(join(path, other, 'memory'), '')
      utimesSync(join(path, other, 'memory'), 0, 0)
    }
    mkdirSync(join(path, `${'d'.repeat(32)}.image`, 'memory'), { recursive: true })
    const { id } = await images.store(guestOf(1))
    writeFileSync(join(folderOf(id), 'notes'), 'of somebody else')
    await images.remove(id)
    await ImageDirectory.open(path)
    const left = readdirSync(path, { recursive: true, encoding: 'utf8' })
    for (const other of others) {
      expect(left).toContain(join(other, 'system.journal'))
      expect(left).toContain(join(other, 'memory'))
    }
    expect(left).toContain(join(`${'d'.repeat(32)}.image`, 'memory'))
    expect(left).toContain(join(`${nameOf(id)}.tmp`, 'notes'))
    expect(left).not.toContain(join(`${nameOf(id)}.tmp`, 'memory'))
  })

  it('leaves images of later releases', async () => {
    const images = await ImageDirectory.open(path)
    const { id } = await images.store(guestOf(1))
    edit(folderOf(id), { format: 'godwit.image/2' })
    await images.store(guestOf(2))
    const { damaged } = await images.list()
    expect(damaged).toEqual([
      { name: nameOf(id), reason: expect.stringContaining('godwit.image/2'), isLost: false },
    ])
    edit(folderOf(id), { format: 'something' })
    await images.trim()
    expect((await images.list()).damaged).toEqual([])
  })

  it.each([
    ['EMFILE', false],
    ['EIO', false],
    ['EACCES', false],
    ['ENOENT', true],
    [undefined, true],
  ])('takes an image that %s kept it from reading for lost: %s', (code, lost) => {
    expect(isLost(Object.assign(new Error('it was not read'), code && { code }))).toBe(lost)
  })

  it('does not give out an image whose hashes are damaged', async () => {
    const images = await ImageDirectory.open(path)
    const { id } = await images.store(guestOf(1))
    const file = join(folderOf(id), 'hashes')
    const bytes = readFileSync(file)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(file, bytes)
    await expect(images.load(id)).rejects.toThrow(/hashes are damaged/)
  })

  it('clears away what was never finished, and leaves alone what is being written', async () => {
    const [old, young] = ['a', 'b'].map((letter) => join(path, `${letter.repeat(32)}.image.tmp`))
    for (const folder of [old!, young!]) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'memory'), 'x')
    }
    writeFileSync(join(path, 'notes.txt'), 'of somebody else')
    utimesSync(join(old!, 'memory'), 0, 0)
    await ImageDirectory.open(path)
    expect(readdirSync(path).sort()).toEqual([`${'b'.repeat(32)}.image.tmp`, 'notes.txt'])
  })

  it('that cannot be is an error', async () => {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, 'a file')
    await expect(ImageDirectory.open(path)).rejects.toMatchObject({ code: 'FILE_UNWRITABLE' })
    chmodSync(path, 0o600)
  })
})

describe('--keep-image', () => {
  it.each([
    ['/var/images', '/var/images', IMAGE_BYTES_MAX],
    ['images,max=2GiB', 'images', 2048 * MIB],
    ['a,b,max=1MiB', 'a,b', MIB],
  ])('%s', (text, directory, bytesMax) => {
    expect(parseKeepImage(text)).toEqual({ path: directory, bytesMax })
  })

  it.each(['', ',max=1GiB', 'a,max=', 'a,max=lots'])('%s is none', (text) => {
    expect(() => parseKeepImage(text)).toThrow(GodwitError)
  })
})

/** As if it had been stored that long ago. */
function age(folder: string, ms: number): void {
  edit(folder, { storedMs: Date.now() - ms })
}

function edit(folder: string, facts: object): void {
  const file = join(folder, 'facts.json')
  const before = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...before, ...facts }))
}
