import { describe, expect, it } from 'vitest'
import { bytesText, durationText, figure, formatOf, shareText, wordsOf } from './figure.ts'

describe('figures', () => {
  it.each([
    [0, '0 %'],
    [0.0001, '< 0.1 %'],
    [0.742, '74.2 %'],
    [1.5, '150.0 %'],
    [12, '1200 %'],
  ])('a share of %d is %s', (share, text) => {
    expect(shareText(share).replaceAll('\u00a0', ' ')).toBe(text)
  })

  it('keep number and unit in one line', () => {
    expect(durationText(0.25)).toBe('250\u00a0µs')
    expect(bytesText(1536 * 1024)).toBe('1.50\u00a0MiB')
  })

  it('keep their exact value and their place in the report', () => {
    expect(figure(24.414623, durationText, 'downtimeMs').text).toBe(
      '<data value="24.414623" data-field="downtimeMs">24\u00a0ms</data>',
    )
  })

  it.each([
    ['expectedMs', 28.4, '28 ms', 'expected'],
    ['dirtyPages', 9635, '9,635', 'dirty pages'],
    ['bandwidth', 129.7e6, '129.7 MB/s', 'bandwidth'],
    ['ratio', 0.75, '0.75', 'ratio'],
  ])('of %s are known by the name', (name, value, text, words) => {
    expect(formatOf(name)(value).replaceAll('\u00a0', ' ')).toBe(text)
    expect(wordsOf(name)).toBe(words)
  })
})
