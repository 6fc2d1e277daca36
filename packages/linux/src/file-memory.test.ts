import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { MIB, PageBitmap, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileMemory, loadFileMemory } from './file-memory.ts'
import { loadSystemCalls, type SystemCalls } from './system-calls.ts'

const why = await loadSystemCalls().then(
  () => '',
  (error: Error) => error.message,
)

test('without koffi it is told what to install', async () => {
  const error = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  const load = () => loadSystemCalls({ importKoffi: () => Promise.reject(error) })
  const reason = await loadFileMemory(load).catch((thrown: unknown) => thrown)
  expect(reason).toMatchObject({ code: 'USAGE' })
  expect(String(reason)).toMatch(/koffi is not installed; that takes Linux and npm's koffi/)
})

test('on another system it is told, too', async () => {
  const reason = loadFileMemory(() => loadSystemCalls({ platform: 'darwin' }))
  await expect(reason).rejects.toThrow(/darwin is not Linux; that takes Linux/)
})

describe(`FileMemory${why && ` (${why})`}`, () => {
  let calls: SystemCalls
  let folder: string
  let path: string
  let file: number
  const open: FileMemory[] = []

  beforeEach(async ({ skip }) => {
    if (why !== '') skip(why)
    calls = await loadFileMemory()
    folder = mkdtempSync(join(tmpdir(), 'godwit-file-'))
    path = join(folder, 'ram')
    file = openSync(path, 'w+')
    ftruncateSync(file, 4 * MIB)
  })
  afterEach(() => {
    if (why !== '') return
    for (const memory of open.splice(0)) memory.close()
    closeSync(file)
    rmSync(folder, { recursive: true })
  })

  function map(byteLength = 4 * MIB, offset = 0): Region {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength })
    region.bytes[1] = 99
    open.push(new FileMemory(calls, region, file, offset, fstatSync(file).size))
    return region
  }

  function fromFile(at: number, byteCount: number): Buffer {
    const bytes = Buffer.alloc(byteCount)
    readSync(file, bytes, 0, byteCount, at)
    return bytes
  }

  test('its bytes are those of the file, both ways', () => {
    const { bytes } = map()
    expect(bytes[1]).toBe(0)
    bytes[5000] = 7
    bytes[4 * MIB - 1] = 8
    expect(fromFile(5000, 1)[0]).toBe(7)
    expect(fromFile(4 * MIB - 1, 1)[0]).toBe(8)
    writeSync(file, Buffer.from('hello'), 0, 5, 70_000)
    expect(Buffer.from(bytes.slice(70_000, 70_005)).toString()).toBe('hello')
  })

  test('a piece of the file begins where it is told to', () => {
    const { bytes } = map(MIB, 2 * MIB)
    bytes[0] = 1
    bytes[MIB - 1] = 2
    expect([...fromFile(2 * MIB - 1, 2)]).toEqual([0, 1])
    expect([...fromFile(3 * MIB - 1, 2)]).toEqual([2, 0])
  })

  test('another process stores to it', () => {
    const { bytes } = map()
    spawnSync('dd', [`of=${path}`, 'bs=1', 'seek=9000', 'conv=notrunc'], { input: 'other' })
    expect(Buffer.from(bytes.slice(9000, 9005)).toString()).toBe('other')
  })

  test('another thread has the same memory', async () => {
    const { bytes } = map()
    const code = `const { workerData } = require('node:worker_threads')
      const bytes = new Uint8Array(workerData)
      bytes[100] = bytes[99] + 1`
    writeSync(file, Buffer.of(41), 0, 1, 99)
    const worker = new Worker(code, { eval: true, workerData: bytes.buffer })
    await once(worker, 'exit')
    expect(fromFile(100, 1)[0]).toBe(42)
  })

  test('after its end the memory is fresh, and the file is left alone', () => {
    const { bytes } = map()
    bytes[5000] = 7
    const [memory] = open
    memory!.close()
    memory!.close()
    expect(bytes[5000]).toBe(0)
    bytes[5000] = 1
    ftruncateSync(file, 4096)
    bytes[3 * MIB] = 1
    expect(fstatSync(file).size).toBe(4096)
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true)
  })

  test('holes are told, and only those', () => {
    const region = map()
    const pageCount = MIB / 1024
    const holes = (pageBytes: number): number[] => {
      const into = new PageBitmap((4 * MIB) / pageBytes)
      open[0]!.addHoles(pageBytes, into)
      return [...Array(into.pageCount).keys()].filter((page) => !into.has(page))
    }
    expect(pageCount).toBe(1024)
    expect(holes(4096)).toEqual([])
    region.bytes[3 * 4096 + 5] = 1
    writeSync(file, Buffer.of(1), 0, 1, 1023 * 4096)
    // Zeros that were stored are no hole.
    region.bytes[700 * 4096] = 0
    expect(holes(4096)).toEqual([3, 700, 1023])
    expect(holes(65536)).toEqual([0, 43, 63])
  })

  test('room that was made sure of is still a hole', () => {
    map()
    expect(calls.tryAllocate(file, 0, 4 * MIB)).toBe(0)
    expect(fstatSync(file).blocks * 512).toBeGreaterThanOrEqual(4 * MIB)
    const into = new PageBitmap(1024)
    open[0]!.addHoles(4096, into)
    expect(into.size).toBe(1024)
  })

  test('a file that is too short is refused, and memory as it was', () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: 8 * MIB })
    region.bytes[1] = 99
    const map = (): FileMemory => new FileMemory(calls, region, file, 0, fstatSync(file).size)
    expect(map).toThrow(/ends at 4194304, region "ram" at 8388608/)
    expect(region.bytes[1]).toBe(99)
  })

  test('what the kernel does not map is a typed error, and memory can be used', () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: MIB })
    const map = (): FileMemory => new FileMemory(calls, region, -1, 0, MIB)
    expect(map).toThrow(/cannot be mapped as memory: mmap: bad file descriptor/)
    region.bytes[MIB - 1] = 1
    expect(region.bytes[MIB - 1]).toBe(1)
  })

  test('memory that may move is refused', () => {
    const region = { id: 0, name: 'ram', bytes: new Uint8Array(MIB) }
    expect(() => new FileMemory(calls, region, file, 0, 4 * MIB)).toThrow(/ArrayBuffer, which may/)
  })
})
