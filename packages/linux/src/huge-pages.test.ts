import { readFileSync } from 'node:fs'
import { MIB, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { describe, expect, it } from 'vitest'
import { populate, preferHugePages } from './huge-pages.ts'
import { loadSystemCalls } from './system-calls.ts'

const calls = await loadSystemCalls().catch(() => undefined)

/** Of this process, by the kernel. */
function bytesOf(name: 'AnonHugePages' | 'Rss'): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024
}

/** Until all is over: memory that is given back would count for memory that is taken. */
const kept: Region[] = []

function allocate(byteLength: number): Region {
  const region = allocateRegion({ id: 0, name: 'ram', byteLength })
  kept.push(region)
  return region
}

const mode = ((): string => {
  try {
    const path = '/sys/kernel/mm/transparent_hugepage/enabled'
    return /\[(\w+)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? 'never'
  } catch {
    return 'never'
  }
})()

describe('preferHugePages', () => {
  it.skipIf(calls === undefined || mode !== 'madvise')('has the kernel take them', async () => {
    const before = bytesOf('AnonHugePages')
    const region = allocate(64 * MIB)
    expect(await preferHugePages(region)).toBe(true)
    region.bytes.fill(1)
    expect(bytesOf('AnonHugePages') - before).toBeGreaterThan(16 * MIB)
  })

  it('does nothing for memory that may move', async () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: MIB, backing: 'plain' })
    expect(await preferHugePages(region)).toBe(false)
  })

  it('does nothing where there are no system calls', async () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: MIB })
    expect(await preferHugePages(region, () => Promise.reject(new Error('none')))).toBe(false)
  })
})

describe('populate', () => {
  const { signal } = new AbortController()

  it.skipIf(calls === undefined)('has the kernel give all pages, as they are', async () => {
    const region = allocate(80 * MIB)
    region.bytes[70 * MIB] = 7
    const before = bytesOf('Rss')
    expect(await populate(region, signal)).toBe(true)
    expect(bytesOf('Rss') - before).toBeGreaterThan(70 * MIB)
    expect(region.bytes[70 * MIB]).toBe(7)
  })

  it('ends when it is to', async () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: MIB })
    expect(await populate(region, AbortSignal.abort())).toBe(false)
  })

  it('does nothing where there are no system calls, or memory may move', async () => {
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: MIB })
    const none = (): Promise<never> => Promise.reject(new Error('none'))
    expect(await populate(region, signal, none)).toBe(false)
    const plain = allocateRegion({ id: 0, name: 'ram', byteLength: MIB, backing: 'plain' })
    expect(await populate(plain, signal)).toBe(false)
  })
})
