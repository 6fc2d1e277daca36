import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillIn, namedFiles, readConfig } from './qemu-config.ts'
import {
  formatPlace,
  parseQemu,
  parseQemuHost,
  placeOf,
  readPlace,
  streamPlaceOf,
} from './qemu-spec.ts'
import { ramShapes } from './ram-file.ts'

let folder: string
let ram: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'godwit-spec-'))
  ram = join(folder, 'ram')
  writeFileSync(ram, '')
  truncateSync(ram, 2 ** 20)
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('what is written of a VM', () => {
  it('is where it is, and its memory what its file has', () => {
    const { identity, memoryBytes } = parseQemu(`qemu,qmp=/run/a.qmp,ram=${ram}`)
    expect(memoryBytes).toBe(2 ** 20)
    expect(placeOf(identity)).toEqual({ qmp: '/run/a.qmp', ram, keeps: false })
    const kept = parseQemu(`qemu,after=keep,ram=${ram},qmp=b`)
    expect(placeOf(kept.identity).keeps).toBe(true)
  })

  it.each([
    ['qemu', /needs ram=/],
    ['qemu,ram=RAM', /needs qmp=.*like qemu,qmp=/],
    ['qemu,ram=RAM,qmp=', /Option qmp of qemu is empty/],
    ['qemu,ram=RAM,qmp=a,qmp=b', /given twice/],
    [
      'qemu,ram=RAM,qmp=a,port=1',
      /"port=1" is no option of qemu.*qmp, attach, ram, downtime, after/,
    ],
    ['qemu,ram=RAM,qmp=a,after=all', /quit or keep/],
    ['qemu,ram=RAM/none,qmp=a', /cannot be read \(ENOTDIR\); ram= is the mem-path/],
  ])('%s is refused', (text, reason) => {
    expect(() => parseQemu(text.replace('RAM', ram))).toThrow(reason)
  })

  it('is a socket and no more, where QEMU streams it', () => {
    const { identity, memoryBytes } = parseQemu('qemu,attach=stream,qmp=a,downtime=50ms')
    expect(memoryBytes).toBe(0)
    expect(streamPlaceOf(identity)).toEqual({ qmp: 'a', keeps: false, downtimeMs: 50 })
    const kept = parseQemu('qemu,qmp=a,attach=stream,after=keep').identity
    expect(streamPlaceOf(kept)).toEqual({ qmp: 'a', keeps: true })
    expect(streamPlaceOf(parseQemu(`qemu,qmp=a,ram=${ram}`).identity)).toBeUndefined()
  })

  it.each([
    ['qemu,attach=stream', /needs qmp=.*attach=stream/],
    ['qemu,attach=stream,qmp=a,ram=b', /needs no file/],
    ['qemu,attach=stream,qmp=a,after=all', /quit or keep/],
    ['qemu,attach=socket,qmp=a', /file or stream/],
    ['qemu,qmp=a,ram=b,downtime=1s', /for attach=stream/],
  ])('%s is refused', (text, reason) => {
    expect(() => parseQemu(text)).toThrow(reason)
  })

  it.each([
    ['qemu,qmp=/run/a.qmp,ram=/dev/shm/a'],
    ['qemu,qmp=/run/a.qmp,ram=/dev/shm/a,after=keep'],
    ['qemu,attach=stream,qmp=a'],
    ['qemu,attach=stream,qmp=a,downtime=50ms,after=keep'],
  ])('%s is written as it is read, though no such file is there', (text) => {
    expect(formatPlace(readPlace(text))).toBe(text)
  })

  it('has the memory that it has', () => {
    expect(() => parseQemu(`qemu,qmp=a,ram=${ram}`, 2 ** 20)).toThrow(/leave --memory out/)
  })

  it.each([
    ['qemu', /needs config=/],
    ['writer', /--guest is for qemu, not for "writer"/],
    ['qemu,config=a,qmp=b', /its options are config, ram/],
  ])('--guest %s is refused', (text, reason) => {
    expect(() => parseQemuHost(text)).toThrow(reason)
  })

  it('--guest says where files of RAM are made', () => {
    expect(parseQemuHost('qemu,config=a')).toEqual({ config: 'a', ramFolder: '/dev/shm' })
    expect(parseQemuHost('qemu,ram=/b,config=a')).toEqual({ config: 'a', ramFolder: '/b' })
  })
})

describe('a configuration', () => {
  const read = (text: string) => {
    const path = join(folder, 'config.json')
    writeFileSync(path, text)
    return readConfig(path)
  }
  const ours = '-qmp unix:/b,server=on,wait=off -incoming defer -S'
  const config = (...command: unknown[]) => read(JSON.stringify({ command }))

  it('is filled in', () => {
    const command = config('qemu', '-object', 'x,mem-path={ram},size={memory}', '-m', '{memory}B')
    const files = [{ name: undefined, path: '/a/$&', byteLength: 4096 }]
    const filled = fillIn(command, { files, memory: 4096, qmp: '/b' }).join(' ')
    expect(filled).toBe(`qemu -object x,mem-path=/a/$&,size=4096 -m 4096B ${ours}`)
  })

  it('has a place for each block of memory, by its name', () => {
    const command = config('qemu', '{ram:m0},{memory:m0}', '{ram:m-1.b},{ram:m0}', '{memory}')
    expect(namedFiles(command)).toEqual(['m0', 'm-1.b'])
    const files = [
      { name: 'm0', path: '/a', byteLength: 1 },
      { name: 'm-1.b', path: '/b', byteLength: 2 },
    ]
    const filled = fillIn(command, { files, memory: 3, qmp: '/b' }).join(' ')
    expect(filled).toBe(`qemu /a,1 /b,/a 3 ${ours}`)
  })

  it.each([
    ['{', /is not JSON/],
    ['null', /has no "command"/],
    ['{"command": []}', /has no "command"/],
    ['{"command": ["qemu", 7]}', /has no "command"/],
    ['{"command": ["qemu"]}', /has no \{ram\}/],
    ['{"command": ["qemu", "{ram}", "-incoming", "x"]}', /has -incoming, .*leave it out/],
    ['{"command": ["qemu", "{ram}"], "argv": []}', /has "argv"/],
    ['{"command": ["qemu", "{ram:a},{memory:b}"]}', /has \{memory:b\}, and no \{ram:b\}/],
    ['{"command": ["qemu", "{ram:a},x={ram:0x}"]}', /has "\{ram:0x\}", where a name/],
    ['{"command": ["qemu", "{memory:a}"]}', /has no \{ram\}/],
  ])('%s is refused', (text, reason) => {
    expect(() => read(text)).toThrow(reason)
  })
})

it.each([
  [4096, [4096]],
  [2 ** 32, [2 ** 32]],
  [2 ** 32 + 4096, [2 ** 32, 4096]],
  [3 * 2 ** 32, [2 ** 32, 2 ** 32, 2 ** 32]],
])('RAM of %i bytes is regions of 4 GiB at most', (byteLength, lengths) => {
  const shapes = ramShapes(byteLength)
  expect(shapes.map((shape) => shape.byteLength)).toEqual(lengths)
  expect(new Set(shapes.map(({ id }) => id)).size).toBe(lengths.length)
})
