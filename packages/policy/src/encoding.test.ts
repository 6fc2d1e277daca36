import { GodwitError, MIB } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import type { EncodeSettings } from './encoding.ts'
import { CACHE_BYTES_DEFAULT, encoderNames, looksAtPages, parseEncode } from './encoding.ts'

/** What is not as without any technique. */
function differences(text: string): Partial<EncodeSettings> {
  const plain = parseEncode('none')
  const entries = Object.entries(parseEncode(text)).filter(([name, value]) => {
    return name !== 'text' && value !== plain[name as keyof EncodeSettings]
  })
  return Object.fromEntries(entries)
}

function refusal(text: string): string {
  try {
    parseEncode(text)
  } catch (error) {
    if (error instanceof GodwitError && error.code === 'USAGE') return error.message
    throw error
  }
  return 'taken'
}

describe('parseEncode', () => {
  it.each<[string, Partial<EncodeSettings>]>([
    ['none', {}],
    ['raw', { raw: true }],
    // Versions that become older ones are kept in a cache as large as the store.
    ['same', { same: true, storeBytes: 16 * MIB, cacheBytes: 16 * MIB }],
    ['same,store=2MiB', { same: true, storeBytes: 2 * MIB, cacheBytes: 2 * MIB }],
    ['delta', { delta: true, cacheBytes: 64 * MIB }],
    ['delta,cache=1MiB', { delta: true, cacheBytes: MIB }],
    ['delta,cache=2GiB,admit=marked', { delta: true, cacheBytes: 2048 * MIB, admit: 'marked' }],
    ['delta,admit=all', { delta: true, cacheBytes: 64 * MIB }],
    ['mdd', { delta: true, similar: true, cacheBytes: 64 * MIB }],
    ['mdd,cache=8MiB', { delta: true, similar: true, cacheBytes: 8 * MIB }],
    ['delta,cache=8MiB,mdd', { delta: true, similar: true, cacheBytes: 8 * MIB }],
    ['zstd', { compression: 'zstd' }],
    ['zstd,level=19', { compression: 'zstd', level: 19 }],
    ['lz4', { compression: 'lz4' }],
    ['mecom', { compression: 'zstd', classes: true, level: 3 }],
    ['mecom,level=1,budget=50%', { compression: 'zstd', classes: true, cpuShareMax: 0.5 }],
    ['mecom,budget=200', { compression: 'zstd', classes: true, level: 3, cpuShareMax: 2 }],
    [
      'same,delta,cache=32MiB,zstd,level=3',
      {
        same: true,
        storeBytes: 16 * MIB,
        delta: true,
        cacheBytes: 32 * MIB,
        compression: 'zstd',
        level: 3,
      },
    ],
    [
      'auto',
      {
        auto: true,
        delta: true,
        compression: 'zstd',
        classes: true,
        admit: 'marked',
        cacheBytes: 2 * CACHE_BYTES_DEFAULT,
      },
    ],
  ])('takes %s', (text, expected) => {
    expect(differences(text)).toEqual(expected)
    expect(parseEncode(text).text).toBe(text)
  })

  it.each([
    ['', '"" is not known; there are raw, none, same, delta, mdd, zstd, lz4, mecom, auto'],
    ['gzip', '"gzip" is not known; there are'],
    ['toString', '"toString" is not known'],
    ['same,', '"" is not known'],
    ['same,same', 'same is given twice'],
    ['zstd,lz4', 'a batch is compressed in one way only'],
    ['lz4,mecom', 'a batch is compressed in one way only'],
    ['raw,same', 'raw goes with nothing else'],
    ['same,none', 'none goes with nothing else'],
    ['auto,same', 'auto goes with nothing else'],
    ['delta,auto', 'auto goes with nothing else'],
    ['auto,zstd', 'auto goes with nothing else'],
    ['zstd,auto', 'auto goes with nothing else'],
    ['level=3', '"level" is no option of anything, which has no options'],
    ['lz4,level=3', '"level" is no option of lz4, which has no options'],
    ['delta,level=3', '"level" is no option of delta, which has cache, admit'],
    ['zstd,same,level=3', '"level" is no option of same, which has store'],
    ['delta,toString=3', '"toString" is no option of delta'],
    ['delta,cache=1KiB', 'cache=1KiB: the least is 1 MiB'],
    ['delta,cache=3GiB', 'cache=3GiB: the most is 2 GiB'],
    ['same,store=2GiB', 'store=2GiB: the most is 1 GiB'],
    ['delta,cache=much', '"much" is not a size; write it like 64MiB or 1GiB'],
    ['delta,admit=some', 'admit=some: it is all or marked'],
    ['zstd,level=0', 'level=0: it is a whole number from 1 to 19'],
    ['zstd,level=20', 'level=20: it is a whole number from 1 to 19'],
    ['zstd,level=1.5', 'level=1.5: it is a whole number'],
    ['zstd,level=', 'level=: it is a whole number'],
    ['zstd,level=3=4', 'level=3=4: it is a whole number'],
    ['mecom,budget=0', 'budget=0: it is a whole number from 1 to 6400'],
    ['mecom,budget=lots%', 'budget=lots'],
  ])('refuses "%s"', (text, expected) => {
    expect(refusal(text)).toContain(expected)
  })
})

it.each([
  ['raw', ['raw'], false],
  ['none', ['zero', 'unchanged'], false],
  ['same,delta', ['zero', 'unchanged', 'same', 'delta'], true],
  ['mdd,lz4', ['zero', 'unchanged', 'delta', 'similar', 'lz4'], true],
  ['auto', ['zero', 'unchanged', 'delta', 'zstd'], true],
  ['mecom', ['zero', 'unchanged', 'zstd'], true],
])('%s is called %j', (text, names, looks) => {
  expect(encoderNames(parseEncode(text))).toEqual(names)
  expect(looksAtPages(parseEncode(text))).toBe(looks)
})
