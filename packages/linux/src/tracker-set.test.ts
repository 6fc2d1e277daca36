import { readdirSync } from 'node:fs'
import { PageBitmap, type Region } from '@godwit/core'
import { allocateRegion } from '@godwit/memory'
import { beforeEach, describe, expect, test } from 'vitest'
import { probePagemap } from './probe.ts'
import { createPagemapTrackers } from './tracker-set.ts'

const probe = await probePagemap()
const reason = probe.ok ? '' : ` (${probe.reason})`
const openFiles = (): number => readdirSync('/proc/self/fd').length

test.skipIf(probe.ok)('createPagemapTrackers gives the reason of the probe', async () => {
  const made = await createPagemapTrackers([], 4096)
  expect(probe.ok ? made : { ...made, ok: false }).toEqual(probe)
})

describe(`createPagemapTrackers${reason}`, () => {
  beforeEach(({ skip }) => {
    if (!probe.ok) skip(probe.reason)
  })

  test('makes one tracker per region, over two descriptors', async () => {
    const before = openFiles()
    const regions = [1, 2, 3].map((id) =>
      allocateRegion({ id, name: `r${id}`, byteLength: 70_000 }),
    )
    const made = await createPagemapTrackers(regions, 4096)
    if ('reason' in made) throw new Error(made.reason)
    expect(openFiles()).toBe(before + 2)
    regions[1]!.bytes[5 * 4096] = 1
    const found = made.trackers.map((tracker) => tracker.collect(0, 18, new PageBitmap(18)))
    expect(found).toEqual([0, 1, 0])
    made.close()
    made.close()
    expect(openFiles()).toBe(before)
  })

  test.each<[string, () => Uint8Array, RegExp]>([
    ['an ArrayBuffer', () => new Uint8Array(65536), /ArrayBuffer, which may move/],
    ['a part of a page', () => sharedBytes().subarray(48), /starts 48 bytes into a page/],
  ])('refuses %s with a reason, and leaves nothing behind', async (_, bytes, text) => {
    const before = openFiles()
    const good = allocateRegion({ id: 0, name: 'ram', byteLength: 65536 })
    const bad: Region = { id: 1, name: 'own', bytes: bytes() }
    const made = await createPagemapTrackers([good, bad], 4096)
    expect('reason' in made ? made.reason : 'none').toMatch(text)
    expect(openFiles()).toBe(before)
    // The good region is free again.
    const again = await createPagemapTrackers([good], 4096)
    if ('reason' in again) throw new Error(again.reason)
    again.close()
  })
})

function sharedBytes(): Uint8Array {
  return allocateRegion({ id: 0, name: 'ram', byteLength: 65536 }).bytes
}
