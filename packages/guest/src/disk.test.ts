import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { allocateControlBlock, registersOf, seedRegisters } from './control-block.ts'
import { createDisk } from './disk.ts'
import { makePool } from './writer.ts'

const cachePages = 3

function start(filePages: number, seed: number) {
  const bytes = new Uint8Array(8 * 4096)
  const map = new Uint8Array(8)
  const registers = registersOf(allocateControlBlock(1), 0)
  seedRegisters(registers, seed, 0)
  const options = { wss: cachePages * 4096, size: filePages * 4096, seed }
  const memory = { regions: [bytes], maps: [map], pageBytes: 4096 }
  return { bytes, map, registers, guest: createDisk({ kind: 'disk', options }, memory, registers) }
}

/** Page `page` of the file: the pool, by page, changed with every MiB. */
function contentOf(page: number, seed: number): Int32Array {
  const pool = makePool(seed).slice((page % 256) * 1024, (page % 256) * 1024 + 1024)
  return pool.map((word) => word ^ Math.imul(Math.floor(page / 256) + 1, 0x9e3779b1))
}

describe('disk', () => {
  it('has the last pages of the file that were read in the cache, and nothing else', () => {
    const { bytes, map, guest, registers } = start(5, 9)
    guest.step(3)
    guest.step(4)
    // Pages 0 1 2 3 4 0 1 of the file went to 0 1 2 0 1 2 0 of the cache.
    const words = new Int32Array(bytes.buffer)
    const cached = [5, 6, 7].map((page) => words.slice(page * 1024, page * 1024 + 1024))
    expect(cached).toEqual([1, 4, 0].map((page) => contentOf(page, 9)))
    expect(bytes.subarray(0, 5 * 4096).every((byte) => byte === 0)).toBe(true)
    expect([...map]).toEqual([0, 0, 0, 0, 0, 1, 1, 1])
    const sums = [0, 1, 2, 3, 4, 0, 1].map((page) =>
      contentOf(page, 9).reduce((sum, word) => (sum + word) | 0, 0),
    )
    expect(registers.lanes[0]).toBe(sums.reduce((sum, each) => (sum + each) | 0, 0))
  })

  it('goes beyond the first MiB of the file', () => {
    const { bytes, guest } = start(300, 2)
    guest.step(300)
    const words = new Int32Array(bytes.buffer)
    expect(words.slice(7 * 1024)).toEqual(contentOf(299, 2))
  })

  it('leaves no file behind, not even while it runs', () => {
    const { guest } = start(5, 1)
    guest.step(5)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('godwit-disk-'))).toEqual([])
  })
})
