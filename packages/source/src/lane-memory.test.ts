import { batchPages, compressedBatchPages } from '@godwit/codec'
import { parseEncode } from '@godwit/policy'
import { describe, expect, it } from 'vitest'
import { richBatchPages } from './lane-memory.ts'

const pageBytes = 4096

describe('batches whose pages are looked at', () => {
  it('are short at the beginning of a round, and as long as plain ones later', () => {
    const settings = parseEncode('same')
    const pages = [0, 1, 2, 3, 4, 1e6].map((batches) => {
      return richBatchPages(pageBytes, settings, batches)
    })
    expect(pages).toEqual([16, 32, 64, batchPages(pageBytes), 128, 128])
    expect(richBatchPages(65_536, settings, 4)).toBe(batchPages(65_536))
  })

  it('are long from the beginning where they are compressed', () => {
    const pages = compressedBatchPages(pageBytes)
    expect(richBatchPages(pageBytes, parseEncode('same,zstd'), 0)).toBe(pages)
  })
})
