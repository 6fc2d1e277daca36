import { describe, expect, it } from 'vitest'
import { createImageKey } from './image-directory.ts'
import { formatImageKeys, parseImageKeys } from './image-keys.ts'

describe('keys of images as text', () => {
  it('are read as they were written', () => {
    const keys = [createImageKey(), createImageKey()]
    expect(parseImageKeys(formatImageKeys(keys))).toEqual(keys)
    expect(parseImageKeys(formatImageKeys([]))).toEqual([])
  })

  const key = createImageKey()
  const text = formatImageKeys([key])
  it.each([
    ['nothing', ''],
    ['something else', '{}'],
    ['another format', text.replace('images/1', 'images/2')],
    ['a token that is too short', text.replace(/"token": "../, '"token": "')],
    ['one twice', formatImageKeys([key, key])],
    ['too many', formatImageKeys(Array.from({ length: 17 }, createImageKey))],
  ])('are not read from %s', (_what, wrong) => {
    expect(() => parseImageKeys(wrong)).toThrow(/no keys of stored images/)
  })
})
