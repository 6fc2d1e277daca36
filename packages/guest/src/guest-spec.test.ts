import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GIB, GodwitError, MIB } from '@godwit/core'
import { afterAll, describe, expect, it } from 'vitest'
import { GUEST_KINDS } from './guest-option.ts'
import { completeGuest, parseGuest } from './guest-spec.ts'

const folder = mkdtempSync(join(tmpdir(), 'godwit-guest-'))
const file = join(folder, 'image')
writeFileSync(file, new Uint8Array(10_000))
afterAll(() => rmSync(folder, { recursive: true }))

function failure(action: () => unknown): GodwitError {
  try {
    action()
  } catch (error) {
    if (error instanceof GodwitError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseGuest', () => {
  it('fills in every option of a writer', () => {
    const { identity, memoryBytes } = parseGuest('writer', undefined)
    expect(memoryBytes).toBe(GIB)
    expect(identity).toEqual({
      kind: 'writer',
      options: {
        content: '40/30/20/10',
        order: 'seq',
        rate: 25000,
        seed: 1,
        style: 'few',
        threads: 1,
        wss: 100 * MIB,
      },
    })
  })

  it('makes values canonical', () => {
    const text = 'writer,wss=1000000,rate=010,style=page,order=rand,threads=3,content=00/100/0/0'
    const { identity, memoryBytes } = parseGuest(text, 5_000_001)
    expect(memoryBytes).toBe(5_000_001)
    expect(identity.options).toMatchObject({
      wss: 999_424,
      rate: 10,
      style: 'page',
      order: 'rand',
      threads: 3,
      content: '0/100/0/0',
    })
  })

  it('halves memory for the default working sets', () => {
    expect(parseGuest('memory-write', 6 * MIB).identity.options['wss']).toBe(3 * MIB)
    expect(parseGuest('writer', 6 * MIB).identity.options['wss']).toBe(3 * MIB)
    expect(parseGuest('memory-write', 4097).identity.options['wss']).toBe(4096)
  })

  it('takes memory from the file of an image', () => {
    expect(parseGuest(`image,file=${file}`, undefined).memoryBytes).toBe(3 * 4096)
    expect(parseGuest(`writer,file=${file}`, undefined).memoryBytes).toBe(GIB)
    expect(parseGuest(`image,file=${file}`, 20_000).memoryBytes).toBe(20_000)
  })

  it.each([
    [
      'mystery',
      'GUEST_UNKNOWN',
      'idle, cpu, memory-read, memory-write, writer, kcs, ikcs, disk, network, cache, image',
    ],
    ['', 'GUEST_UNKNOWN', 'idle'],
    ['writer,size=3', 'GUEST_OPTION', 'wss, rate, style, order, threads, file, content, seed'],
    ['idle,rate=3', 'GUEST_OPTION', 'content, seed'],
    ['writer,rate', 'GUEST_OPTION', 'NAME=VALUE'],
    ['writer,', 'GUEST_OPTION', 'NAME=VALUE'],
    ['writer,rate=1,rate=1', 'GUEST_OPTION', 'twice'],
    ['writer,rate=-1', 'GUEST_OPTION', 'whole number'],
    ['writer,rate=1e3', 'GUEST_OPTION', 'whole number'],
    ['writer,wss=many', 'GUEST_OPTION', 'size'],
    ['writer,wss=0', 'GUEST_OPTION', 'one page'],
    ['writer,wss=8KiB,threads=3', 'GUEST_OPTION', '3 threads'],
    ['writer,wss=2GiB', 'GUEST_OPTION', 'do not fit'],
    ['memory-write,wss=2GiB', 'GUEST_OPTION', 'do not fit'],
    ['writer,style=some', 'GUEST_OPTION', 'few or page'],
    ['writer,order=up', 'GUEST_OPTION', 'seq or rand or clusters'],
    ['disk,size=2GiB', 'GUEST_OPTION', '4KiB to 1GiB'],
    ['disk,size=5000', 'GUEST_OPTION', 'whole pages'],
    ['network,rate=7kbit', 'GUEST_OPTION', 'not 8kbit to 10Gbit'],
    ['network,rate=11Gbit', 'GUEST_OPTION', 'not 8kbit to 10Gbit'],
    ['network,wss=8KiB', 'GUEST_OPTION', '3 pages'],
    ['network,peer=10.0.0.1:7010', 'GUEST_OPTION', 'of loopback'],
    ['network,peer=localhost:7010', 'GUEST_OPTION', 'of loopback'],
    ['network,peer=127.0.0.1', 'GUEST_OPTION', 'with a port'],
    ['network,peer=127.0.0.1:0', 'GUEST_OPTION', 'with a port'],
    ['network,peer=127.0.0.1:65536', 'GUEST_OPTION', 'with a port'],
    ['network,peer=127.0.0.1:1:2', 'GUEST_OPTION', 'with a port'],
    ['kcs,drift=101', 'GUEST_OPTION', 'from 0 to 100'],
    ['kcs,busy=2s', 'GUEST_OPTION', 'no option "busy"'],
    ['ikcs,busy=0ms', 'GUEST_OPTION', 'between 1ms and 1h'],
    ['ikcs,pause=2h', 'GUEST_OPTION', 'between 1ms and 1h'],
    ['writer,threads=0', 'GUEST_OPTION', 'from 1 to 64'],
    ['writer,threads=65', 'GUEST_OPTION', 'from 1 to 64'],
    ['cpu,load=101', 'GUEST_OPTION', 'from 0 to 100'],
    ['idle,content=1/2/3/4', 'GUEST_OPTION', 'add up to 100'],
    ['idle,seed=9007199254740992', 'GUEST_OPTION', 'whole number'],
    ['image', 'GUEST_OPTION', 'file=FILE'],
    ['image,file=', 'GUEST_OPTION', 'missing'],
    [`image,file=${folder}/none`, 'FILE_UNREADABLE', 'none'],
    [`image,file=${folder}`, 'FILE_UNREADABLE', 'no file'],
  ])('refuses "%s" as %s', (text, code, part) => {
    const error = failure(() => parseGuest(text, undefined))
    expect(error.code).toBe(code)
    expect(error.message).toContain(part)
  })

  it('says when a file is bigger than the memory', () => {
    const error = failure(() => parseGuest(`image,file=${file}`, 8192))
    expect(error.code).toBe('GUEST_OPTION')
    expect(error.message).toContain('only 8 KiB')
  })

  it.each([0, 4095, 1.5, 2 ** 47])('refuses %s bytes of memory', (bytes) => {
    expect(failure(() => parseGuest('idle', bytes)).code).toBe('USAGE')
  })
})

describe('completeGuest', () => {
  it('changes nothing in what it completed', () => {
    for (const { kind } of GUEST_KINDS) {
      const options = kind === 'image' ? { file } : {}
      const once = completeGuest({ kind, options }, [MIB, 777_777])
      expect(completeGuest(once, [MIB, 777_777])).toEqual(once)
    }
  })

  it.each<Record<string, string | number>>([
    { wss: '1MiB' },
    { wss: Number.NaN },
    { wss: 1.5 },
    { wss: 2 * MIB },
    { rate: '25000' },
    { rate: Infinity },
    { seed: -1 },
    { style: 1 },
    { content: '040/30/20/10' },
    { constructor: 1 },
  ])('refuses what a peer should not send: %j', (options) => {
    const identity = { kind: 'writer', options }
    expect(failure(() => completeGuest(identity, [MIB])).code).toBe('GUEST_OPTION')
  })

  it('keeps the working set inside the last region', () => {
    const identity = { kind: 'writer', options: { wss: 65536 } }
    expect(completeGuest(identity, [10 * MIB, 65536]).options['wss']).toBe(65536)
    const error = failure(() => completeGuest(identity, [10 * MIB, 65535]))
    expect(error.message).toContain('last region')
  })
})
