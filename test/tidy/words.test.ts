import { describe, expect, it } from 'vitest'
import { isText, listFiles, readText } from './repository.ts'
import { bannedWords } from './words.ts'

describe('banned words', () => {
  it('are in no file', () => {
    const texts = listFiles().filter((path) => isText(path))
    expect(texts.flatMap((path) => bannedWords(path, readText(path)))).toEqual([])
  })

  // In pieces, so that these samples do not count.
  it.each([
    ['// TO', 'DO: later'],
    ['// FIX', 'ME'],
    ['// X', 'XX'],
    ['// @ts-', 'ignore'],
    ['// @ts-', 'nocheck'],
    ['it.on', "ly('a', () => {})"],
    ['it.sk', "ip('a', () => {})"],
    ["open('/ro", "ot/file')"],
    ['see /wo', 'rk/main/a.ts'],
    ['https://registry.npm', 'js.org/a'],
  ])('are noticed: %s%s', (...pieces) => {
    expect(bannedWords('a.test.ts', `fine\n${pieces.join('')}`)).toHaveLength(1)
    expect(bannedWords('a.test.ts', `fine\n${pieces.join('')}`)[0]).toMatch(/^a\.test\.ts:2: /)
  })

  it('are noticed where they stand', () => {
    const text = "process.stdout.write('a')"
    const where = ['packages/cli/src/a.ts', 'packages/cli/src/output.ts', 'test/a.ts']
    expect(where.map((path) => bannedWords(path, text).length)).toEqual([1, 0, 0])
  })

  it.each([
    ['// TO', 'DO(#12): later'],
    ['it.sk', "ip('a', () => {}) // needs a kernel of 6.7"],
    ['iterator.sk', 'ip(2)'],
    ['docs/wo', 'rk/notes.md'],
    ['0xX', 'XX'],
  ])('are not seen in %s%s', (...pieces) => {
    const path = pieces[0].startsWith('iterator') ? 'a.ts' : 'a.test.ts'
    expect(bannedWords(path, pieces.join(''))).toEqual([])
  })
})
