import { readFileSync } from 'node:fs'
import { MIB } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { describe, expect, it } from 'vitest'
import { preferHugePages } from './huge-pages.ts'
import { loadSystemCalls } from './system-calls.ts'

const calls = await loadSystemCalls().catch(() => undefined)

/** Of this process, by the kernel. */
function hugeBytes(): number {
  const match = /^AnonHugePages:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))
  return Number(match?.[1] ?? 0) * 1024
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
    const before = hugeBytes()
    const region = allocateRegion({ id: 0, name: 'ram', byteLength: 64 * MIB })
    expect(await preferHugePages(region)).toBe(true)
    region.bytes.fill(1)
    expect(hugeBytes() - before).toBeGreaterThan(16 * MIB)
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
