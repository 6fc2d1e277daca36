import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIB } from '@godwit/core'
import type { PageHashes } from '@godwit/static'
import { Learning, PageKind, allocatePageHashes } from '@godwit/static'
import { afterAll, describe, expect, it } from 'vitest'
import { PageScanner } from './page-scanner.ts'
import { hashSample, learnSamples, piecesOf } from './sample.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-sample-'))
afterAll(() => rmSync(folder, { recursive: true }))

function shared(byteLength: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(byteLength))
}

/** Every page has its number in it; every fifth is zero. */
function numbered(bytes: Uint8Array, seed = 0): Uint8Array {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2)
  for (let page = 0; page * 1024 < words.length; page++) {
    if (page % 5 !== 4) words[page * 1024] = page * 1000 + seed + 1
  }
  return bytes
}

const hashOf = ({ hashes }: PageHashes, page: number): string =>
  Buffer.from(hashes.subarray(page * 32, (page + 1) * 32)).toString('hex')

describe('a sample', () => {
  const memory = numbered(shared(5 * MIB + 4096 + 10))
  /** More than the calling thread does by itself. */
  const large = numbered(shared(70 * MIB))
  const file = join(folder, 'memory')
  writeFileSync(file, memory)

  it('is the same by threads and without', async () => {
    const byThreads = await hashSample({ regions: [large] }, 4096)
    const alone = await hashSample({ regions: [large.slice()] }, 4096)
    expect(Buffer.compare(byThreads.kinds, alone.kinds)).toBe(0)
    expect(Buffer.compare(byThreads.hashes, alone.hashes)).toBe(0)
  })

  it('of memory and of a file with the same in it is the same', async () => {
    const ofFile = await hashSample({ file }, 4096)
    expect(ofFile).toEqual(await hashSample({ regions: [memory] }, 4096))
    expect(ofFile.kinds.length).toBe(1282)
    expect([...ofFile.kinds.subarray(0, 6)]).toEqual([0, 0, 0, 0, PageKind.zero, 0])
    expect(ofFile.kinds[1281]).toBe(PageKind.short)
    expect(new Set([0, 1, 2, 3, 5, 1280].map((page) => hashOf(ofFile, page))).size).toBe(6)
  })

  it('of several regions counts pages over all of them', async () => {
    const regions = [memory.subarray(0, MIB + 100), memory.subarray(0, 2 * MIB)]
    const sample = await hashSample({ regions }, 4096)
    expect(sample.kinds.length).toBe(257 + 512)
    expect(sample.kinds[256]).toBe(PageKind.short)
    expect(hashOf(sample, 257)).toBe(hashOf(sample, 0))
    expect(hashOf(sample, 257 + 511)).toBe(hashOf(await hashSample({ file }, 4096), 511))
  })

  it.each([
    ['that is not there', join(folder, 'missing'), /ENOENT/],
    ['that is a folder', folder, /no regular file/],
    ['that is a device', '/dev/zero', /no regular file/],
  ])('of a file %s is an error', async (_, path, reason) => {
    const sample = hashSample({ file: path }, 4096)
    await expect(sample).rejects.toMatchObject({ code: 'FILE_UNREADABLE', message: reason })
  })

  it('of an empty file has no pages', async () => {
    const empty = join(folder, 'empty')
    writeFileSync(empty, '')
    expect((await hashSample({ file: empty }, 4096)).kinds.length).toBe(0)
  })
})

describe('a scan', () => {
  it('of a file that becomes shorter says so, and the threads go on to the next', async () => {
    const path = join(folder, 'shrinking')
    writeFileSync(path, numbered(shared(70 * MIB)))
    const file = await open(path)
    const scanner = new PageScanner()
    const into = allocatePageHashes(70 * 256, 4096)
    const scan = (byteLength: number): Promise<void> => {
      const pieces = [{ from: file.fd, byteLength, firstPage: 0 }]
      return scanner.scan(pieces, 4096, { kind: 'hash', into })
    }
    truncateSync(path, 20 * MIB)
    await expect(scan(70 * MIB)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    await scan(20 * MIB)
    expect(into.kinds[20 * 256 - 2]).toBe(PageKind.content)
    scanner.end()
    await file.close()
  })

  it('that nobody waits for any more is not begun', async () => {
    const scanner = new PageScanner(AbortSignal.abort())
    const { pieces } = piecesOf([shared(MIB)], 4096)
    const count = new Int32Array(new SharedArrayBuffer(4))
    const scan = scanner.scan(pieces, 4096, { kind: 'count', count })
    await expect(scan).rejects.toMatchObject({ code: 'CANCELLED' })
    scanner.end()
  })

  it('ends soon when it is not wanted, and some of it is left', async () => {
    const stop = new AbortController()
    const scanner = new PageScanner(stop.signal)
    // Private, so the calling thread does it and can say after which piece it ends.
    const { pieces } = piecesOf([numbered(shared(8 * MIB)).slice()], 4096)
    const into = allocatePageHashes(2048, 4096)
    const scan = scanner.scan(pieces, 4096, { kind: 'hash', into })
    stop.abort()
    await expect(scan).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(into.kinds[2047]).toBe(PageKind.short)
    scanner.end()
  })
})

describe('learning', () => {
  it('from files and running guests, one after the other', async () => {
    const other = numbered(shared(3 * MIB))
    other.fill(7, 0, 4096)
    const file = join(folder, 'other')
    writeFileSync(file, other)
    const learning = Learning.begin({ os: 'a/1', hypervisor: 'b/1', pageBytes: 4096 })
    const learned = await learnSamples(learning, [
      { regions: [numbered(shared(2 * MIB))] },
      { file },
    ])
    expect(learned.map(({ pageCount }) => pageCount)).toEqual([512, 768])
    expect(learned[1]!.positions).toBe(512 - 102 - 1)
    expect(learning.map()!.positions[0]).toBe(1)
  })
})
