import { MIB } from '@godwit/core'
import { expect, it } from 'vitest'
import { measureCompressors } from './compressors.ts'
import { measureDeltas } from './delta-kernel.ts'
import { secondsPerCall } from './rate.ts'

it('deltas are measured in both directions, with bars', () => {
  const cases = measureDeltas(2, 1, MIB)
  expect(cases.map(({ metric }) => /\w+/.exec(metric)![0])).toEqual(['encode', 'decode'])
  expect(cases.map(({ values, bar }) => [values.length, bar?.value])).toEqual([
    [2, 8e9],
    [2, 2e9],
  ])
})

it('compressors make less of everything but random bytes', async () => {
  const cases = await measureCompressors(1, 1)
  const shares = cases.filter(({ unit }) => unit === 'ratio')
  const isRandom = (name: string): boolean => name.startsWith('random')
  for (const { name, median } of shares) expect(median < 0.9).toBe(!isRandom(name))
  const heap = new Map(shares.map(({ name, median }) => [name, median]))
  expect(heap.get('heap, transposed, zstd 1')).toBeLessThan(heap.get('heap, zstd 1')!)
})

it('what is timed was called before', () => {
  let calls = 0
  const seconds = secondsPerCall(2, () => void calls++)
  expect(calls).toBeGreaterThan(1)
  expect(seconds).toBeGreaterThan(0)
})
